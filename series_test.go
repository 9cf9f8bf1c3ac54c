package pghold_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// A gap is counted by its place and by the slow call that filled it.
func TestSeries_Gaps(t *testing.T) { synctest.Test(t, seriesGaps) }

func seriesGaps(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	const d = 2 * time.Millisecond
	for range 3 {
		c := r.Pool("main").Checkout(ctx)
		c.BeginStatement()
		c.EndStatement(true)
		call := pghold.StartSlowCall(ctx, "sleep")
		time.Sleep(10 * d)
		call.End()
		c.BeginStatement()
		c.EndStatement(false)
		time.Sleep(d)
		c.Release()
	}
	gaps := only(t, r).Gaps
	if len(gaps) != 2 {
		t.Fatalf("%d places, want two: %+v", len(gaps), gaps)
	}
	sleep, rest := gaps[0], gaps[1]
	if sleep.SlowCall != "sleep" || sleep.Count != 3 || !sleep.InTransaction || sleep.Duration != 30*d || sleep.Longest != 10*d ||
		sleep.Before.Line-sleep.After.Line != 5 {
		t.Errorf("the first is %+v, want three in the sleep", sleep)
	}
	if rest.SlowCall != "" || rest.Count != 3 || rest.InTransaction || rest.Duration != 3*d || rest.Longest != d || rest.Before != (pghold.Site{}) || rest.After != sleep.Before {
		t.Errorf("the second is %+v, want three up to the release", rest)
	}
}

// Of many gaps in one hold, the longest are kept one by one and the others counted.
func TestSeries_GapsAreBounded(t *testing.T) { synctest.Test(t, seriesGapsAreBounded) }

func seriesGapsAreBounded(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	c := r.Pool("main").Checkout(t.Context())
	const n = 20
	for i := range n {
		c.BeginStatement()
		c.EndStatement(true)
		time.Sleep(time.Millisecond)
		if i == n/2 {
			time.Sleep(20 * time.Millisecond)
		}
	}
	c.Release()
	s := only(t, r)
	var count uint64
	var sum, longest time.Duration
	for _, g := range s.Gaps {
		count += g.Count
		sum += g.Duration
		if g.After != (pghold.Site{}) {
			longest = max(longest, g.Longest)
		}
	}
	if count != n || sum != 40*time.Millisecond || s.Silent.Sum() != sum || longest != 21*time.Millisecond {
		t.Errorf("%d gaps of %v, the longest that was kept of %v; want %d of 40 ms, which is the silence (%v), and one of 21 ms", count, sum, longest, n, s.Silent.Sum())
	}
}
