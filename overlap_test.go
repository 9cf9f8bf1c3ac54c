package pghold

import (
	"testing"
	"testing/synctest"
	"time"
)

// What counts of a slow call is the time in which it overlaps the hold's silence, from
// the checkout on.
func TestSlowCalls_CountWhereTheyOverlapSilence(t *testing.T) {
	statement := func(c *Checkout, d time.Duration) {
		c.BeginStatement()
		time.Sleep(d)
		c.EndStatement(true)
	}
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		before bool // it begins before the checkout
		in     func(*Checkout, func())
		want   time.Duration // of the call; -1 where it is not the hold's
		gap    string        // the name of the first gap that is long
	}{
		"a stream that was opened before": {true, func(c *Checkout, end func()) {
			for range 10 {
				time.Sleep(99 * ms)
				statement(c, ms)
			}
			end()
		}, 990 * ms, "x"},
		"beside a statement, and 1 µs of silence": {false, func(c *Checkout, end func()) {
			statement(c, 50*ms)
			time.Sleep(time.Microsecond)
			end()
		}, -1, ""},
		"beside a statement only": {false, func(c *Checkout, end func()) {
			c.BeginStatement()
			time.Sleep(50 * ms)
			end()
			c.EndStatement(true)
		}, -1, ""},
		"one that takes no time, in silence": {false, func(c *Checkout, end func()) {
			end()
			statement(c, 50*ms)
		}, 0, ""},
		"ended at the checkout": {true, func(c *Checkout, end func()) {
			end()
			statement(c, 50*ms)
		}, -1, ""},
		"a fast one in silence": {false, func(c *Checkout, end func()) {
			time.Sleep(time.Microsecond)
			end()
			statement(c, 50*ms)
		}, time.Microsecond, ""},
		"never ended": {true, func(c *Checkout, end func()) {
			time.Sleep(2 * ms)
			statement(c, 50*ms)
			time.Sleep(3 * ms)
		}, 5 * ms, "x"},
		"ended before the checkout": {true, nil, -1, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := NewRecorder(Config{})
			ctx := WithRoute(t.Context(), "GET /")
			var call Call
			if test.before {
				call = StartSlowCall(ctx, "x")
				time.Sleep(time.Second)
			}
			if test.in == nil {
				call.End()
			}
			c := r.Pool("main").Checkout(ctx)
			if !test.before {
				call = StartSlowCall(ctx, "x")
			}
			if test.in != nil {
				test.in(c, func() { call.End() })
			}
			if open := r.Snapshot().Open[0].SlowCalls; test.want < 0 && len(open) > 0 || test.want >= 0 && (len(open) != 1 || open[0].Duration != test.want) {
				t.Errorf("%s: while it is open it has %+v, want %v", name, open, test.want)
			}
			c.Release()
			call.End()
			s := r.Snapshot().Series[0]
			if calls := s.SlowCalls; test.want < 0 && len(calls) > 0 || test.want >= 0 && (len(calls) != 1 || calls[0].Duration != test.want) {
				t.Errorf("%s: it has %+v, want %v", name, calls, test.want)
			}
			if len(s.Gaps) > 0 && s.Gaps[0].SlowCall != test.gap {
				t.Errorf("%s: the gap is %+v, want it to be of %q", name, s.Gaps[0], test.gap)
			}
			if n := len(scopeOf(ctx).calls); n != 0 {
				t.Errorf("%s: %d calls are kept that have ended", name, n)
			}
		})
	}
}

// In a test's own time a call may take none: then it is not the hold's where a statement
// ran.
func TestSlowCalls_ThatTakeNoTimeBesideAStatement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder(Config{})
		ctx := WithRoute(t.Context(), "GET /")
		c := r.Pool("main").Checkout(ctx)
		c.BeginStatement()
		time.Sleep(time.Second)
		StartSlowCall(ctx, "x").End()
		time.Sleep(time.Second)
		c.EndStatement(true)
		c.Release()
		if calls := r.Snapshot().Series[0].SlowCalls; len(calls) > 0 {
			t.Errorf("got %+v, want none", calls)
		}
	})
}
