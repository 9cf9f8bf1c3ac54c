package httphold_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
)

// A middleware may take a connection in a goroutine of its own while the mux writes
// the pattern into the request. The race detector says whether both touch it.
func TestMiddleware_AGoroutineThatTheMuxDoesNotWaitFor(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
	pool := recorder.Pool("main")
	var audited sync.WaitGroup
	audit := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			audited.Go(func() { pool.Checkout(ctx).Release() })
			next.ServeHTTP(w, r)
		})
	}
	mux := http.NewServeMux()
	// The handler takes no lock before the goroutine has ended: a lock would order the two.
	mux.HandleFunc("GET /users/{id}", func(http.ResponseWriter, *http.Request) { audited.Wait() })
	get(t, httphold.Middleware(audit(mux)), "/users/1")
	if count(recorder, httphold.NoPattern) != 1 {
		t.Errorf("the goroutine's hold is not under NoPattern: %+v", recorder.Snapshot().Series)
	}
}

// A middleware that copies the request says so, and the route has the pattern while the
// handler runs.
func TestFollow(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(_ http.ResponseWriter, r *http.Request) {
		done := make(chan struct{})
		go func() { // where the mux's own request may not be read
			defer close(done)
			recorder.Pool("main").Checkout(r.Context()).Release()
		}()
		<-done
	})
	for name, follow := range map[string]bool{"GET /users/{id}": true, httphold.NoPattern: false} {
		copies := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inner := r.Clone(r.Context())
			if follow {
				httphold.Follow(mux, inner)
			}
			mux.ServeHTTP(w, inner)
		})
		httphold.Middleware(copies).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/users/1", nil))
		s := recorder.Snapshot().Series
		if !slices.ContainsFunc(s, func(s *pghold.Series) bool { return s.Route == name }) {
			t.Errorf("no hold has the route %q", name)
		}
	}
	httphold.Follow(mux, httptest.NewRequest("GET", "/", nil)) // nobody is outside
}

// Next to the mux, Middleware knows the pattern before any goroutine can ask for it.
// Elsewhere the request's own goroutine does.
func TestMiddleware_WhoKnowsThePattern(t *testing.T) {
	logged := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
	}
	for name, c := range map[string]struct {
		around func(mux http.Handler) http.Handler
		fanned string // the route of what goroutines of the handler take
	}{
		"next to the mux":            {httphold.Middleware, "GET /api/users/{id}"},
		"around the mux of a mux":    {func(mux http.Handler) http.Handler { return httphold.Middleware(below("/", mux)) }, "GET /api/users/{id}"},
		"around a logger":            {func(mux http.Handler) http.Handler { return httphold.Middleware(logged(mux)) }, httphold.NoPattern},
		"on both sides of a logger":  {func(mux http.Handler) http.Handler { return httphold.Middleware(logged(httphold.Middleware(mux))) }, "GET /api/users/{id}"},
		"around a logger in a mux":   {func(mux http.Handler) http.Handler { return httphold.Middleware(below("/api/", logged(mux))) }, "/api/"},
		"around one with a wildcard": {func(mux http.Handler) http.Handler { return httphold.Middleware(below("/{rest...}", logged(mux))) }, "/{rest...}"},
	} {
		for _, first := range []string{"goroutines", "its own"} {
			recorder := pghold.NewRecorder(pghold.Config{})
			pool := recorder.Pool("main")
			mux := http.NewServeMux()
			mux.HandleFunc("GET /api/users/{id}", func(w http.ResponseWriter, r *http.Request) {
				fan := func(ctx context.Context) {
					var all sync.WaitGroup
					for range 2 {
						all.Go(func() { pool.Checkout(ctx).Release() })
					}
					all.Wait()
				}
				if first == "goroutines" {
					fan(r.Context())
				}
				pool.Checkout(r.Context()).Release()
				if first == "its own" {
					fan(r.Context())
				}
			})
			get(t, c.around(mux), "/api/users/1")
			const route = "GET /api/users/{id}"
			want := map[string]uint64{route: 1}
			if first == "goroutines" {
				want[c.fanned] += 2
			} else { // they know what the handler's own goroutine has seen
				want[route] += 2
			}
			for route, n := range want {
				if got := count(recorder, route); got != n {
					t.Errorf("%s, %s first: %d holds of %q, want %d: %+v", name, first, got, route, n, recorder.Snapshot().Series)
				}
			}
		}
	}
}

// below is a mux that has h under a pattern.
func below(pattern string, h http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle(pattern, h)
	return mux
}

// Who names routes is asked in the request's own goroutine alone; others have what was
// said last.
func TestOptions_Route(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
	pool := recorder.Pool("main")
	route := "" // of the request, as a router may write it
	options := httphold.Options{Route: func(r *http.Request) string {
		if r.URL.Path != "/a" {
			t.Errorf("it is asked for %s", r.URL.Path)
		}
		return route
	}}
	handler := options.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		pool.Checkout(r.Context()).Release() // (no pattern)
		route = "GET /first"
		pool.Checkout(r.Context()).Release()
		route = "GET /second"
		done := make(chan struct{})
		go func() {
			defer close(done)
			pool.Checkout(r.Context()).Release() // GET /first
		}()
		<-done
		pool.Checkout(r.Context()).Release()
		pghold.SetRoute(r.Context(), "GET /third")
		pool.Checkout(r.Context()).Release()
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/a", nil))
	got := map[string]uint64{}
	for _, s := range recorder.Snapshot().Series {
		got[s.Route] += s.Held.Count()
	}
	want := map[string]uint64{httphold.NoPattern: 1, "GET /first": 2, "GET /second": 1, "GET /third": 1}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Where no context was passed on, the handler on the stack names the route: not the
// middleware outside of it, nor the helper that it calls.
func TestMiddleware_NamesTheHandlerWhereNoContextIsPassedOn(t *testing.T) {
	recorder := pghold.NewRecorder(pghold.Config{})
	pool := recorder.Pool("main")
	s := &withoutContexts{pool}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders", s.orders)
	mux.Handle("GET /users", http.HandlerFunc(s.users))
	mux.HandleFunc("GET /closure", func(http.ResponseWriter, *http.Request) { s.query() })
	logged := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
	}
	h := httphold.Middleware(logged(mux))
	get(t, h, "/orders")
	get(t, h, "/users")
	get(t, h, "/closure")
	s.query() // outside of any request
	var routes []string
	for _, s := range recorder.Snapshot().Series {
		routes = append(routes, s.Route)
	}
	slices.Sort(routes)
	const p = "httphold_test."
	want := []string{"", p + "(*withoutContexts).orders", p + "(*withoutContexts).users", p + "TestMiddleware_NamesTheHandlerWhereNoContextIsPassedOn"}
	if !slices.Equal(routes, want) {
		t.Errorf("the routes are %q, want %q", routes, want)
	}
}

type withoutContexts struct{ pool *pghold.Pool }

func (s *withoutContexts) orders(http.ResponseWriter, *http.Request) { s.query() }
func (s *withoutContexts) users(http.ResponseWriter, *http.Request)  { s.query() }

//go:noinline
func (s *withoutContexts) query() { s.pool.Checkout(context.Background()).Release() }
