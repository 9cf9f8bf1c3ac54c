package pghold_test

import (
	"context"
	"testing"

	"github.com/pghold/pghold"
)

// The route that is set counts for holds that are open, and for those that follow; one
// that was over keeps what it had.
func TestSetRoute(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	pool := r.Pool("main")
	pghold.Do(t.Context(), "unknown", func(ctx context.Context) {
		pool.Checkout(ctx).Release()
		open := pool.Checkout(ctx)
		pghold.SetRoute(ctx, "GET /first")
		pghold.SetRoute(ctx, "GET /users/{id}")
		if got := r.Snapshot().Open[0].Route; got != "GET /users/{id}" {
			t.Errorf("the open hold is of %q", got)
		}
		open.Release()
		pghold.SetRoute(ctx, "GET /users/{id}")
		pool.Checkout(ctx).Release()
	})
	pghold.SetRoute(t.Context(), "nobody's")
	pool.Checkout(t.Context()).Release()
	got := map[string]uint64{}
	for _, s := range r.Snapshot().Series {
		got[s.Route] += s.Held.Count()
	}
	if len(got) != 3 || got["unknown"] != 1 || got["GET /users/{id}"] != 2 || got[""] != 1 {
		t.Errorf("got %v, want one hold of unknown, two of GET /users/{id} and one of nothing", got)
	}
}
