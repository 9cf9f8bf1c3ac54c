package upstream_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// atOnce waits for nothing. With an hour's delay no test passes because time did.
func atOnce(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// clock is a Sleep that a test winds: each sleeper says so and waits for its turn.
type clock struct{ asleep, wake chan struct{} }

func newClock() clock { return clock{make(chan struct{}), make(chan struct{})} }

func (c clock) sleep(ctx context.Context, _ time.Duration) error {
	select {
	case c.asleep <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func start(t *testing.T, cfg upstream.Config) *upstream.Server {
	t.Helper()
	s, err := upstream.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func instant(t *testing.T) *upstream.Server {
	t.Helper()
	return start(t, upstream.Config{Delay: time.Hour, Sleep: atOnce})
}

func httpClient(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// said is what a client reads of an answer, or of a piece of one.
type said struct {
	ID, Object, Model string
	Created           int64
	Choices           []struct {
		Message, Delta struct{ Role, Content string }
		FinishReason   string `json:"finish_reason"`
	}
	Usage struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}
}

// read returns the pieces of a stream, which ends with [DONE], or a whole answer.
func read(t *testing.T, body string) (pieces []said) {
	t.Helper()
	for event := range strings.SplitSeq(strings.TrimSuffix(body, "data: [DONE]\n\n"), "\n\n") {
		if event == "" {
			continue
		}
		var s said
		if err := json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &s); err != nil {
			t.Fatalf("%v: %s", err, event)
		}
		pieces = append(pieces, s)
	}
	return pieces
}

// receipt is what a charge is answered.
type receipt struct {
	ID       string
	Op       string
	Amount   int64
	replayed bool
}

func pay(ctx context.Context, client *http.Client, s *upstream.Server, op, key string) (receipt, error) {
	var got receipt
	res, err := post(ctx, client, s, "/v1/charges", `{"op": "`+op+`", "account": 1, "amount": 7}`, key)
	if err != nil {
		return got, err
	}
	defer res.Body.Close()
	got.replayed = res.Header.Get("Idempotent-Replayed") == "true"
	return got, json.NewDecoder(res.Body).Decode(&got)
}

func post(ctx context.Context, client *http.Client, s *upstream.Server, path, body, key string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", s.URL()+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	return client.Do(r)
}

// await polls until the server has come to a state that it does not tell of by itself.
func await(t *testing.T, what string, reached func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !reached() {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatalf("never came to pass: %s", what)
		}
	}
}

// serve has a server answer without a connection. It returns nil where the server
// hung up.
func serve(ctx context.Context, s *upstream.Server, path, body string) (w *httptest.ResponseRecorder) {
	defer func() {
		if r := recover(); r == http.ErrAbortHandler {
			w = nil
		} else if r != nil {
			panic(r)
		}
	}()
	w = httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "POST", path, strings.NewReader(body)))
	return w
}

// Requests of each kind.
const (
	chatPath, wholeBody = "/v1/chat/completions", `{"messages": [{"role": "user", "content": "hello there"}]}`
	streamBody          = `{"messages": [{"role": "user", "content": "hello there"}], "stream": true}`
	chargePath, payBody = "/v1/charges", `{"op": "a", "account": 1, "amount": 7}`
)
