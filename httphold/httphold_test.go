package httphold_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
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

// user is a middleware that gives the request a context of its own.
func user(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, "me")))
	})
}

type userKey struct{}

func clone(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r.Clone(r.Context())) })
}

func TestMiddleware_AroundAndWithinOthers(t *testing.T) {
	recorder := pghold.New(pghold.Config{})
	pool := recorder.Pool("main")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) { pool.Checkout(r.Context()).Release() })
	within := http.NewServeMux()
	within.Handle("/api/", http.StripPrefix("/api", httphold.Middleware(mux)))
	each := http.NewServeMux()
	each.Handle("GET /users/{id}", httphold.Middleware(mux))
	for name, h := range map[string]http.Handler{
		"inside of one that changes the context":   user(httphold.Middleware(mux)),
		"on both sides of it":                      httphold.Middleware(user(httphold.Middleware(mux))),
		"on both sides of one that clones":         httphold.Middleware(clone(httphold.Middleware(mux))),
		"on both sides of two":                     httphold.Middleware(user(clone(httphold.Middleware(mux)))),
		"twice with nothing between":               httphold.Middleware(httphold.Middleware(mux)),
		"around each handler":                      each,
		"on both sides, around each handler":       httphold.Middleware(user(each)),
		"on both sides of StripPrefix":             httphold.Middleware(toAPI(within)),
		"around both of two muxes":                 httphold.Middleware(user(httphold.Middleware(toAPI(within)))),
		"on both sides of TimeoutHandler":          httphold.Middleware(http.TimeoutHandler(httphold.Middleware(mux), time.Hour, "")),
		"on both sides of one that drops contexts": httphold.Middleware(dropContext(httphold.Middleware(mux))),
	} {
		const want = "GET /users/{id}"
		before := count(recorder, want)
		get(t, h, "/users/1")
		if got := count(recorder, want) - before; got != 1 {
			t.Errorf("%s: %d holds of %q, want 1: %+v", name, got, want, recorder.Snapshot().Series)
		}
	}
}

// toAPI puts /api in front of the path.
func toAPI(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/api" + r.URL.Path
		next.ServeHTTP(w, r)
	})
}

func dropContext(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r.WithContext(context.Background())) })
}

// Two Middlewares are one route: what one of them has open, a slow call within the
// other is in.
func TestMiddleware_WithinAnotherIsOneScope(t *testing.T) {
	recorder := pghold.New(pghold.Config{})
	pool := recorder.Pool("main")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		call := pghold.Start(r.Context(), "sleep")
		call.End()
	})
	authenticate := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			before := pool.Checkout(r.Context())
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, "me")))
			before.Release()
			pool.Checkout(r.Context()).Release()
		})
	}
	get(t, httphold.Middleware(authenticate(httphold.Middleware(mux))), "/users/1")
	calls := map[string]int{}
	for _, s := range recorder.Snapshot().Series {
		calls[s.Route] = len(s.Worst.SlowCalls)
	}
	if calls[httphold.NoPattern] != 1 { // it was not known yet
		t.Errorf("the hold that was open meanwhile has %d slow calls, want 1", calls[httphold.NoPattern])
	}
	if count(recorder, "GET /users/{id}") != 1 {
		t.Errorf("the hold after the handler has not its route: %+v", recorder.Snapshot().Series)
	}
}

// A handler that sends requests of its own through the same handlers, several at the
// same time, has its route, and they have theirs.
func TestMiddleware_RequestsWithinARequest(t *testing.T) {
	fresh := func(r *http.Request, path string) *http.Request {
		return httptest.NewRequestWithContext(r.Context(), "GET", path, nil)
	}
	cloned := func(r *http.Request, path string) *http.Request {
		part := r.Clone(r.Context())
		part.Method, part.URL.Path = "GET", path
		return part
	}
	for name, part := range map[string]func(*http.Request, string) *http.Request{"fresh": fresh, "cloned": cloned} {
		for _, between := range []func(http.Handler) http.Handler{httphold.Middleware, user} {
			recorder := pghold.New(pghold.Config{})
			pool := recorder.Pool("main")
			mux := http.NewServeMux()
			h := httphold.Middleware(between(httphold.Middleware(mux)))
			mux.HandleFunc("POST /batch", func(w http.ResponseWriter, r *http.Request) {
				var parts sync.WaitGroup
				for _, path := range []string{"/users/1", "/orders/1", "/users/2", "/orders/2"} {
					parts.Go(func() { h.ServeHTTP(httptest.NewRecorder(), part(r, path)) })
				}
				parts.Wait()
				pool.Checkout(r.Context()).Release()
			})
			for _, pattern := range []string{"GET /users/{id}", "GET /orders/{id}"} {
				mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { pool.Checkout(r.Context()).Release() })
			}
			for range 20 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/batch", nil))
			}
			for route, want := range map[string]uint64{"POST /batch": 20, "GET /users/{id}": 40, "GET /orders/{id}": 40} {
				if got := count(recorder, route); got != want {
					t.Errorf("%s: %d holds of %s, want %d", name, got, route, want)
				}
			}
		}
	}
}

// Those outside see the pattern as if Middleware were not there.
func TestMiddleware_PassesThePatternBack(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	r := httptest.NewRequest("GET", "/users/1", nil)
	func() {
		defer func() { recover() }()
		httphold.Middleware(mux).ServeHTTP(httptest.NewRecorder(), r)
	}()
	if r.Pattern != "GET /users/{id}" {
		t.Errorf("outside the pattern is %q", r.Pattern)
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
	if want := "POST " + host + "/v1/users/{…}/{…}"; c.What != want {
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

type answering struct{ res *http.Response }

func (a answering) RoundTrip(*http.Request) (*http.Response, error) { return a.res, nil }

// Transports that tests and caches make leave out what net/http's always has.
// http.Client puts up with an answer without a body, and reports one that is nil.
func TestTransport_AnswersWithoutABody(t *testing.T) {
	for name, res := range map[string]*http.Response{"no body": {StatusCode: http.StatusNoContent}, "no answer": nil} {
		recorder := pghold.New(pghold.Config{})
		ctx := pghold.WithRoute(t.Context(), "r")
		c := recorder.Pool("main").Checkout(ctx)
		req, err := http.NewRequestWithContext(ctx, "GET", "http://h/", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := httphold.Transport(answering{res}).RoundTrip(req)
		if err != nil || got != res || res != nil && got.Body != nil {
			t.Errorf("%s: got %+v, %v; want what the transport inside gave", name, got, err)
		}
		if calls := recorder.Snapshot().Open[0].SlowCalls; len(calls) != 1 || calls[0].Open {
			t.Errorf("%s: %+v, want one slow call that has ended", name, calls)
		}
		c.Release()
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestTransport_Names(t *testing.T) {
	for url, want := range map[string]string{
		"http://h":                           "GET h/",
		"http://h/v1/chat/completions":       "GET h/v1/chat/completions",
		"http://h/users/42":                  "GET h/users/{…}",
		"http://h/v1/v1/v1/v1/v1/v1/v1/v1":   "GET h/v1/v1/v1/v1/v1/v1/…",
		"http://h/a/1/api/d/e/6/7/h":         "GET h/{…}/{…}/api/{…}/{…}/{…}/…",
		"http://user:password@h/x?token=y#z": "GET h/{…}",
		"http://h/v1//charges/":              "GET h/v1//charges",
	} {
		if got := named(t, url); got != want {
			t.Errorf("%s is named %q, want %q", url, got, want)
		}
	}
}

// Of a path only words that are known in public are shown. All others may be
// somebody's, or secret.
func TestTransport_NamesKeepKnownWordsOnly(t *testing.T) {
	for _, word := range []string{"v1", "v2", "v12", "v1beta", "v1beta3", "oauth2", "chat", "completions", "users", "payment_intents", ".well-known"} {
		if got := named(t, "http://h/"+word+"/embeddings"); got != "GET h/"+word+"/embeddings" {
			t.Errorf("%q is named %q, want it kept", word, got)
		}
	}
	for what, segment := range map[string]string{
		"a password":                "geheim",
		"a token of letters":        "deadbeefcafe",
		"a user":                    "alice",
		"a word":                    "charge",
		"a known one, capitalised":  "Chat",
		"a known one and more":      "chat-geheim",
		"a version and more":        "v1-geheim",
		"a version that is none":    "v123",
		"a number":                  "42",
		"one digit":                 "7",
		"a Stripe id":               "cus_NffrFeUfNVHibX",
		"an API key":                "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
		"a Slack team":              "T024BE7LD",
		"a Telegram token":          "bot123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11",
		"a UUID":                    "6f9619ff-8b86-d011-b42d-00c04fc964ff",
		"a user with a number":      "bob42",
		"an e-mail address":         "me@example.com",
		"one that was encoded":      "me%40example.com",
		"a telephone number":        "+4930123456",
		"a date":                    "2010-04-01",
		"a JWT":                     "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
		"a pass phrase":             "correct-horse-battery-staple",
		"parameters":                "x;jsessionid=abc",
		"parameters of a known one": "chat;jsessionid=abc",
		"another alphabet":          "m\u00fcller",
		"a space":                   "john%20doe",
		"only punctuation":          "-",
	} {
		if got := named(t, "http://h/v1/"+segment+"/chat"); got != "GET h/v1/{…}/chat" {
			t.Errorf("%s, %q, is named %q", what, segment, got)
		}
	}
}

// The service's own code says what may be shown, as patterns of paths.
func TestTransport_Patterns(t *testing.T) {
	patterns := []string{"GET /reset/{token}", "POST other/reset/{token}", "h/orders/{id}/lines/{$}", "/files/", "/rest/of/{path...}"}
	for url, want := range map[string]string{
		"http://h/reset/geheim":       "GET h/reset/{token}",
		"http://h:8443/reset/geheim":  "GET h:8443/reset/{token}",
		"http://h/reset/geheim/x":     "GET h/{…}/{…}/{…}",
		"http://h/orders/7/lines/":    "GET h/orders/{id}/lines/",
		"http://g/orders/7/lines/":    "GET g/orders/{…}/{…}",
		"http://h/files/geheim/x":     "GET h/files/",
		"http://h/rest/of/geheim/a/b": "GET h/rest/of/{path...}",
		"http://h/rest//of/geheim":    "GET h/rest/of/{path...}",
		"http://h/v1/geheim":          "GET h/v1/{…}",
		"http://h":                    "GET h/",
	} {
		if got := named(t, url, patterns...); got != want {
			t.Errorf("%s is named %q, want %q", url, got, want)
		}
	}
	// A mux would redirect this one to a path that it makes of the request's own.
	if got := namedBy(t, "CONNECT", "http://h/reset/geheim", "/reset/{token}/"); got != "CONNECT h/{…}/{…}" {
		t.Errorf("CONNECT is named %q", got)
	}
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "reset/{token") {
			t.Errorf("a pattern that is none: got %v, want a panic that names it", got)
		}
	}()
	httphold.Transport(nil, "reset/{token")
}

// named returns the name of a request's slow call.
func named(t *testing.T, url string, patterns ...string) string {
	t.Helper()
	return namedBy(t, "GET", url, patterns...)
}

func namedBy(t *testing.T, method, url string, patterns ...string) string {
	t.Helper()
	recorder := pghold.New(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "r")
	c := recorder.Pool("main").Checkout(ctx)
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Method = method
	refused := errors.New("refused")
	if _, err := httphold.Transport(failing{refused}, patterns...).RoundTrip(req); err != refused {
		t.Errorf("got %v, want the transport's own error", err)
	}
	c.Release()
	return recorder.Snapshot().Series[0].Worst.SlowCalls[0].What
}

type closing struct {
	http.RoundTripper
	closed int
}

func (c *closing) CloseIdleConnections() { c.closed++ }

func TestTransport_ClosesIdleConnections(t *testing.T) {
	base := &closing{}
	client := &http.Client{Transport: httphold.Transport(base)}
	client.CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("the transport inside was told %d times, want once", base.closed)
	}
	client.Transport = httphold.Transport(failing{}) // which has no such method
	client.CloseIdleConnections()
}

// A connection that was switched to another protocol is written to through the
// answer's body.
func TestTransport_SwitchedProtocol(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, stream, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		all, err := io.ReadAll(stream)
		if err != nil {
			t.Error(err)
		}
		conn.Write(all)
	}))
	defer server.Close()
	recorder := pghold.New(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	c := recorder.Pool("main").Checkout(ctx)
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	res, err := httphold.Transport(nil).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	both, ok := res.Body.(io.ReadWriteCloser)
	if res.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("answered %s with a body that is a %T, want one to write to", res.Status, res.Body)
	}
	if _, err := io.WriteString(both, "hello\n"); err != nil {
		t.Error(err)
	}
	if h := recorder.OpenHolds()[0]; len(h.SlowCalls) != 1 || !h.SlowCalls[0].Open {
		t.Errorf("while the connection is open: %+v, want one slow call that is open", h.SlowCalls)
	}
	if half, ok := both.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil { // as httputil.ReverseProxy does
		t.Error("its writing half cannot be closed alone")
	}
	if got, err := io.ReadAll(both); string(got) != "hello\n" {
		t.Errorf("read %q (%v), want what was written", got, err)
	}
	both.Close()
	if h := recorder.OpenHolds()[0]; len(h.SlowCalls) != 1 || h.SlowCalls[0].Open {
		t.Errorf("after its end: %+v, want one slow call that has ended", h.SlowCalls)
	}
	c.Release()
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

// What a pool says of those who queued, as database/sql does, is on the page.
func TestHandler_ShowsWhatPoolsSayOfTheirWaits(t *testing.T) {
	recorder := pghold.New(pghold.Config{})
	recorder.Pool("busy").SetStat(func() pghold.PoolStat {
		return pghold.PoolStat{Open: 2, Max: 2, Waits: 278, WaitTime: 745 * time.Second}
	})
	recorder.Pool("idle").SetStat(func() pghold.PoolStat { return pghold.PoolStat{Open: 1, Max: 2} })
	recorder.Pool("mute")
	page := get(t, httphold.Handler(recorder), "/debug/holds").Body.String()
	for name, want := range map[string]string{
		"busy": `<td class="n">278<td class="n">745.0 s<`,
		"idle": `<td class="n">0<td class="n">0<`,
		"mute": `<td class="n">–<td class="n">–<`,
	} {
		_, row, _ := strings.Cut(page, "<td>"+name)
		if row, _, _ = strings.Cut(row, "</tr>"); !strings.Contains(row, want) {
			t.Errorf("the row of %s is %s, want %s in it", name, row, want)
		}
	}
}

// A hold that is released while the page is made is in it: as one that is open or as
// one that is finished.
func TestHandler_AHoldThatEndsMeanwhile(t *testing.T) {
	recorder := pghold.New(pghold.Config{})
	pool := recorder.Pool("main")
	var c *pghold.Checkout                    // nil while SetStat asks
	pool.SetStat(func() (s pghold.PoolStat) { // the snapshot asks when it has looked at the holds
		if c != nil {
			c.Release()
		}
		return s
	})
	c = pool.Checkout(pghold.WithRoute(t.Context(), "GET /"))
	s, err := pghold.ReadSnapshot(get(t, httphold.Handler(recorder), "/debug/holds?format=json").Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Open) + len(s.Series); n != 1 {
		t.Errorf("the hold is seen %d times, want once: open %+v, finished %+v", n, s.Open, s.Series)
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

// A handler ends its answer with http.ErrAbortHandler, as httputil.ReverseProxy does,
// or its goroutine: neither is a panic.
func TestMiddleware_WhatIsNoPanic(t *testing.T) {
	for name, end := range map[string]func(){
		"ErrAbortHandler": func() { panic(http.ErrAbortHandler) },
		"Goexit":          runtime.Goexit,
	} {
		recorder := pghold.New(pghold.Config{})
		h := httphold.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer recorder.Pool("main").Checkout(r.Context()).Release()
			end()
		}))
		var seen any
		returned := false
		var server sync.WaitGroup
		server.Go(func() {
			defer func() { seen = recover() }()
			get(t, h, "/")
			returned = true
		})
		server.Wait()
		if returned || name == "ErrAbortHandler" && seen != http.ErrAbortHandler || name == "Goexit" && seen != nil {
			t.Errorf("%s: the server sees %v (returned: %v), want what the handler did", name, seen, returned)
		}
		if s := recorder.Snapshot(); len(s.Series) != 1 || s.Series[0].Panics != 0 || s.Series[0].Worst.Panicked {
			t.Errorf("%s: got %+v, want a hold that is not marked", name, s.Series[0])
		}
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
