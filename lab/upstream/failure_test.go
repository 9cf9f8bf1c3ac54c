package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openai/openai-go/v3"

	"github.com/pghold/pghold/lab/upstream"
)

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

func TestFail_RateLimited(t *testing.T) {
	s := instant(t)
	s.Fail(upstream.RateLimited)
	for name, read := range shapes {
		_, err := read(t.Context(), openAI(t, s))
		var refused *openai.Error
		if !errors.As(err, &refused) {
			t.Fatalf("%s: got %v, want OpenAI's error", name, err)
		}
		if refused.StatusCode != http.StatusTooManyRequests || refused.Code != "rate_limit_exceeded" || refused.Type != "requests" || refused.Message == "" {
			t.Errorf("%s: got %d, code %q, type %q, message %q", name, refused.StatusCode, refused.Code, refused.Type, refused.Message)
		}
		if got := refused.Response.Header.Get("Retry-After"); got != "7" {
			t.Errorf("%s: Retry-After is %q, want 7", name, got)
		}
	}
	res, err := post(t.Context(), httpClient(t), s, "/v1/charges", `{"op": "a"}`, "")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if l := s.Ledger(); res.StatusCode != http.StatusTooManyRequests || l.Calls["a"] != 1 || l.TotalCharges != 0 || l.Chats != 2 {
		t.Errorf("a charge is answered %d and the ledger has %+v, want 429 and three calls without a charge", res.StatusCode, l)
	}
}

func TestFail_BreaksOff(t *testing.T) {
	s := instant(t)
	s.Fail(upstream.BreaksOff)
	for name, read := range shapes {
		content, err := read(t.Context(), openAI(t, s))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %v, want %v", name, err, io.ErrUnexpectedEOF)
		}
		if half := len(answer) / 2; name == "streamed" && content != answer[:half] {
			t.Errorf("streamed: got %q, want %q", content, answer[:half])
		}
	}
	res, err := post(t.Context(), httpClient(t), s, chatPath, wholeBody, "")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if want := res.ContentLength / 2; int64(len(b)) != want || want <= 0 {
		t.Errorf("whole: got %d of %d bytes, want half", len(b), res.ContentLength)
	}
	if _, err := pay(t.Context(), httpClient(t), s, "a", ""); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a charge ends with %v, want %v", err, io.ErrUnexpectedEOF)
	}
	if l := s.Ledger(); l.Charges["a"] != 1 {
		t.Errorf("the ledger has %+v, want the charge whose answer was cut", l)
	}
}

func TestFail_Garbage(t *testing.T) {
	s := instant(t)
	s.Fail(upstream.Garbage)
	var syntax *json.SyntaxError
	if content, err := whole(t.Context(), openAI(t, s)); !errors.As(err, &syntax) || content != "" {
		t.Errorf("whole: got %q and %v, want a syntax error", content, err)
	}
	// Whether OpenAI's client takes this for an error or for an empty answer is its own affair.
	content, err := streamed(t.Context(), openAI(t, s))
	t.Logf("streamed: %v", err)
	if content != "" {
		t.Errorf("streamed: got %q from garbage", content)
	}
	client := httpClient(t)
	for body, kind := range map[string]string{`{"messages": [{}]}`: "application/json", `{"messages": [{}], "stream": true}`: "text/event-stream"} {
		res, err := post(t.Context(), client, s, "/v1/chat/completions", body, "")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind || !strings.HasPrefix(string(b), "<html>") {
			t.Errorf("%s is answered %d, %q, %q, %v", body, res.StatusCode, res.Header.Get("Content-Type"), b, err)
		}
	}
	if _, err := pay(t.Context(), client, s, "a", "k1"); !errors.As(err, &syntax) {
		t.Errorf("a charge ends with %v, want a syntax error", err)
	}
	s.Fail(upstream.None)
	if got, err := pay(t.Context(), client, s, "a", "k1"); err != nil || !got.replayed || s.Ledger().TotalCharges != 1 {
		t.Errorf("who comes again gets %+v and %v, want the charge's answer: it was booked", got, err)
	}
}

func TestFail_Never(t *testing.T) {
	for name, request := range map[string][2]string{"whole": {chatPath, wholeBody}, "stream": {chatPath, streamBody}, "charge": {chargePath, payBody}} {
		synctest.Test(t, func(t *testing.T) {
			s, err := upstream.New(upstream.Config{Delay: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			s.Fail(upstream.Never)
			unanswered(t, s, name, request[0], request[1])
			if l := s.Ledger(); name == "charge" && l.TotalCharges != 1 {
				t.Errorf("the ledger has %+v, want the charge that nobody was told of", l)
			}
			s.Fail(upstream.None)
			if serve(t.Context(), s, request[0], request[1]) == nil {
				t.Errorf("%s: it fails on, after it was told not to", name)
			}
		})
	}
}

func TestStalls_The20thCallIsNeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := upstream.New(upstream.Config{Delay: time.Hour, Shape: upstream.Stalls})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s.Fail(upstream.RateLimited) // a call that is refused is not among the 20
			serve(t.Context(), s, chatPath, wholeBody)
			s.Fail(upstream.None)
			for i := range 19 {
				if serve(t.Context(), s, chatPath, wholeBody) == nil {
					t.Fatalf("call %d is not answered", i+1)
				}
			}
			unanswered(t, s, "the 20th call", chatPath, wholeBody)
		}
	})
}

// unanswered makes a call, in a synctest bubble, and wants it still waiting after a
// year and ended when its client leaves.
func unanswered(t *testing.T, s *upstream.Server, what, path, body string) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan *httptest.ResponseRecorder, 1)
	go func() { ended <- serve(ctx, s, path, body) }()
	time.Sleep(365 * 24 * time.Hour)
	if len(ended) != 0 {
		t.Errorf("%s: it has ended with %+v, want it to wait", what, <-ended)
		leave()
		return
	}
	leave()
	if w := <-ended; w != nil {
		t.Errorf("%s: when its client leaves it answers %+v, want it to hang up", what, w)
	}
}
