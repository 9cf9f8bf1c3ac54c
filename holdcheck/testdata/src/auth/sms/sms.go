// Package sms sends messages to phones.
package sms

import (
	"context"
	"net/http"
	"strings"
)

type Provider interface {
	Send(ctx context.Context, phone, text string) (string, error)
}

// Twirl is a provider with an HTTP API.
type Twirl struct {
	Base   string
	Client *http.Client
}

func (p *Twirl) Send(ctx context.Context, phone, text string) (string, error) {
	return p.post(ctx, strings.NewReader(phone+text))
}

func (p *Twirl) post(ctx context.Context, body *strings.Reader) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Base, body)
	if err != nil {
		return "", err
	}
	resp, err := p.Client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return resp.Status, nil
}
