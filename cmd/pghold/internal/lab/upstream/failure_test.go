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

	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
)

func TestFail_RateLimited(t *testing.T) {
	s := instant(t)
	s.Fail(upstream.RateLimited)
	for _, body := range []string{wholeBody, streamBody} {
		w := serve(t.Context(), s, chatPath, body)
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "7" || !strings.Contains(w.Body.String(), `"code":"rate_limit_exceeded"`) {
			t.Errorf("%s is answered %+v, want 429, to be tried again after 7 s", body, w)
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
	res, err := post(t.Context(), httpClient(t), s, chatPath, streamBody, "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	res.Body.Close()
	half := ""
	for _, p := range read(t, string(b)) {
		half += p.Choices[0].Delta.Content
	}
	if want := answer[:len(answer)/2]; half != want || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("streamed: got %q and %v, want %q", half, err, want)
	}
	if res, err = post(t.Context(), httpClient(t), s, chatPath, wholeBody, ""); err != nil {
		t.Fatal(err)
	}
	b, err = io.ReadAll(res.Body)
	res.Body.Close()
	if want := res.ContentLength / 2; int64(len(b)) != want || want <= 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
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
