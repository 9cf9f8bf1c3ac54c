package pghold

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func charge(ctx context.Context, what string, d time.Duration) {
	call := StartSlowCall(ctx, what)
	time.Sleep(d)
	call.End()
}

// Of a hold's slow calls the longest are kept, and no time of the others is lost.
func TestSlowCalls_TheLongestAreKept(t *testing.T) { synctest.Test(t, slowCallsTheLongestAreKept) }

func slowCallsTheLongestAreKept(t *testing.T) {
	r := NewRecorder(Config{})
	ctx := WithRoute(t.Context(), "GET /")
	c := r.Pool("main").Checkout(ctx)
	for i := range 8 {
		charge(ctx, fmt.Sprintf("GET %d", i), time.Second)
	}
	charge(ctx, "GET ninth", 300*time.Second)
	for range 20 {
		charge(ctx, "GET ninth", 200*time.Second)
	}
	open := r.Snapshot().Open[0]
	c.Release()
	s := r.Snapshot().Series[0]
	for _, h := range []Hold{open, s.Worst} {
		longest := h.SlowCalls[0]
		if len(h.SlowCalls) != 8 || longest.What != "GET ninth" || longest.Duration != 300*time.Second || longest.Site.Func != module+".charge" {
			t.Errorf("%d are kept, and the longest is %+v; want 8, and the ninth", len(h.SlowCalls), longest)
		}
		if h.SlowCallsLeftOut != 21 || h.SlowCallsLeftOutTime != (13*200+8)*time.Second {
			t.Errorf("%d of %v are left out, want 21 of %v", h.SlowCallsLeftOut, h.SlowCallsLeftOutTime, (13*200+8)*time.Second)
		}
	}
	// The series knows all of them by their names and lines.
	var count uint64
	var sum time.Duration
	for _, calls := range s.SlowCalls {
		count += calls.Count
		sum += calls.Duration
		if calls.Site.Func != module+".charge" || len(calls.IDs) == 0 {
			t.Errorf("%+v has no place", calls)
		}
	}
	if ninth := s.SlowCalls[0]; ninth.What != "GET ninth" || ninth.Count != 21 || ninth.Duration != 4300*time.Second || ninth.Longest != 300*time.Second {
		t.Errorf("the first is %+v, want all of the ninth", ninth)
	}
	if count != 29 || sum != 4308*time.Second {
		t.Errorf("%d calls of %v, want 29 of 4308 s", count, sum)
	}
}

// More calls at once than are kept, of which some do not end before the hold does.
func TestSlowCalls_ManyAtOnce(t *testing.T) { synctest.Test(t, slowCallsManyAtOnce) }

func slowCallsManyAtOnce(t *testing.T) {
	r := NewRecorder(Config{})
	ctx := WithRoute(t.Context(), "GET /")
	c := r.Pool("main").Checkout(ctx)
	c.BeginStatement()
	c.EndStatement(true)
	time.Sleep(time.Second)
	var calls []Call
	for i := range 20 {
		calls = append(calls, StartSlowCall(ctx, fmt.Sprintf("GET %d", i)))
	}
	time.Sleep(time.Second)
	for _, call := range calls[4:12] {
		call.End()
		call.End() // does nothing
	}
	time.Sleep(time.Second)
	if h := r.Snapshot().Open[0]; len(h.SlowCalls)+h.SlowCallsLeftOut != 20 {
		t.Errorf("%d are kept and %d left out, want 20", len(h.SlowCalls), h.SlowCallsLeftOut)
	}
	c.Release()
	for _, call := range calls {
		call.End()
	}
	s := r.Snapshot().Series[0]
	var count uint64
	var sum time.Duration
	for _, calls := range s.SlowCalls {
		count += calls.Count
		sum += calls.Duration
	}
	if want := (8*1 + 12*2) * time.Second; count != 20 || sum != want {
		t.Errorf("%d calls of %v, want 20 of %v", count, sum, want)
	}
	if g := s.Gaps[0]; g.SlowCall == "" || g.Duration != 3*time.Second {
		t.Errorf("the gap is %+v, want that of the calls", g)
	}
}

// A gap is of the slow calls that took most of it, of one or of many together, and
// else of its own.
func TestGaps_SlowCall(t *testing.T) { synctest.Test(t, gapsSlowCall) }

func gapsSlowCall(t *testing.T) {
	for name, test := range map[string]struct {
		gap  func(context.Context)
		want string
	}{
		"no call": {func(context.Context) { time.Sleep(10 * time.Second) }, ""},
		"a short one": {func(ctx context.Context) {
			charge(ctx, "x", time.Second)
			time.Sleep(9 * time.Second)
		}, ""},
		"most of it": {func(ctx context.Context) {
			charge(ctx, "x", 6*time.Second)
			time.Sleep(4 * time.Second)
		}, "x"},
		"many": {func(ctx context.Context) {
			for range 40 {
				charge(ctx, "x", 150*time.Millisecond)
			}
			charge(ctx, "y", 200*time.Millisecond)
			time.Sleep(3 * time.Second)
		}, "y"},
		"at the same time": {func(ctx context.Context) {
			var calls []Call
			for i := range 5 { // 5 × 3 s, but 3 s
				calls = append(calls, StartSlowCall(ctx, fmt.Sprint(i)))
			}
			time.Sleep(3 * time.Second)
			for _, c := range calls {
				c.End()
			}
			time.Sleep(7 * time.Second)
		}, ""},
		"still open": {func(ctx context.Context) {
			time.Sleep(time.Second)
			StartSlowCall(ctx, "x")
			time.Sleep(9 * time.Second)
		}, "x"},
		"ended in the silence before": {func(ctx context.Context) {
			charge(ctx, "x", 6*time.Second)
			c := scopeOf(ctx).open[0]
			c.BeginStatement()
			c.EndStatement(true)
			time.Sleep(10 * time.Second)
		}, ""},
		"of the silence before": {func(ctx context.Context) {
			call := StartSlowCall(ctx, "x")
			time.Sleep(10 * time.Second)
			c := scopeOf(ctx).open[0]
			c.BeginStatement()
			c.EndStatement(true)
			call.End()
			time.Sleep(15 * time.Second) // which is longer
		}, ""},
		"less long than one in the silence before": {func(ctx context.Context) {
			charge(ctx, "x", 10*time.Second)
			c := scopeOf(ctx).open[0]
			c.BeginStatement()
			c.EndStatement(true)
			charge(ctx, "y", 9*time.Second)
			time.Sleep(3 * time.Second)
		}, "y"},
		"less long than one of the silence before": {func(ctx context.Context) {
			call := StartSlowCall(ctx, "x")
			time.Sleep(10 * time.Second)
			c := scopeOf(ctx).open[0]
			c.BeginStatement()
			c.EndStatement(true)
			call.End()
			charge(ctx, "y", 9*time.Second)
			time.Sleep(3 * time.Second)
		}, "y"},
	} {
		r := NewRecorder(Config{})
		ctx := WithRoute(t.Context(), "GET /")
		c := r.Pool("main").Checkout(ctx)
		c.BeginStatement()
		c.EndStatement(true)
		test.gap(ctx)
		c.Release()
		if g := r.Snapshot().Series[0].Gaps[0]; g.SlowCall != test.want || g.Count != 1 {
			t.Errorf("%s: the gap is %+v, want it to be of %q", name, g, test.want)
		}
	}
}

// Gaps that are added up because there are too many, in a hold and in a series, are
// told apart by whether slow calls filled them.
func TestGaps_AddedUp(t *testing.T) { synctest.Test(t, gapsAddedUp) }

func gapsAddedUp(t *testing.T) {
	r := NewRecorder(Config{})
	ctx := WithRoute(t.Context(), "GET /")
	c := r.Pool("main").Checkout(ctx)
	for range 30 {
		c.BeginStatement()
		c.EndStatement(true)
		charge(ctx, "x", 2*time.Second)
		c.BeginStatement()
		c.EndStatement(true)
		time.Sleep(time.Second)
	}
	c.Release()
	sum := map[bool]time.Duration{}
	left := map[string]uint64{}
	for _, g := range r.Snapshot().Series[0].Gaps {
		sum[g.SlowCall == ""] += g.Duration
		if g.After == (Site{}) {
			left[g.SlowCall] += g.Count
		}
	}
	if sum[false] != 60*time.Second || sum[true] != 30*time.Second || left[Folded] != 22 || left[""] != 30 {
		t.Errorf("gaps with calls took %v, without %v, and %v were added up; want 60 s, 30 s, and 22 and 30", sum[false], sum[true], left)
	}
	s := &Series{}
	for i := range 100 {
		s.silent(Gaps{After: Site{Line: i + 1}, SlowCall: []string{"", "x"}[i%2], Count: 1, Duration: time.Second, Longest: time.Second})
	}
	clear(left)
	for _, g := range s.Gaps {
		if g.After == (Site{}) {
			left[g.SlowCall] += g.Count
		}
	}
	if len(s.Gaps) != maxPlaces+2 || left[""] != 34 || left[Folded] != 34 {
		t.Errorf("%d places, and %v were added up; want %d, and 34 of each kind", len(s.Gaps), left, maxPlaces+2)
	}
}

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
