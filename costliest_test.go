package pghold_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// What costs most has its name, however many short calls with other names came first.
func TestSeries_TheCostliestSlowCallsKeepTheirNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, holds := range map[string]int{"in one hold": 1, "in many": 600} {
			r := pghold.NewRecorder(pghold.Config{})
			call := func(ctx context.Context, what string, d time.Duration) {
				call := pghold.StartSlowCall(ctx, what)
				time.Sleep(d)
				call.End()
			}
			for i := range holds {
				ctx := pghold.WithRoute(t.Context(), "GET /")
				c := r.Pool("main").Checkout(ctx)
				for j := range 600 / holds {
					call(ctx, fmt.Sprintf("GET odd-%d.example.com/", 600/holds*i+j), time.Millisecond)
				}
				if i == holds-1 {
					call(ctx, "POST api.example.com/v1/charges", 405*time.Millisecond)
				}
				c.Release()
			}
			var count uint64
			var sum time.Duration
			series := r.Snapshot().Series[0]
			for _, c := range series.SlowCalls {
				count += c.Count
				sum += c.Duration
				if c.Missed > 2*1005*time.Millisecond/32 {
					t.Errorf("%s: %s may have missed %v, which is more than two equal shares", name, c.What, c.Missed)
				}
			}
			if c := series.SlowCalls[1]; c.What != "POST api.example.com/v1/charges" || c.Count != 1 || c.Duration != 405*time.Millisecond || c.Missed == 0 && holds > 1 {
				t.Errorf("%s: the second is %+v, want the real one, after (other)", name, c)
			}
			if len(series.SlowCalls) != 33 || count != 601 || sum != 1005*time.Millisecond {
				t.Errorf("%s: %d names, %d calls of %v, want 32 and (other), 601 of 1.005 s", name, len(series.SlowCalls), count, sum)
			}
		}
	})
}

// And so have the routes, though they take each other's place.
func TestRecorder_TheCostliestSeriesKeepTheirNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := pghold.NewRecorder(pghold.Config{MaxSeries: 16})
		hold := func(route string, d time.Duration) {
			pghold.Do(t.Context(), route, func(ctx context.Context) {
				c := r.Pool("main").Checkout(ctx)
				time.Sleep(d)
				c.Release()
			})
		}
		// Whichever part of the recorder a hold is in, all of these come before the last.
		for i := range 2000 {
			hold(fmt.Sprintf("GET /%d", i), time.Millisecond)
		}
		const real = 50
		for range real {
			hold("POST /checkout", time.Second)
		}
		s := r.Snapshot()
		var count uint64
		var silent time.Duration
		for _, series := range s.Series {
			count += series.Held.Count()
			silent += series.Silent.Sum()
		}
		if len(s.Series) != 17 || count != 2000+real || silent != 52*time.Second {
			t.Errorf("%d series have %d holds that were silent for %v, want 16 and (other), %d, 52 s", len(s.Series), count, silent, 2000+real)
		}
		if top := s.Series[0]; top.Route != "POST /checkout" || top.Held.Count() != real || top.Missed == 0 || top.Missed > 2*time.Second {
			t.Errorf("the costliest is %s with %d holds, which may have missed %v", top.Route, top.Held.Count(), top.Missed)
		}
		if s.FoldedHolds != 2000-15 {
			t.Errorf("%d holds were folded, want all but 15 of the short ones", s.FoldedHolds)
		}
	})
}

// A panic that is known only after the series has given way is counted where that went.
func TestRecorder_PanicInASeriesThatGaveWay(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{MaxSeries: 1})
	func() {
		defer func() { recover() }()
		pghold.Do(t.Context(), "GET /panics", func(ctx context.Context) {
			r.Pool("main").Checkout(ctx).Release()
			for range 100 { // in all parts of the recorder
				r.Pool("main").Checkout(pghold.WithRoute(context.Background(), "GET /other")).Release()
			}
			panic("after all")
		})
	}()
	var panics uint64
	s := r.Snapshot()
	for _, series := range s.Series {
		panics += series.Panics
	}
	if panics != 1 {
		t.Errorf("%d panics were counted, want 1, in %d series", panics, len(s.Series))
	}
}
