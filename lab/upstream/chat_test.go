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

	"github.com/openai/openai-go/v3"

	"github.com/pghold/pghold/lab/upstream"
)

const answer = "You said: hello there. I have thought about it, and it took its time."

func TestChat_OpenAIsClientReadsTheAnswer(t *testing.T) {
	s := instant(t)
	got, err := openAI(t, s).Chat.Completions.New(t.Context(), ask(openai.SystemMessage("be brief"), openai.UserMessage("hello"),
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
	if l := s.Ledger(); l.Chats != 1 || l.TotalCalls != 0 {
		t.Errorf("the ledger has %+v, want one chat", l)
	}
}

func TestChat_OpenAIsClientReadsTheStream(t *testing.T) {
	s := instant(t)
	q := ask()
	q.StreamOptions.IncludeUsage = openai.Bool(true)
	stream := openAI(t, s).Chat.Completions.NewStreaming(t.Context(), q)
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
	got, err := openAI(t, instant(t)).Chat.Completions.New(t.Context(), ask(openai.UserMessage(strings.Repeat("é", 10_000))))
	if err != nil {
		t.Fatal(err)
	}
	if said := got.Choices[0].Message.Content; !strings.HasPrefix(said, "You said: "+strings.Repeat("é", 80)+"….") {
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
	_, err := openAI(t, s).Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "slow-1", Messages: []openai.ChatCompletionMessageParamUnion{}})
	var refused *openai.Error
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusBadRequest || refused.Type != "invalid_request_error" || refused.Code != "" || !strings.Contains(refused.Message, "messages") {
		t.Errorf("OpenAI's client reads %v, %+v", err, refused)
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
		_, err := openAI(t, s).Chat.Completions.New(ctx, ask())
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
