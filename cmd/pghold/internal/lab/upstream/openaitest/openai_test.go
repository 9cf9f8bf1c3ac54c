// Package openaitest shows that OpenAI's own client works with package upstream, so that
// the lab's model is one for everybody. It is a module of its own, because the client
// takes longer to build than all of pghold.
package openaitest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
)

const answer = "You said: hello there. I have thought about it, and it took its time."

// start starts a server, and returns OpenAI's client of it.
func start(t *testing.T, cfg upstream.Config) (*upstream.Server, *openai.Client) {
	t.Helper()
	s, err := upstream.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := openai.NewClient(option.WithBaseURL(s.URL()+"/v1"), option.WithAPIKey("none"),
		option.WithMaxRetries(0), option.WithHTTPClient(&http.Client{Transport: transport}))
	return s, &client
}

func ask(messages ...openai.ChatCompletionMessageParamUnion) openai.ChatCompletionNewParams {
	if len(messages) == 0 {
		messages = append(messages, openai.UserMessage("hello there"))
	}
	return openai.ChatCompletionNewParams{Model: "slow-1", Messages: messages}
}

// whole asks for an answer in one piece, streamed for one in chunks.
func whole(ctx context.Context, client *openai.Client) (content string, err error) {
	got, err := client.Chat.Completions.New(ctx, ask())
	if got != nil && len(got.Choices) > 0 {
		content = got.Choices[0].Message.Content
	}
	return content, err
}

func streamed(ctx context.Context, client *openai.Client) (content string, err error) {
	stream := client.Chat.Completions.NewStreaming(ctx, ask())
	defer stream.Close()
	for stream.Next() {
		content += stream.Current().Choices[0].Delta.Content
	}
	return content, stream.Err()
}

var shapes = map[string]func(context.Context, *openai.Client) (string, error){"whole": whole, "streamed": streamed}

func TestClient_ReadsTheAnswer(t *testing.T) {
	_, client := start(t, upstream.Config{Delay: time.Microsecond})
	got, err := client.Chat.Completions.New(t.Context(), ask(openai.SystemMessage("be brief"), openai.UserMessage("hello"),
		openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{openai.TextContentPart("hello "), openai.TextContentPart("there")}), openai.AssistantMessage("yes?")))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 1 || got.Choices[0].Message.Content != answer || got.Choices[0].Message.Role != "assistant" || got.Choices[0].FinishReason != "stop" {
		t.Errorf("got %+v, want %q", got.Choices, answer)
	}
	if got.ID == "" || got.Model != "slow-1" || got.Object != "chat.completion" || got.Created == 0 {
		t.Errorf("got id %q, model %q, object %q, created %d", got.ID, got.Model, got.Object, got.Created)
	}
	if u := got.Usage; u.PromptTokens != 6 || u.CompletionTokens != 14 || u.TotalTokens != 20 {
		t.Errorf("got the usage %d + %d = %d, want 6 + 14 = 20", u.PromptTokens, u.CompletionTokens, u.TotalTokens)
	}
}

func TestClient_ReadsTheStream(t *testing.T) {
	_, client := start(t, upstream.Config{Delay: time.Microsecond})
	q := ask()
	q.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := client.Chat.Completions.NewStreaming(t.Context(), q)
	var all openai.ChatCompletionAccumulator
	n := 0
	for stream.Next() {
		chunk := stream.Current()
		if !all.AddChunk(chunk) {
			t.Errorf("OpenAI's accumulator does not take %s", chunk.RawJSON())
		}
		if len(chunk.Choices) > 0 && chunk.Choices[0].Delta.Content != "" {
			n++
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if n != 20 || len(all.Choices) != 1 || all.Choices[0].Message.Content != answer || all.Choices[0].Message.Role != "assistant" || all.Choices[0].FinishReason != "stop" {
		t.Errorf("got %d chunks of %+v, want 20 of %q", n, all.Choices, answer)
	}
	if all.Usage.TotalTokens != 16 {
		t.Errorf("got the usage %d, want 16", all.Usage.TotalTokens)
	}
}

func TestClient_IsToldWhatIsWrong(t *testing.T) {
	s, client := start(t, upstream.Config{Delay: time.Microsecond})
	_, err := client.Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "slow-1", Messages: []openai.ChatCompletionMessageParamUnion{}})
	var refused *openai.Error
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusBadRequest || refused.Type != "invalid_request_error" || refused.Message == "" {
		t.Errorf("of a question without messages it reads %v, %+v", err, refused)
	}
	s.Fail(upstream.RateLimited)
	for name, read := range shapes {
		if _, err := read(t.Context(), client); !errors.As(err, &refused) {
			t.Fatalf("%s: got %v, want OpenAI's error", name, err)
		}
		if refused.StatusCode != http.StatusTooManyRequests || refused.Code != "rate_limit_exceeded" || refused.Type != "requests" || refused.Message == "" {
			t.Errorf("%s: got %d, code %q, type %q, message %q", name, refused.StatusCode, refused.Code, refused.Type, refused.Message)
		}
		if got := refused.Response.Header.Get("Retry-After"); got != "7" {
			t.Errorf("%s: Retry-After is %q, want 7", name, got)
		}
	}
}

func TestClient_NoticesWhatBreaksOff(t *testing.T) {
	s, client := start(t, upstream.Config{Delay: time.Microsecond})
	s.Fail(upstream.BreaksOff)
	for name, read := range shapes {
		content, err := read(t.Context(), client)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %v, want %v", name, err, io.ErrUnexpectedEOF)
		}
		if half := len(answer) / 2; name == "streamed" && content != answer[:half] {
			t.Errorf("streamed: got %q, want %q", content, answer[:half])
		}
	}
	s.Fail(upstream.Garbage)
	var syntax *json.SyntaxError
	if content, err := whole(t.Context(), client); !errors.As(err, &syntax) || content != "" {
		t.Errorf("whole: got %q and %v, want a syntax error", content, err)
	}
	// Whether it takes this for an error or for an empty answer is its own affair.
	if content, _ := streamed(t.Context(), client); content != "" {
		t.Errorf("streamed: got %q from garbage", content)
	}
}

func TestClient_Leaves(t *testing.T) {
	asleep := make(chan bool)
	_, client := start(t, upstream.Config{Delay: time.Hour, Sleep: func(ctx context.Context, _ time.Duration) error {
		asleep <- true
		<-ctx.Done()
		return ctx.Err()
	}})
	for name, read := range shapes {
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() {
			_, err := read(ctx, client)
			ended <- err
		}()
		<-asleep
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
