package httphold_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
	recorder := pghold.NewRecorder(pghold.Config{})
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
	recorder := pghold.NewRecorder(pghold.Config{})
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
	recorder := pghold.NewRecorder(pghold.Config{})
	pool := recorder.Pool("main")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		call := pghold.StartSlowCall(r.Context(), "sleep")
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
			recorder := pghold.NewRecorder(pghold.Config{})
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

func TestHandler(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
	h := httphold.Handler(recorder)
	if body := get(t, h, "/debug/holds").Body.String(); !strings.Contains(body, "No connection is held") || !strings.Contains(body, "No hold has ended") {
		t.Errorf("with nothing recorded the page says:\n%s", body)
	}

	const hostile = `<script>alert("x")</script>`
	ctx := pghold.WithRoute(t.Context(), hostile)
	c := recorder.Pool(hostile).Checkout(ctx)
	call := pghold.StartSlowCall(ctx, hostile)
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
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST is answered %d", w.Code)
	}
}

func TestHandler_FiguresOfASeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder := pghold.NewRecorder(pghold.Config{})
		c := recorder.Pool("main").Checkout(t.Context())
		c.BeginStatement()
		time.Sleep(time.Second)
		c.EndStatement(true)
		time.Sleep(3 * time.Second)
		c.Release()
		page := get(t, httphold.Handler(recorder), "/debug/holds").Body.String()
		var figures []string
		_, page, _ = strings.Cut(page, "<h2>Finished")
		for _, cell := range strings.Split(page, `<td class="n"`)[1:] {
			_, cell, _ = strings.Cut(cell, ">")
			figure, _, _ := strings.Cut(cell, "<")
			figures = append(figures, strings.TrimSpace(figure))
		}
		if got := strings.Join(figures, ", "); !strings.HasSuffix(got, "1, 4.0 s, 4.0 s, 25.0 %, 3.0 s, 3.0 s") {
			t.Errorf("the figures are %s, in\n%s", got, page)
		}
	})
}

// What a pool says of those who queued, as database/sql does, is on the page.
func TestHandler_ShowsWhatPoolsSayOfTheirWaits(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
	recorder.Pool("busy").SetStat(func() pghold.PoolStat {
		return pghold.PoolStat{Open: 2, Max: 2, Waits: 278, WaitTime: 745 * time.Second}
	})
	recorder.Pool("idle").SetStat(func() pghold.PoolStat { return pghold.PoolStat{Open: 1, Max: 2} })
	recorder.Pool("mute")
	page := get(t, httphold.Handler(recorder), "/debug/holds").Body.String()
	for name, want := range map[string]string{
		"busy": `data-of="waits">278<td class="n" data-of="total time of finished waits">745.0 s<`,
		"idle": `data-of="waits">0<td class="n" data-of="total time of finished waits">0<`,
		"mute": `data-of="waits">–<td class="n" data-of="total time of finished waits">–<`,
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
	recorder := pghold.NewRecorder(pghold.Config{})
	pool := recorder.Pool("main")
	var held atomic.Pointer[pghold.Checkout]  // nil while SetStat asks
	pool.SetStat(func() (s pghold.PoolStat) { // the snapshot asks when it has looked at the holds
		if c := held.Load(); c != nil {
			c.Release()
		}
		return s
	})
	held.Store(pool.Checkout(pghold.WithRoute(t.Context(), "GET /")))
	s, err := pghold.ReadSnapshot(get(t, httphold.Handler(recorder), "/debug/holds?format=json").Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Open) + len(s.Series); n != 1 {
		t.Errorf("the hold is seen %d times, want once: open %+v, finished %+v", n, s.Open, s.Series)
	}
}

// A handler that is stuck in what Transport does not see is found by its stack.
func TestHandler_ShowsWhereItIsStuck(t *testing.T) { synctest.Test(t, handlerShowsWhereItIsStuck) }

func handlerShowsWhereItIsStuck(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{StuckAfter: time.Nanosecond})
	release := make(chan struct{})
	defer close(release)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stuck/{id}", func(w http.ResponseWriter, r *http.Request) {
		defer recorder.Pool("main").Checkout(r.Context()).Release()
		<-release
	})
	go get(t, httphold.Middleware(mux), "/stuck/1")
	synctest.Wait()
	time.Sleep(time.Nanosecond)
	h := httphold.Handler(recorder)
	page := get(t, h, "/debug/holds").Body.String()
	// The innermost frame is the handler's own, at its last line but one.
	for _, want := range []string{"httphold_test.handlerShowsWhereItIsStuck.func1 at httphold_test.go:", "<summary>stack</summary>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
	s, err := pghold.ReadSnapshot(get(t, h, "/debug/holds?format=json").Body.Bytes())
	if err != nil || len(s.Open) != 1 || s.Open[0].Stack == nil || s.Open[0].Route != "GET /stuck/{id}" {
		t.Errorf("as JSON: %v, %+v", err, s)
	}
}

func TestMiddleware_APanicIsMarkedAndGoesOn(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
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
		recorder := pghold.NewRecorder(pghold.Config{})
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
