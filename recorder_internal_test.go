package pghold

import (
	"context"
	"fmt"
	"testing"
	"time"
	"unsafe"
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
	t.Run("near", func(t *testing.T) { stacksAreNoSeries(t, 5, nil, "near") })
	t.Run("far", func(t *testing.T) {
		stacksAreNoSeries(t, 10, []string{module + ".callFrom", module + ".stacksAreNoSeries"}, "far")
	})
}

// stacksAreNoSeries has the application's line so many calls above the holds; without skip it
// is their own. kept is where their stacks are.
func stacksAreNoSeries(t *testing.T, levels int, skip []string, kept string) {
	r := NewRecorder(Config{MaxSeries: 1, Skip: skip})
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
			callFrom(path, levels, func() { hold(ctx) })
		}
	}
	Do(t.Context(), "GET /", func(context.Context) { // who passes no context on is looked for on the stack
		for path := range stacks {
			callFrom(path, levels, func() { p.Wait(context.Background()).Fail(context.Canceled) })
		}
	})
	all := 0
	for i := range r.shards {
		s := &r.shards[i]
		all += len(s.series)
		for what, n := range map[string]int{"near": len(s.sites.near), "far": len(s.sites.far), "slow": len(s.sites.slow), "keyed": len(s.sites.keyed), "handlers": len(s.sites.handlers)} {
			if n > maxStacks || n == 0 && (what == "handlers" || what == kept) {
				t.Errorf("%d %s stacks are remembered, want at most %d, and some of handlers and of those that are %s", n, what, maxStacks, kept)
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
	if most := 2 * len(r.shards); all > most {
		t.Errorf("%d series are kept, want at most the one and the rest in each shard: %d", all, most)
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

// setClock makes the wall clock of a time of now d later, as if the clock had been set
// back by that since, and leaves its monotonic clock alone. Package time cannot do so.
func setClock(t *testing.T, at *time.Time, d time.Duration) {
	t.Helper()
	before := *at
	// The seconds are bits 30 to 62 where there is a monotonic clock.
	(*struct{ wall uint64 })(unsafe.Pointer(at)).wall += uint64(d/time.Second) << 30
	if wall, monotonic := at.Round(0).Sub(before.Round(0)), at.Sub(before); wall != d || monotonic != 0 {
		t.Fatalf("this Go keeps its times in another way: %v and %v later, want %v and 0", wall, monotonic, d)
	}
}

// A clock that is set while a recorder records disturbs no duration, and not the time
// that a snapshot covers. Times in a bubble have no monotonic clock: so this is in real
// time, and asks for nothing but what holds at any pace.
func TestRecorder_ClockThatJumps(t *testing.T) {
	for _, jump := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		r := NewRecorder(Config{})
		setClock(t, &r.started, jump)
		c := r.Pool("main").Wait(t.Context()).Checkout()
		open := r.Snapshot()
		c.Release()
		s := r.Snapshot()
		most := r.now()
		if covers := s.Taken.Sub(s.Began); covers < 0 || covers > most {
			t.Errorf("%v: the snapshot covers %v of %v", jump, covers, most)
		}
		for _, h := range []Hold{s.Series[0].Worst, open.Open[0]} {
			if h.Held < 0 || h.Wait < 0 || h.Held > most || h.Began.Before(s.Began) || h.Began.After(s.Taken) {
				t.Errorf("%v: held %v from %v, after a wait of %v, in a snapshot of %v to %v", jump, h.Held, h.Began, h.Wait, s.Began, s.Taken)
			}
		}
	}
}
