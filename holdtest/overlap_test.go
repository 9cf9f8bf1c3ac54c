package holdtest_test

import (
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
