package pghold_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// only returns the snapshot's one series.
func only(t *testing.T, r *pghold.Recorder) *pghold.Series {
	t.Helper()
	s := r.Snapshot()
	if len(s.Series) != 1 {
		t.Fatalf("%d series, want one: %+v", len(s.Series), s.Series)
	}
	return s.Series[0]
}

func TestRecorder_KnowsWhatIsOpen(t *testing.T) { synctest.Test(t, recorderKnowsWhatIsOpen) }

func recorderKnowsWhatIsOpen(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	first := r.Pool("main").Checkout(ctx)
	first.BeginStatement()
	first.EndStatement(true)
	call := pghold.StartSlowCall(ctx, "GET api.example.com/slow")
	time.Sleep(time.Nanosecond) // so that the first is the older
	second := r.Pool("other").Checkout(t.Context())
	second.BeginStatement()
	waiter := r.Pool("main").Wait(ctx)
	time.Sleep(time.Millisecond)

	s := r.Snapshot()
	if len(s.Open) != 2 || len(s.Series) != 0 {
		t.Fatalf("%d open holds and %d series, want 2 and none", len(s.Open), len(s.Series))
	}
	h := s.Open[0] // the longest
	if !h.Open || h.Running || h.Route != "GET /" || h.Pool != "main" || h.SilentInTransaction != time.Millisecond+time.Nanosecond || h.LongestGap.Duration != time.Millisecond+time.Nanosecond {
		t.Errorf("the first is %+v", h)
	}
	if len(h.SlowCalls) != 1 || !h.SlowCalls[0].Open || h.SlowCalls[0].What != "GET api.example.com/slow" || h.SlowCalls[0].Duration != time.Millisecond+time.Nanosecond {
		t.Errorf("its slow calls are %+v", h.SlowCalls)
	}
	if h := s.Open[1]; !h.Running || h.Pool != "other" || h.Route != "" || h.Busy != time.Millisecond {
		t.Errorf("the second is %+v", h)
	}
	if p := s.Pools; len(p) != 2 || p[0].Name != "main" || p[0].Waiting != 1 || p[0].Checkouts != 1 || p[0].Releases != 0 || p[1].Waiting != 0 {
		t.Errorf("the pools are %+v", p)
	}

	waiter.Fail(context.DeadlineExceeded)
	call.End()
	first.Release()
	second.Release()
	s = r.Snapshot()
	if len(s.Open) != 0 || len(s.Series) != 2 {
		t.Errorf("after the release %d open holds and %d series", len(s.Open), len(s.Series))
	}
	if calls := s.Series[0].SlowCalls; s.Series[0].Pool != "main" || len(calls) != 1 || calls[0].What != "GET api.example.com/slow" || calls[0].Count != 1 {
		t.Errorf("the first series is %+v", s.Series[0])
	}
	if p := s.Pools[0]; p.Waiting != 0 || p.MaxWaiting != 1 || p.Timeouts != 1 || p.Releases != 1 {
		t.Errorf("the pool is %+v", p)
	}
}

// Whatever number of routes and hosts there is, memory stays the same, and every
// hold is counted somewhere.
func TestRecorder_IsBounded(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{MaxSeries: 10})
	const holds = 5000
	for i := range holds {
		ctx := pghold.WithRoute(t.Context(), fmt.Sprintf("GET /%d", i))
		c := r.Pool("main").Checkout(ctx)
		for j := range 20 {
			pghold.StartSlowCall(ctx, fmt.Sprintf("host-%d", i*20+j)).End()
		}
		c.Release()
	}
	s := r.Snapshot()
	if len(s.Series) != 11 {
		t.Errorf("%d series, want 10 and one for the rest", len(s.Series))
	}
	var count, calls uint64
	for _, series := range s.Series {
		count += series.Held.Count()
		for _, c := range series.SlowCalls {
			calls += c.Count
		}
		if len(series.SlowCalls) > 33 {
			t.Errorf("%s keeps %d names of slow calls apart", series.Route, len(series.SlowCalls))
		}
	}
	if count != holds || calls != holds*20 {
		t.Errorf("%d holds and %d slow calls were counted, want %d and %d", count, calls, holds, holds*20)
	}
	if s.FoldedHolds != holds-10 {
		t.Errorf("%d holds are said to be folded, want %d", s.FoldedHolds, holds-10)
	}
}

// Many goroutines at once: counts are exact, and whoever looks meanwhile sees
// nothing impossible.
func TestRecorder_UnderLoad(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	const workers, each = 64, 500
	done := make(chan struct{})
	var look sync.WaitGroup
	look.Go(func() {
		for {
			for _, h := range r.Snapshot().Open {
				if h.Busy > h.Held || h.SilentInTransaction > h.Silent() {
					t.Errorf("an open hold is %+v", h)
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	var work sync.WaitGroup
	for w := range workers {
		work.Go(func() {
			ctx := pghold.WithRoute(context.Background(), fmt.Sprintf("GET /%d", w%4))
			for range each {
				wait := r.Pool("main").Wait(ctx)
				if rand.IntN(10) == 0 {
					wait.Fail(context.Canceled)
					wait = r.Pool("main").Wait(ctx)
				}
				c := wait.Checkout()
				c.BeginStatement()
				c.EndStatement(true)
				pghold.StartSlowCall(ctx, "x").End()
				c.BeginStatement()
				c.EndStatement(false)
				c.Release()
			}
		})
	}
	work.Wait()
	close(done)
	look.Wait()
	s := r.Snapshot()
	var holds, statements, calls uint64
	for _, series := range s.Series {
		holds += series.Held.Count()
		statements += series.Statements
		for _, c := range series.SlowCalls {
			calls += c.Count
		}
	}
	// A slow call is seen by all holds that are open in its route.
	if holds != workers*each || statements != 2*workers*each || calls < workers*each || len(s.Open) != 0 {
		t.Errorf("%d holds, %d statements, %d slow calls, %d open", holds, statements, calls, len(s.Open))
	}
	if p := s.Pools[0]; p.Checkouts != workers*each || p.Releases != p.Checkouts || p.Waiting != 0 {
		t.Errorf("the pool is %+v", p)
	}
}

var load = flag.Duration("load", 0, "for how long TestRecorder_ManyHolds records 100,000 holds a second, instead of 250,000 as fast as it can")

// A quarter of a million holds from 64 goroutines: all of them are counted, and memory is what it
// was after the first half. With -load 10s they come at 100,000 a second, for as long.
func TestRecorder_ManyHolds(t *testing.T) {
	const workers, perSecond = 64, 100_000
	r := pghold.NewRecorder(pghold.Config{})
	p := r.Pool("main")
	// run makes at least that many holds, and returns how many.
	run := func(holds int, paced bool) (made int) {
		const turns = 100 // a second, in which a worker makes its share
		each := holds / workers
		var work sync.WaitGroup
		for w := range workers {
			work.Go(func() {
				tick := time.NewTicker(time.Second / turns)
				defer tick.Stop()
				began, done := time.Now(), 0
				for done < each {
					due := each
					if paced {
						<-tick.C
						due = min(each, int(time.Since(began).Seconds()*perSecond/workers))
					}
					for ; done < due; done++ {
						pghold.Do(context.Background(), fmt.Sprintf("GET /%d", (w+done)%8), func(ctx context.Context) {
							c := p.Wait(ctx).Checkout()
							c.BeginStatement()
							c.EndStatement(true)
							call := pghold.StartSlowCall(ctx, "x")
							call.End()
							c.BeginStatement()
							c.EndStatement(false)
							c.Release()
						})
					}
				}
			})
		}
		work.Wait()
		return each * workers
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // what the first one finalized
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	first, second := 120_000, 130_000
	if *load > 0 {
		second = int(load.Seconds() * perSecond)
	}
	holds := run(first, false)
	before, began := heap(), time.Now()
	made := run(second, *load > 0)
	holds += made
	took := time.Since(began)
	grown := heap() - before
	t.Logf("%d holds in %v, %.0f/s; memory is %d bytes, and has grown by %d", made, took.Round(time.Millisecond), float64(made)/took.Seconds(), before+grown, grown)
	if grown > 1<<20 {
		t.Errorf("memory has grown by %d bytes in %d holds", grown, made)
	}
	var count, statements, calls int
	s := r.Snapshot()
	for _, series := range s.Series {
		count += int(series.Held.Count())
		statements += int(series.Statements)
		for _, c := range series.SlowCalls {
			calls += int(c.Count)
		}
	}
	if count != holds || statements != 2*holds || calls != holds || len(s.Open) != 0 || int(s.Pools[0].Checkouts) != holds || int(s.Pools[0].Releases) != holds {
		t.Errorf("%d holds, %d statements, %d slow calls and %d open, pool %+v; want %d holds, each with two statements and a slow call",
			count, statements, calls, len(s.Open), s.Pools[0], holds)
	}
}
