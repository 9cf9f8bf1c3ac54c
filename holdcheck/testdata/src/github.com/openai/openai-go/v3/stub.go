// Package openai is a stub: signatures only.
package openai

import (
	"context"
	"net/http"
)

type ChatCompletionNewParams struct{ Model string }

type ChatCompletion struct{ ID string }

type ChatCompletionService struct{ base string }

func (s *ChatCompletionService) New(ctx context.Context, body ChatCompletionNewParams) (*ChatCompletion, error) {
	_, err := http.Post(s.base, "application/json", nil)
	return &ChatCompletion{}, err
}

type ChatService struct{ Completions ChatCompletionService }

type Client struct{ Chat ChatService }

func NewClient() Client { return Client{} }

func UserMessage(s string) string { return s }
