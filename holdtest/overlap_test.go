package holdtest_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
)

// A call that only ran beside statements is not found; one that was under way at the
// checkout, and went on in silence, is.
func TestFind_CallsOverlapSilence(t *testing.T) {
	for name, test := range map[string]struct {
		before, busy, silent time.Duration
		want                 int
	}{
		"beside a statement":  {0, 50 * time.Millisecond, time.Microsecond, 0},
		"begun before a hold": {time.Second, time.Millisecond, time.Second, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := pghold.NewRecorder(pghold.Config{})
			ctx := pghold.WithRoute(t.Context(), "POST /chat")
			call := pghold.StartSlowCall(ctx, slow)
			time.Sleep(test.before)
			c := r.Pool("main").Checkout(ctx)
			c.BeginStatement()
			time.Sleep(test.busy)
			c.EndStatement(true)
			time.Sleep(test.silent)
			call.End()
			c.Release()
			found := holdtest.Find(r.Snapshot(), holdtest.Rules{})
			if len(found) != test.want || test.want == 1 && (found[0].Call != slow || found[0].Longest != test.silent) {
				t.Errorf("%s: found %v, want %d of %v", name, found, test.want, test.silent)
			}
		})
	}
}

// Of a gap that nobody told of, the finding says where it was spent.
func TestFind_SaysWhereAGapWasSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := pghold.NewRecorder(pghold.Config{})
		pghold.Do(t.Context(), "POST /chat", func(ctx context.Context) {
			defer r.Pool("main").Checkout(ctx).Release()
			time.Sleep(2 * time.Second)
		})
		found := holdtest.Find(r.Snapshot(), holdtest.Rules{})
		if len(found) != 1 || !strings.Contains(found[0].String(), "once, for 2s, mostly in time.Sleep ← overlap_test.go:") {
			t.Errorf("found %v, want one that says where", found)
		}
	})
}
