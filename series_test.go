package pghold

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// callFrom calls f from one of 8 lines at each of its levels, so that every path is
// another stack.
//
//go:noinline
func callFrom(path, levels int, f func()) {
	if levels == 0 {
		f()
		return
	}
	down := path >> 3
	switch path & 7 {
	case 0:
		callFrom(down, levels-1, f)
	case 1:
		callFrom(down, levels-1, f)
	case 2:
		callFrom(down, levels-1, f)
	case 3:
		callFrom(down, levels-1, f)
	case 4:
		callFrom(down, levels-1, f)
	case 5:
		callFrom(down, levels-1, f)
	case 6:
		callFrom(down, levels-1, f)
	default:
		callFrom(down, levels-1, f)
	}
}

// Whatever number of stacks lead to one line, it is one series, in memory too, and so
// is what is folded.
func TestRecorder_StacksAreNoSeries(t *testing.T) {
	r := NewRecorder(Config{MaxSeries: 1})
	p := r.Pool("main")
	const stacks, routes = 3 * maxStacks, 3
	hold := func(ctx context.Context) {
		c := p.Checkout(ctx)
		c.BeginStatement()
		c.EndStatement(true)
		call := StartSlowCall(ctx, "x")
		call.End()
		c.BeginStatement()
		c.EndStatement(false)
		c.Release()
	}
	for route := range routes {
		ctx := WithRoute(t.Context(), fmt.Sprintf("GET /%d", route))
		for path := range stacks {
			callFrom(path, 5, func() { hold(ctx) })
		}
	}
	kept := 0
	for i := range r.shards {
		s := &r.shards[i]
		kept += len(s.series)
		for what, n := range map[string]int{"near": len(s.sites.near), "far": len(s.sites.far), "slow": len(s.sites.slow)} {
			if n > maxStacks {
				t.Errorf("%d %s stacks are remembered, want at most %d", n, what, maxStacks)
			}
		}
		places := 0
		for _, series := range s.series {
			for _, calls := range series.SlowCalls {
				places += len(calls.seen)
			}
		}
		if places > 2*maxPlaces {
			t.Errorf("slow calls keep %d places, want at most %d", places, 2*maxPlaces)
		}
	}
	if most := 2 * len(r.shards); kept > most {
		t.Errorf("%d series are kept, want at most the one and the rest in each shard: %d", kept, most)
	}
	s := r.Snapshot()
	var holds uint64
	for _, series := range s.Series {
		holds += series.Held.Count()
	}
	if len(s.Series) != 2 || holds != routes*stacks || s.FoldedHolds != (routes-1)*stacks {
		t.Errorf("%d series with %d holds, %d folded; want 2 with %d, %d", len(s.Series), holds, s.FoldedHolds, routes*stacks, (routes-1)*stacks)
	}
}

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

// A hold that is released while a snapshot is taken is described as it was.
func TestCheckout_DescribeOpen(t *testing.T) { synctest.Test(t, checkoutDescribeOpen) }

func checkoutDescribeOpen(t *testing.T) {
	r := NewRecorder(Config{})
	c := r.Pool("main").Checkout(t.Context())
	time.Sleep(time.Second)
	c.Release()
	time.Sleep(time.Hour)
	if h := c.describeOpen(); !h.Open || h.Held != time.Second || h.Silent() != time.Second {
		t.Errorf("got %+v, want a hold of 1 s that is open", h)
	}
}

//go:noinline
func begin(p *Pool, ctx context.Context) *Checkout { return p.Checkout(ctx) }

// The lines of a gap do not depend on how soon after the checkout the first statement
// was sent.
func TestGaps_LinesDoNotDependOnTime(t *testing.T) { synctest.Test(t, gapsLinesDoNotDependOnTime) }

func gapsLinesDoNotDependOnTime(t *testing.T) {
	for name, handler := range map[string]func(*Recorder, context.Context, time.Duration){
		"a helper takes it": func(r *Recorder, ctx context.Context, late time.Duration) {
			c := begin(r.Pool("main"), ctx)
			time.Sleep(late)
			c.BeginStatement()
			c.EndStatement(true)
			time.Sleep(time.Second)
			c.Release()
		},
		"in one line": func(r *Recorder, ctx context.Context, late time.Duration) {
			query := func(p *Pool) *Checkout { c := p.Checkout(ctx); time.Sleep(late); c.BeginStatement(); return c }
			c := query(r.Pool("main"))
			c.EndStatement(true)
			time.Sleep(time.Second)
			c.Release()
		},
	} {
		places := map[[2]int]int{}
		var line int
		r := NewRecorder(Config{})
		for _, late := range []time.Duration{0, time.Microsecond, time.Millisecond, 0, 10 * time.Second, 0} {
			handler(r, WithRoute(t.Context(), "GET /"), late)
		}
		for _, g := range r.Snapshot().Series[0].Gaps {
			if g.Before == (Site{}) {
				places[[2]int{g.After.Line}] += int(g.Count)
				line = g.After.Line
				if g.After.Func == module+".begin" {
					t.Errorf("%s: the statement is said to be the helper's", name)
				}
			}
		}
		if len(places) != 1 || line == 0 {
			t.Errorf("%s: the same gap is after the lines %v, want one line", name, places)
		}
	}
}

// takeAndSend stands for a library, which sends a statement itself, or not.
//
//go:noinline
func takeAndSend(p *Pool, ctx context.Context, send bool) *Checkout {
	c := p.Checkout(ctx)
	if send {
		c.BeginStatement()
		c.EndStatement(true)
	}
	return c
}

// A line that takes connections, and only sometimes sends the first statement too, is
// not taken for that of one that comes late.
func TestGaps_LineOfALateStatement(t *testing.T) { synctest.Test(t, gapsLineOfALateStatement) }

func gapsLineOfALateStatement(t *testing.T) {
	r := NewRecorder(Config{Skip: []string{module + ".takeAndSend"}})
	r.shards = r.shards[:1] // each learns for itself
	for _, send := range []bool{true, false} {
		c := takeAndSend(r.Pool("main"), t.Context(), send)
		time.Sleep(time.Second)
		c.BeginStatement()
		c.EndStatement(false)
		c.Release()
	}
	gaps := r.Snapshot().Series[0].Gaps
	if len(gaps) != 1 || gaps[0].Count != 2 || gaps[0].Before.Line != gaps[0].After.Line+2 {
		t.Errorf("got %+v, want one place, from the checkout to the later statement", gaps)
	}
}

// Only those who queue are counted as waiting, where the pool tells its size.
func TestPool_MaxWaiting(t *testing.T) {
	r := NewRecorder(Config{})
	p := r.Pool("main")
	size := 2
	p.SetStat(func() PoolStat { return PoolStat{Max: size} })
	waiting := func() (now, most int) {
		s := r.Snapshot().Pools[0]
		return s.Waiting, s.MaxWaiting
	}
	a, b := p.Wait(t.Context()), p.Wait(t.Context()) // at the same time, and there is one for each
	if now, most := waiting(); now != 0 || most != 0 {
		t.Errorf("%d wait, %d at most, want none: there are enough for both", now, most)
	}
	held := []*Checkout{a.Checkout(), b.Checkout()}
	c, d := p.Wait(t.Context()), p.Wait(t.Context())
	if now, most := waiting(); now != 2 || most != 2 {
		t.Errorf("%d wait, %d at most, want 2", now, most)
	}
	held[0].Release()
	held[0] = c.Checkout()
	d.Fail(context.Canceled)
	if now, most := waiting(); now != 0 || most != 2 {
		t.Errorf("%d wait, %d at most, want 0 and 2", now, most)
	}
	for _, c := range held {
		c.Release()
	}
	size = 0 // it no longer tells
	r.Snapshot()
	e := p.Wait(t.Context())
	if now, _ := waiting(); now != 1 {
		t.Errorf("%d wait, want the one whose acquire is in progress", now)
	}
	e.Fail(context.Canceled)
}

// What a pool that only counts its waits has to say, look by look.
func TestCounts(t *testing.T) {
	type look struct {
		waits     uint64
		waitTime  time.Duration
		checkouts uint64
		want      time.Duration // looks are a second apart
		pending   int64
	}
	for name, looks := range map[string][]look{
		"a wait of a microsecond":        {{1, time.Microsecond, 1, time.Microsecond, 0}, {1, time.Microsecond, 1, 0, 0}, {1, time.Microsecond, 1, 0, 0}},
		"a wait without an end":          {{1, 0, 0, 0, 1}, {1, 0, 0, time.Second, 1}, {3, 0, 0, time.Second, 3}},
		"many short waits":               {{100, time.Second, 100, 10 * time.Millisecond, 0}, {200, 2 * time.Second, 200, 10 * time.Millisecond, 0}, {301, 3 * time.Second, 300, 10 * time.Millisecond, 1}, {400, 4 * time.Second, 400, 10 * time.Millisecond, 0}},
		"long waits":                     {{3, 0, 0, 0, 3}, {3, 5 * time.Second, 2, time.Second, 1}, {3, 8 * time.Second, 3, 3 * time.Second, 0}},
		"one of two was served":          {{2, time.Millisecond, 1, time.Millisecond, 1}, {2, time.Millisecond, 1, time.Second, 1}},
		"one gave up before a free one":  {{1, 300 * time.Millisecond, 0, 300 * time.Millisecond, 0}, {1, 300 * time.Millisecond, 0, 0, 0}},
		"a free one was taken since":     {{3, 0, 0, 0, 3}, {3, 0, 2, 0, 0}, {4, 0, 5, 0, 1}, {4, 0, 5, time.Second, 1}},
		"another pool of the same name":  {{5, time.Second, 5, 200 * time.Millisecond, 0}, {1, 0, 6, 0, 0}},
		"a queue that is served in turn": {{40, 0, 0, 0, 40}, {40, 9 * time.Second, 10, time.Second, 30}, {60, 30 * time.Second, 20, time.Second, 40}},
	} {
		var last counts
		for i, l := range looks {
			now := counts{at: last.at + time.Second, waits: l.waits, waitTime: l.waitTime, checkouts: l.checkouts}
			if got := now.since(last); got != l.want || now.pending != l.pending {
				t.Errorf("%s, look %d: waited %v, %d pending; want %v, %d", name, i, got, now.pending, l.want, l.pending)
			}
			last = now
		}
	}
}
