package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// model is a client of a chat model that speaks OpenAI's chat completions
// (https://platform.openai.com/docs/api-reference/chat), as far as the lab needs one:
// one question, one answer, whole or streamed. It tries nothing again.
type model struct {
	url    string // that ends before /chat/completions
	client *http.Client
}

// modelError is what a model says that does not answer with 200.
type modelError struct {
	response *http.Response // its body is closed
	message  string
}

func (e *modelError) Error() string { return e.response.Status + ": " + e.message }

// completion is an answer, or in a stream a piece of one.
type completion struct {
	Choices []struct {
		Message, Delta struct{ Content string }
		FinishReason   string `json:"finish_reason"` // empty before the last piece
	}
}

// complete returns the answer to a question.
func (m model) complete(ctx context.Context, question string) (*completion, error) {
	res, err := m.post(ctx, question, false)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer completion
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("its answer is not JSON: %w", err)
	}
	return &answer, nil
}

// stream tells each of the pieces of the answer to a question, until there are no
// more or one is refused with an error, which it returns.
func (m model) stream(ctx context.Context, question string, each func(*completion) error) error {
	res, err := m.post(ctx, question, true)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return events(res.Body, func(data []byte) error {
		var piece completion
		if err := json.Unmarshal(data, &piece); err != nil {
			return fmt.Errorf("an event of its stream is not JSON: %w", err)
		}
		return each(&piece)
	})
}

func (m model) post(ctx context.Context, question string, stream bool) (*http.Response, error) {
	req, err := newRequest(ctx, m.url+"/chat/completions", map[string]any{
		"model": "the-lab-s-own", "messages": []any{map[string]string{"role": "user", "content": question}}, "stream": stream,
	})
	if err != nil {
		return nil, err
	}
	res, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	var refused struct{ Error struct{ Message string } }
	if json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(&refused) != nil || refused.Error.Message == "" {
		refused.Error.Message = "it does not say why"
	}
	return nil, &modelError{res, refused.Error.Message}
}

// events tells the data of each server-sent event
// (https://html.spec.whatwg.org/multipage/server-sent-events.html), up to the one that
// is [DONE] or the end. An event that the end cuts short is none. Lines end with LF or
// CRLF; fields other than data are not looked at.
func events(r io.Reader, each func(data []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxAnswer)
	var data []string
	for lines.Scan() {
		line := lines.Text()
		if value, ok := strings.CutPrefix(line, "data:"); ok {
			data = append(data, strings.TrimPrefix(value, " "))
		}
		if line != "" || data == nil {
			continue
		}
		event := strings.Join(data, "\n")
		if data = nil; event == "[DONE]" {
			return nil
		}
		if err := each([]byte(event)); err != nil {
			return err
		}
	}
	return lines.Err()
}
