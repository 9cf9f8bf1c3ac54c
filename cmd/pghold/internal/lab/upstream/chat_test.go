package upstream_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
)

const answer = "You said: hello there. I have thought about it, and it took its time."

func TestChat_AnswersWhole(t *testing.T) {
	s := instant(t)
	w := serve(t.Context(), s, chatPath, `{"model": "slow-1", "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"},
		{"role": "user", "content": [{"type": "text", "text": "hello "}, {"type": "text", "text": "there"}]}, {"role": "assistant", "content": "yes?"}]}`)
	got := read(t, w.Body.String())[0]
	if len(got.Choices) != 1 || got.Choices[0].Message.Content != answer || got.Choices[0].Message.Role != "assistant" || got.Choices[0].FinishReason != "stop" {
		t.Errorf("got %+v, want %q", got.Choices, answer)
	}
	if got.ID == "" || got.Model != "slow-1" || got.Object != "chat.completion" || got.Created == 0 {
		t.Errorf("got id %q, model %q, object %q, created %d", got.ID, got.Model, got.Object, got.Created)
	}
	if u := got.Usage; u.Prompt != 6 || u.Completion != 14 || u.Total != 20 {
		t.Errorf("got the usage %d + %d = %d, want 6 + 14 = 20", u.Prompt, u.Completion, u.Total)
	}
	if l := s.Ledger(); l.Chats != 1 || l.TotalCalls != 0 {
		t.Errorf("the ledger has %+v, want one chat", l)
	}
}

func TestChat_AnswersInPieces(t *testing.T) {
	w := serve(t.Context(), instant(t), chatPath, strings.Replace(streamBody, "{", `{"stream_options": {"include_usage": true}, `, 1))
	pieces := read(t, w.Body.String())
	if len(pieces) != 21 || pieces[20].Usage.Total != 16 || len(pieces[20].Choices) != 0 {
		t.Fatalf("got %d pieces, want 20 and the usage", len(pieces))
	}
	whole := ""
	for i, p := range pieces[:20] {
		whole += p.Choices[0].Delta.Content
		if role, end := p.Choices[0].Delta.Role, p.Choices[0].FinishReason; (role == "assistant") != (i == 0) || (end == "stop") != (i == 19) {
			t.Errorf("piece %d has the role %q and the end %q", i, role, end)
		}
	}
	if whole != answer {
		t.Errorf("got %q, want %q", whole, answer)
	}
}

// written is the moments at which something was flushed.
type written struct {
	*httptest.ResponseRecorder
	at []time.Time
}

func (w *written) Flush() { w.at = append(w.at, time.Now()) }

func TestChat_TakesItsDelay(t *testing.T) {
	const delay = 2 * time.Second
	for name, body := range map[string]string{"whole": wholeBody, "stream": streamBody} {
		synctest.Test(t, func(t *testing.T) { // where time is exact and takes none
			s, err := upstream.New(upstream.Config{Delay: delay})
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			w := &written{ResponseRecorder: httptest.NewRecorder()}
			s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", chatPath, strings.NewReader(body)))
			if took := time.Since(begun); took != delay {
				t.Errorf("%s: it took %v, want %v", name, took, delay)
			}
			if name == "stream" && (len(w.at) != 20 || !strings.HasSuffix(w.Body.String(), "}\n\ndata: [DONE]\n\n")) {
				t.Errorf("got %d chunks, want 20 and [DONE]:\n%s", len(w.at), w.Body)
			}
			for i, at := range w.at {
				if got, want := at.Sub(begun), delay*time.Duration(i+1)/20; got != want {
					t.Errorf("chunk %d came after %v, want %v", i, got, want)
				}
			}
		})
	}
}

func TestChat_MentionsOnlySoMuch(t *testing.T) {
	w := serve(t.Context(), instant(t), chatPath, `{"messages": [{"role": "user", "content": "`+strings.Repeat("é", 10_000)+`"}]}`)
	if said := read(t, w.Body.String())[0].Choices[0].Message.Content; !strings.HasPrefix(said, "You said: "+strings.Repeat("é", 80)+"….") {
		t.Errorf("got %q, want 80 characters of the question", said)
	}
}

func TestChat_RefusesWhatIsNoQuestion(t *testing.T) {
	s := instant(t)
	for _, body := range []string{"", "hello", "[]", "{}", `{"messages": []}`, `{"messages": [{"role": "user", "content": 1}]}`,
		`{"messages": [{"content": "` + strings.Repeat("x", 2<<20) + `"}]}`} {
		w := serve(t.Context(), s, chatPath, body)
		if w == nil || w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"type":"invalid_request_error"`) {
			t.Errorf("%.60s is answered %+v", body, w)
		}
	}
	if l := s.Ledger(); l.Chats != 0 {
		t.Errorf("%d chats are in the ledger, want none", l.Chats)
	}
}

func TestChat_EndsWhenItsClientLeaves(t *testing.T) {
	c := newClock()
	s := start(t, upstream.Config{Delay: time.Hour, Sleep: c.sleep})
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := post(ctx, httpClient(t), s, chatPath, wholeBody, "")
		ended <- err
	}()
	<-c.asleep
	if n := s.Pending(); n != 1 {
		t.Errorf("%d requests are pending, want 1", n)
	}
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the client got %v", err)
	}
	await(t, "no request is pending", func() bool { return s.Pending() == 0 })
}

func TestChat_EndsItsSleepWhenItsClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := upstream.New(upstream.Config{Delay: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithTimeout(t.Context(), time.Minute)
		defer leave()
		begun := time.Now()
		if w := serve(ctx, s, chatPath, wholeBody); w != nil || time.Since(begun) != time.Minute {
			t.Errorf("after %v it ends with %+v, want it to hang up after a minute", time.Since(begun), w)
		}
	})
}
