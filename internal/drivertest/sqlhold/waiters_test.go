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

// A connection that is handed over again and again, among goroutines of a logger that have
// no context, is nothing to those who wait on, however often they are looked at. database/sql
// serves whom it likes, so there are many of the ones and few of the others.
func TestDB_WaitersAreWaitingThroughAHandover(t *testing.T) {
	synctest.Test(t, dbWaitersAreWaitingThroughAHandover)
}

func dbWaitersAreWaitingThroughAHandover(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{OnShortage: func(pghold.Shortage) {}})
	db := inMemory(t, r)
	db.SetMaxOpenConns(4)
	var all sync.WaitGroup
	hold := func(ctx context.Context, d time.Duration) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			t.Error(err)
			return
		}
		time.Sleep(d)
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
	for i := range 4 {
		all.Go(func() {
			pghold.Do(t.Context(), "POST /checkout", func(ctx context.Context) {
				d := 100 * time.Second
				if i == 0 {
					d = 5 * time.Second
				}
				hold(ctx, d)
			})
		})
	}
	time.Sleep(2 * roundTrip)
	for _, route := range []string{"GET /orders/{id}", "GET /users/{id}"} {
		all.Go(func() {
			pghold.Do(t.Context(), route, func(ctx context.Context) {
				for range 20 {
					all.Go(func() { writeLog(hold) })
				}
				hold(ctx, 0)
			})
		})
	}
	synctest.Wait()
	began := time.Now()
	var handed int
	for time.Since(began) < 50*time.Second {
		s := r.SnapshotWithStacks()
		for _, w := range s.Waiters {
			switch at := w.Seen.Sub(began); {
			case w.Route == "" && w.At == (pghold.Site{}):
				t.Errorf("%d wait without a route and a line", w.Count)
			case w.Route != "" && w.Longest != at:
				t.Errorf("%v after it began to wait %s is said to wait for %v", at, w.Route, w.Longest)
			}
		}
		handed = int(s.Pools[0].Checkouts)
		time.Sleep(110 * time.Millisecond)
	}
	if handed < 15 {
		t.Errorf("there were %d checkouts: the test is about nothing", handed)
	}
	all.Wait()
}

//go:noinline
func writeLog(hold func(context.Context, time.Duration)) {
	hold(context.Background(), 200*time.Millisecond)
}
