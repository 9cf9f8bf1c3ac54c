package httphold_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
)

func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestMiddleware_NamesTheRoute(t *testing.T) {
	recorder := pghold.New(pghold.Config{})
	pool := recorder.Pool("main")
	hold := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pool.Checkout(r.Context()).Release() })
	inner := http.NewServeMux()
	inner.Handle("GET /api/things/{id}", hold)
	outer := http.NewServeMux()
	outer.Handle("GET /users/{id}", hold)
	outer.Handle("/api/", inner)
	h := httphold.Middleware(outer)
	for path, want := range map[string]string{"/users/1": "GET /users/{id}", "/users/2?q=secret": "GET /users/{id}", "/api/things/7": "GET /api/things/{id}"} {
		before := count(recorder, want)
		get(t, h, path)
		if got := count(recorder, want); got != before+1 {
			t.Errorf("%s: %d holds of %q, want %d: %+v", path, got, want, before+1, recorder.Snapshot().Series)
		}
	}
	get(t, httphold.Middleware(hold), "/users/1")
	if count(recorder, httphold.NoPattern) != 1 {
		t.Error("without a pattern the hold is not counted under NoPattern")
	}
}

func count(r *pghold.Recorder, route string) (n uint64) {
	for _, s := range r.Snapshot().Series {
		if s.Route == route {
			n += s.Held.Count()
		}
	}
	return n
}

// inHold makes a request through Transport with a hold open and returns the hold.
func inHold(t *testing.T, url string, use func(*http.Response, error)) pghold.Hold {
	t.Helper()
	recorder := pghold.New(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	c := recorder.Pool("main").Checkout(ctx)
	req, err := http.NewRequestWithContext(ctx, "POST", url, strings.NewReader("a secret body"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "secret")
	client := &http.Client{Transport: httphold.Transport(nil)}
	res, err := client.Do(req)
	use(res, err)
	c.Release()
	client.CloseIdleConnections()
	return recorder.Snapshot().Series[0].Worst
}

func TestTransport_TellsOfTheSlowCall(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "begin")
		w.(http.Flusher).Flush()
		<-release
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	h := inHold(t, server.URL+"/v1/users/4711/token-8c1f2a90?key=secret", func(res *http.Response, err error) {
		if err != nil {
			t.Fatal(err)
		}
		// The answer has begun and is still being read.
		time.AfterFunc(5*time.Millisecond, func() { close(release) })
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	})
	if len(h.SlowCalls) != 1 {
		t.Fatalf("got %+v, want one slow call", h.SlowCalls)
	}
	c := h.SlowCalls[0]
	if want := "POST " + host + "/v1/users/{}/{}"; c.What != want {
		t.Errorf("it is named %q, want %q", c.What, want)
	}
	if c.Duration < 5*time.Millisecond || c.Open {
		t.Errorf("it took %v, want it to last until the answer was read, 5 ms", c.Duration)
	}
	if !strings.HasSuffix(c.Site.File, "httphold_test.go") {
		t.Errorf("it was made at %+v, want this test", c.Site)
	}
}

func TestTransport_EndsWithTheBodyOrTheError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1<<20)) }))
	defer server.Close()
	h := inHold(t, server.URL, func(res *http.Response, err error) {
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close() // unread
	})
	if len(h.SlowCalls) != 1 || h.SlowCalls[0].Duration >= h.Held {
		t.Errorf("closed unread: %+v in a hold of %v", h.SlowCalls, h.Held)
	}
	h = inHold(t, "http://127.0.0.1:1/refused", func(_ *http.Response, err error) {
		if err == nil {
			t.Fatal("no error")
		}
	})
	if len(h.SlowCalls) != 1 || h.SlowCalls[0].Duration >= h.Held {
		t.Errorf("refused: %+v in a hold of %v", h.SlowCalls, h.Held)
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestTransport_Names(t *testing.T) {
	for url, want := range map[string]string{
		"http://h":                               "GET h/",
		"http://h/v1/chat/completions":           "GET h/v1/chat/completions",
		"http://h/users/42":                      "GET h/users/{}",
		"http://h/u/me@example.com/x":            "GET h/u/{}/x",
		"http://h/o/6f9619ff-8b86-d011-b42d":     "GET h/o/{}",
		"http://h/s/averyveryverylongsecretword": "GET h/s/{}",
		"http://h/a/b/c/d/e/f/g/h":               "GET h/a/b/c/d/e/f/…",
		"http://user:password@h/x?token=y#z":     "GET h/x",
	} {
		recorder := pghold.New(pghold.Config{})
		ctx := pghold.WithRoute(context.Background(), "r")
		c := recorder.Pool("main").Checkout(ctx)
		req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		refused := errors.New("refused")
		if _, err := httphold.Transport(failing{refused}).RoundTrip(req); err != refused {
			t.Errorf("got %v, want the transport's own error", err)
		}
		c.Release()
		if got := recorder.Snapshot().Series[0].Worst.SlowCalls[0].What; got != want {
			t.Errorf("%s is named %q, want %q", url, got, want)
		}
	}
}

func TestHandler(t *testing.T) {
	recorder := pghold.New(pghold.Config{})
	h := httphold.Handler(recorder)
	if body := get(t, h, "/debug/holds").Body.String(); !strings.Contains(body, "No connection is held") || !strings.Contains(body, "No hold has ended") {
		t.Errorf("with nothing recorded the page says:\n%s", body)
	}

	const hostile = `<script>alert("x")</script>`
	ctx := pghold.WithRoute(t.Context(), hostile)
	c := recorder.Pool(hostile).Checkout(ctx)
	call := pghold.Start(ctx, hostile)
	open := get(t, h, "/debug/holds").Body.String()
	call.End()
	c.Release()
	done := get(t, h, "/debug/holds", "Accept", "text/html,application/json")
	for what, body := range map[string]string{"open": open, "finished": done.Body.String()} {
		if strings.Contains(body, "<script") || !strings.Contains(body, "&lt;script&gt;") {
			t.Errorf("%s: markup from outside got into the page, or is not shown:\n%s", what, body)
		}
		if !strings.Contains(body, "httphold_test.go:") {
			t.Errorf("%s: the page does not name the line:\n%s", what, body)
		}
	}
	if csp := done.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("the content security policy is %q", csp)
	}
	for _, w := range []*httptest.ResponseRecorder{
		get(t, h, "/debug/holds?format=json"), get(t, h, "/debug/holds", "Accept", "application/json"),
	} {
		s, err := pghold.ReadSnapshot(w.Body.Bytes())
		if err != nil || len(s.Series) != 1 || s.Series[0].Route != hostile || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("as JSON: %v, %+v", err, s)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/debug/holds", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST is answered %d", w.Code)
	}
}

// A handler that is stuck in what Transport does not see is found by its stack.
func TestHandler_ShowsWhereItIsStuck(t *testing.T) {
	recorder := pghold.New(pghold.Config{StuckAfter: time.Nanosecond})
	release, begun, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stuck/{id}", func(w http.ResponseWriter, r *http.Request) {
		defer recorder.Pool("main").Checkout(r.Context()).Release()
		close(begun)
		<-release
	})
	go func() {
		defer close(ended)
		get(t, httphold.Middleware(mux), "/stuck/1")
	}()
	<-begun
	h := httphold.Handler(recorder)
	deadline := time.After(20 * time.Second)
	for {
		page := get(t, h, "/debug/holds").Body.String()
		// The innermost frame is the handler's own, at its last line but one.
		if strings.Contains(page, "TestHandler_ShowsWhereItIsStuck.func1 at httphold_test.go:") && strings.Contains(page, "<summary>stack</summary>") {
			break
		}
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			t.Fatalf("the page does not say where it is stuck:\n%s", page)
		}
	}
	s, err := pghold.ReadSnapshot(get(t, h, "/debug/holds?format=json").Body.Bytes())
	if err != nil || len(s.Open) != 1 || s.Open[0].Stack == nil || s.Open[0].Route != "GET /stuck/{id}" {
		t.Errorf("as JSON: %v, %+v", err, s)
	}
	close(release)
	<-ended
}

func TestMiddleware_APanicIsMarkedAndGoesOn(t *testing.T) {
	recorder := pghold.New(pghold.Config{})
	h := httphold.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer recorder.Pool("main").Checkout(r.Context()).Release()
		panic("handler")
	}))
	func() {
		defer func() {
			if got := recover(); got != "handler" {
				t.Errorf("the server sees %v, want the handler's panic", got)
			}
		}()
		get(t, h, "/")
	}()
	s := recorder.Snapshot()
	if len(s.Open) != 0 || len(s.Series) != 1 || s.Series[0].Panics != 1 || !s.Series[0].Worst.Panicked {
		t.Errorf("got %+v, want the hold closed and marked", s.Series)
	}
}

func TestHandler_PanicsWithoutARecorder(t *testing.T) {
	defer func() {
		if got := recover(); got != "httphold: Handler needs a recorder, and got nil" {
			t.Errorf("got %v", got)
		}
	}()
	httphold.Handler(nil)
}
