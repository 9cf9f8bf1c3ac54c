package pghold

import (
	"sync"
	"sync/atomic"
	"testing"
)

// A hold is in the series or among the open, and not in both, whenever a snapshot is
// taken.
func TestSnapshot_HasEachHoldOnce(t *testing.T) {
	r := NewRecorder(Config{})
	const rounds, each = 100, 200
	for round := range rounds {
		held := make([]*Checkout, each)
		for i := range held {
			held[i] = r.Pool("main").Checkout(t.Context())
		}
		var done atomic.Bool
		var work sync.WaitGroup
		work.Go(func() {
			for _, c := range held {
				c.Release()
			}
			done.Store(true)
		})
		for last := false; !last; {
			last = done.Load()
			s := r.Snapshot()
			n := len(s.Open)
			for _, series := range s.Series {
				n += int(series.Held.Count())
			}
			if want := (round + 1) * each; n != want {
				t.Fatalf("a snapshot has %d holds, of %d", n, want)
			}
		}
		work.Wait()
	}
}
