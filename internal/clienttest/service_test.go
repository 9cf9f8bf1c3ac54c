// Package clienttest holds the recipes for clients of other services, for loggers, for an
// application's own layer over its database and for jobs, as docs/recipes.md quotes them,
// with the libraries that they are for. It has no code of its own beside dbx, which one of
// them needs.
package clienttest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
	"github.com/pghold/pghold/httphold"
)

// told is a test that is failed, and goes on.
type told struct {
	testing.TB
	errors []string
}

func (t *told) Helper()             {}
func (t *told) Logf(string, ...any) {}
func (t *told) Errorf(format string, args ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, args...))
}

// holdtestErrors is what holdtest says of a route, in what a recorder has seen.
func holdtestErrors(t *testing.T, r *pghold.Recorder, route string) []string {
	looked := &told{TB: t}
	holdtest.Fail(looked, r, holdtest.Rules{MaxGap: time.Hour})
	return slices.DeleteFunc(looked.errors, func(e string) bool { return !strings.HasPrefix(e, route+" holds a connection of main") })
}

// slowCallsIn are the slow calls in the holds of a route, each with the function of the
// application that made it: "GET api.example.com/ in (*app).ask".
func slowCallsIn(r *pghold.Recorder, route string) (holds uint64, calls []string) {
	for _, series := range r.Snapshot().Series {
		if series.Route != route {
			continue
		}
		holds += series.Held.Count()
		for _, call := range series.SlowCalls {
			calls = append(calls, call.What+" in "+inPackage(call.Site.Func))
		}
	}
	slices.Sort(calls)
	return holds, calls
}

// inPackage is a function's name without the path of this package.
func inPackage(function string) string {
	return strings.TrimLeft(strings.TrimPrefix(function, "github.com/pghold/pghold/internal/clienttest"), "./")
}

// testSlowCalls serves two routes that make the same calls, one with a connection and one
// that has released it, and wants the calls of the first to be found.
func testSlowCalls(t *testing.T, r *pghold.Recorder, name string, calls func(context.Context) error, want ...string) {
	t.Helper()
	pool := r.Pool("main")
	mux := http.NewServeMux()
	serve := func(route string, handler func(context.Context) error) {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			if err := handler(r.Context()); err != nil {
				t.Errorf("%s: %v", route, err)
			}
		})
		method, path, _ := strings.Cut(route, " ")
		httphold.Middleware(mux).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
	}
	bad, good := "GET /"+name+"/bad", "GET /"+name+"/good"
	serve(bad, func(ctx context.Context) error {
		defer pool.Checkout(ctx).Release()
		err := calls(ctx)
		for _, hold := range r.Snapshot().Open {
			if i := slices.IndexFunc(hold.SlowCalls, func(c pghold.SlowCall) bool { return c.Open }); i >= 0 {
				t.Errorf("%s has not ended in %s", hold.SlowCalls[i].What, bad)
			}
		}
		return err
	})
	serve(good, func(ctx context.Context) error {
		pool.Checkout(ctx).Release()
		return calls(ctx)
	})
	slices.Sort(want)
	if holds, got := slowCallsIn(r, bad); holds != 1 || !slices.Equal(got, want) {
		t.Errorf("%s has %d holds with the slow calls %q, want 1 with %q", bad, holds, got, want)
	}
	if errors := holdtestErrors(t, r, bad); len(errors) != len(want) {
		t.Errorf("holdtest says %q of %s, want an error for each of %q", errors, bad, want)
	}
	if holds, got := slowCallsIn(r, good); holds != 1 || len(got) != 0 {
		t.Errorf("%s has %d holds with the slow calls %q, want 1 without any", good, holds, got)
	}
	if errors := holdtestErrors(t, r, good); len(errors) != 0 {
		t.Errorf("holdtest says %q of %s", errors, good)
	}
}

// serve is another service, and its host.
func serve(t *testing.T, handler http.HandlerFunc) (url, host string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL, strings.TrimPrefix(s.URL, "http://")
}
