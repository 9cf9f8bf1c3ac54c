package sqlhold_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
)

// A handler that makes a slow call while it holds a connection empties a pool of two: who
// waits meanwhile is told by the routes, on the page and in the log, though their requests
// have taken no connection yet.
func TestDB_WaitersByRoute(t *testing.T) {
	authenticate := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), t, "me")))
		})
	}
	for name, around := range map[string]func(http.Handler) http.Handler{
		"next to the mux": httphold.Middleware,
		"twice": func(mux http.Handler) http.Handler {
			return httphold.Middleware(authenticate(httphold.Middleware(mux)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { dbWaitersByRoute(t, around) })
		})
	}
}

func dbWaitersByRoute(t *testing.T, around func(http.Handler) http.Handler) {
	told := make(chan pghold.Shortage, 100)
	r := pghold.NewRecorder(pghold.Config{OnShortage: func(s pghold.Shortage) { told <- s }})
	db := inMemory(t, r)
	db.SetMaxOpenConns(2)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /checkout", func(_ http.ResponseWriter, req *http.Request) {
		tx, err := db.BeginTx(req.Context(), nil)
		must(t, err)
		time.Sleep(30 * time.Second) // the slow call
		must(t, tx.Rollback())
	})
	ping := func(_ http.ResponseWriter, req *http.Request) { must(t, db.PingContext(req.Context())) }
	mux.HandleFunc("GET /orders/{id}", ping)
	mux.HandleFunc("GET /users/{id}", ping)
	h := around(mux)
	var all sync.WaitGroup
	send := func(n int, method, path string) {
		for range n {
			all.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil)) })
		}
	}
	send(2, "POST", "/checkout")
	time.Sleep(2 * roundTrip)
	send(3, "GET", "/orders/1")
	send(2, "GET", "/users/1")
	time.Sleep(10 * time.Second)

	w := r.SnapshotWithStacks().Waiters
	if len(w) != 2 || w[0].Route != "GET /orders/{id}" || w[0].Count != 3 || w[1].Route != "GET /users/{id}" || w[1].Count != 2 {
		t.Errorf("seen to wait are %+v", w)
	}
	for _, w := range w {
		if w.Pool != "main" || !w.Seen.Equal(time.Now()) || w.Longest < 7*time.Second || w.Longest > 10*time.Second {
			t.Errorf("of %s it is said %+v, want that it was seen now, and has waited for most of 10 s", w.Route, w)
		}
	}
	page := httptest.NewRecorder()
	httphold.Handler(r).ServeHTTP(page, httptest.NewRequest("GET", "/debug/holds", nil))
	for _, want := range []string{
		`GET /orders/{id}<br><small>main, seen in a sample</small><td class="n" data-of="callers">3 seen<td class="n" data-of="the longest">at least `,
		`GET /users/{id}<br><small>main, seen in a sample</small><td class="n" data-of="callers">2 seen`,
	} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("the page does not say %q:\n%s", want, page.Body)
		}
	}
	if s := <-told; len(s.Waiters) != 2 || s.Waiters[0].Route != "GET /orders/{id}" || s.Waiters[0].Count != 3 {
		t.Errorf("told of %+v, want those who wait", s)
	}
	all.Wait()
	if w := r.SnapshotWithStacks().Waiters; len(w) != 0 {
		t.Errorf("nobody waits, and seen to wait are %+v", w)
	}
}
