package pghold_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
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

func TestCheckout_KnowsWhatItsTimeWentTo(t *testing.T) {
	synctest.Test(t, checkoutKnowsWhatItsTimeWentTo)
}

func checkoutKnowsWhatItsTimeWentTo(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /users/{id}")
	const d = 2 * time.Millisecond
	wait := r.Pool("main").Wait(ctx)
	time.Sleep(d)
	c := wait.Checkout()
	time.Sleep(d) // silent, no transaction
	c.BeginStatement()
	time.Sleep(d)
	c.EndStatement(true)
	time.Sleep(4 * d) // silent in transaction, the longest gap
	c.BeginStatement()
	time.Sleep(d)
	c.EndStatement(true)
	time.Sleep(2 * d)
	c.Release()
	c.Release() // does nothing

	s := only(t, r)
	if s.Pool != "main" || s.Route != "GET /users/{id}" || s.Held.Count() != 1 || s.Statements != 2 {
		t.Errorf("got %s, %s, %d holds, %d statements", s.Pool, s.Route, s.Held.Count(), s.Statements)
	}
	h := s.Worst
	for what, pair := range map[string][2]time.Duration{
		"the wait": {h.Wait, d}, "held": {h.Held, 9 * d}, "busy": {h.Busy, 2 * d}, "silent": {h.Silent(), 7 * d},
		"silent in transaction": {h.SilentInTransaction, 6 * d}, "the longest gap": {h.LongestGap.Duration, 4 * d},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %v, want %v", what, pair[0], pair[1])
		}
	}
	if !h.LongestGap.InTransaction || h.Open || h.Running {
		t.Errorf("got %+v", h)
	}
	for what, site := range map[string]pghold.Site{"the hold": h.Site, "before the gap": h.LongestGap.After, "after the gap": h.LongestGap.Before} {
		if !strings.HasSuffix(site.File, "recorder_test.go") || !strings.HasSuffix(site.Func, "KnowsWhatItsTimeWentTo") {
			t.Errorf("%s is at %+v, want this test", what, site)
		}
	}
	if a, b := h.LongestGap.After.Line, h.LongestGap.Before.Line; b-a != 4 || a <= h.Site.Line {
		t.Errorf("the gap is between lines %d and %d, the checkout at %d; want the two BeginStatement", a, b, h.Site.Line)
	}
}

func TestCheckout_GapUpToTheRelease(t *testing.T) { synctest.Test(t, checkoutGapUpToTheRelease) }

func checkoutGapUpToTheRelease(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	c := r.Pool("main").Checkout(t.Context())
	c.BeginStatement()
	c.EndStatement(true)
	time.Sleep(time.Millisecond)
	c.Release()
	g := only(t, r).Worst.LongestGap
	if g.Before != (pghold.Site{}) || g.After == (pghold.Site{}) || g.Duration != time.Millisecond {
		t.Errorf("got %+v, want a gap of 1 ms from the statement to the release", g)
	}
}

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

func TestPool_Holders(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	p := r.Pool("main")
	if got := p.Holders(); len(got) != 0 {
		t.Errorf("nobody holds a connection: got %v", got)
	}
	ctx := pghold.WithRoute(t.Context(), "GET /slow")
	for range 3 {
		c := p.Checkout(ctx)
		defer c.Release()
		c.BeginStatement()
		c.EndStatement(true)
	}
	defer pghold.StartSlowCall(ctx, "POST api.example.com/").End()
	busy := p.Checkout(t.Context())
	defer busy.Release()
	busy.BeginStatement()
	defer r.Pool("other").Checkout(ctx).Release()

	got := p.Holders()
	if len(got) != 2 || got[0].Count != 3 || got[0].Route != "GET /slow" || got[1].Count != 1 || got[1].Doing != "in a statement" {
		t.Fatalf("got %+v, want three of the route, then the one that is busy", got)
	}
	for i, want := range []string{"3 of 4 held by GET /slow, recorder_test.go:", "1 of 4 held by no route, recorder_test.go:"} {
		if s := got[i].String(); !strings.HasPrefix(s, want) {
			t.Errorf("got %q, want %q", s, want)
		}
	}
	if !strings.HasPrefix(got[0].Doing, "in POST api.example.com/ at recorder_test.go:") {
		t.Errorf("it is said to be in %q", got[0].Doing)
	}
	quiet := r.Pool("quiet").Checkout(t.Context())
	defer quiet.Release()
	if got := r.Pool("quiet").Holders()[0].Doing; !strings.HasPrefix(got, "silent since recorder_test.go:") {
		t.Errorf("it is said to be in %q", got)
	}
}

func TestWait_Fail(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	p := r.Pool("main")
	for _, err := range []error{
		context.DeadlineExceeded, fmt.Errorf("wrapped: %w", context.DeadlineExceeded),
		context.Canceled, errors.New("refused"), nil,
	} {
		p.Wait(t.Context()).Fail(err)
	}
	if got := r.Snapshot().Pools[0]; got.Timeouts != 2 || got.Cancelled != 1 || got.Failures != 2 || got.Waiting != 0 || got.Checkouts != 0 {
		t.Errorf("got %+v, want 2 time-outs, 1 cancelled, 2 failures", got)
	}
}

func TestStartSlowCall_WithoutAHoldIsNothing(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	pghold.StartSlowCall(t.Context(), "x").End()
	ctx := pghold.WithRoute(t.Context(), "GET /")
	pghold.StartSlowCall(ctx, "before").End()
	c := r.Pool("main").Checkout(ctx)
	c.Release()
	pghold.StartSlowCall(ctx, "after").End()
	if s := only(t, r); len(s.SlowCalls) != 0 {
		t.Errorf("slow calls outside of the hold were counted: %+v", s.SlowCalls)
	}
}

func TestStartSlowCall_OutlivesItsHold(t *testing.T) { synctest.Test(t, startOutlivesItsHold) }

func startOutlivesItsHold(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	c := r.Pool("main").Checkout(ctx)
	call := pghold.StartSlowCall(ctx, "x")
	time.Sleep(time.Millisecond)
	c.Release()
	time.Sleep(time.Second)
	call.End()
	call.End()
	got := only(t, r).Worst.SlowCalls
	if len(got) != 1 || got[0].Open || got[0].Duration != time.Millisecond || only(t, r).Worst.Held != time.Millisecond {
		t.Errorf("got %+v, want one that ended with the hold", got)
	}
}

func TestDo_MarksTheHoldsOfAPanic(t *testing.T) {
	for name, test := range map[string]struct {
		f      func(*pghold.Pool, context.Context)
		panics uint64
	}{
		"released by a deferred call": {func(p *pghold.Pool, ctx context.Context) {
			p.Checkout(ctx).Release()
			c := p.Checkout(ctx)
			defer c.Release()
			panic("handler")
		}, 1},
		"left open": {func(p *pghold.Pool, ctx context.Context) {
			c := p.Checkout(ctx)
			t.Cleanup(c.Release)
			defer c.Release()
			p.Checkout(ctx)
			panic(http.ErrAbortHandler)
		}, 1},
		"recovered by the handler": {func(p *pghold.Pool, ctx context.Context) {
			defer func() { recover() }()
			defer p.Checkout(ctx).Release()
			panic("handler")
		}, 0},
		"no panic": {func(p *pghold.Pool, ctx context.Context) { p.Checkout(ctx).Release() }, 0},
		"the goroutine's end, as t.FailNow makes it": {func(p *pghold.Pool, ctx context.Context) {
			defer p.Checkout(ctx).Release()
			runtime.Goexit()
		}, 0},
	} {
		r := pghold.NewRecorder(pghold.Config{})
		var job sync.WaitGroup
		job.Go(func() {
			defer func() { recover() }()
			pghold.Do(t.Context(), "GET /", func(ctx context.Context) { test.f(r.Pool("main"), ctx) })
		})
		job.Wait()
		snap := r.Snapshot()
		var panics uint64
		for _, s := range snap.Series {
			panics += s.Panics
			if s.Held.Count() == 1 && s.Worst.Panicked != (s.Panics == 1) {
				t.Errorf("%s: its worst hold is %+v, of %d that panicked", name, s.Worst, s.Panics)
			}
		}
		if panics != test.panics {
			t.Errorf("%s: %d panics, want %d", name, panics, test.panics)
		}
		for _, h := range snap.Open {
			if !h.Panicked {
				t.Errorf("%s: %+v is not marked", name, h)
			}
		}
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

func TestSnapshot_SurvivesJSON(t *testing.T) { synctest.Test(t, snapshotSurvivesJSON) }

func snapshotSurvivesJSON(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	for range 3 {
		c := r.Pool("main").Checkout(ctx)
		c.BeginStatement()
		c.EndStatement(true)
		call := pghold.StartSlowCall(ctx, "GET example.com/")
		time.Sleep(100 * time.Microsecond)
		call.End()
		c.Release()
	}
	open := r.Pool("main").Checkout(ctx)
	defer open.Release()
	stat := pghold.PoolStat{Open: 3, Max: 15, Waits: 7, WaitTime: time.Second}
	r.Pool("main").SetStat(func() pghold.PoolStat { return stat })
	want := r.Snapshot()
	if p := want.Pools[0]; p.Open != 3 || p.Max != 15 || p.Waits != 7 || p.WaitTime != time.Second || p.Used() != 1 {
		t.Errorf("the pool is %+v, want what it says of itself", p)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got)
	if err != nil || string(again) != string(b) {
		t.Errorf("written, read and written again (%v):\n%s\n%s", err, b, again)
	}
	for _, name := range []string{`"held_s"`, `"wait_s"`, `"silent_in_transaction_s"`, `"busy_ratio"`, `"duration_s"`, `"began_at"`, `"slow_calls"`} {
		if !strings.Contains(string(b), name) {
			t.Errorf("the JSON has no %s", name)
		}
	}
	for name, text := range map[string]string{"another version": `{"version": 99}`, "no JSON": "x", "a null series": `{"version": 1, "series": [null]}`,
		"a wrong bucket": `{"version": 1, "series": [{"held_s": {"buckets": {"-1": 2}}}]}`, "a gap of no count": `{"version": 1, "series": [{"gaps": [{"count": "x"}]}]}`,
		"a call of no count": `{"version": 1, "series": [{"slow_calls": [{"count": "x"}]}]}`, "a name of no place": `{"version": 1, "series": [{"slow_calls": [{"ids": ["main.pay"]}]}]}`,
		"a pool of no count":       `{"version": 1, "pools": [{"waits": "x"}]}`,
		"an open hold of no count": `{"version": 1, "open": [{"statements": "x"}]}`, "a worst one of no time": `{"version": 1, "series": [{"worst": {"held_s": "x"}}]}`} {
		if _, err := pghold.ReadSnapshot([]byte(text)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestSnapshot_Merge(t *testing.T) {
	record := func(route string, holds int) *pghold.Snapshot {
		r := pghold.NewRecorder(pghold.Config{})
		for range holds {
			c := r.Pool("main").Checkout(pghold.WithRoute(t.Context(), route))
			c.Release()
		}
		return r.Snapshot()
	}
	s := record("a", 2)
	s.Merge(record("a", 3))
	s.Merge(record("b", 4))
	counts := map[string]uint64{}
	for _, series := range s.Series {
		counts[series.Route] += series.Held.Count()
	}
	if len(s.Series) != 2 || counts["a"] != 5 || counts["b"] != 4 || s.Pools[0].Checkouts != 9 {
		t.Errorf("got %v in %d series, %+v", counts, len(s.Series), s.Pools)
	}
}

// Of two processes that were asked about one pool, all that each counted is added up, and
// the worst hold is the worse.
func TestSnapshot_MergeAddsAll(t *testing.T) {
	part := func(n int, silent time.Duration) *pghold.Snapshot {
		p := pghold.PoolSnapshot{Name: "main", Waiting: n, MaxWaiting: n, Checkouts: uint64(n), Releases: uint64(n), Timeouts: uint64(n), Cancelled: uint64(n),
			Failures: uint64(n), Open: n, Max: n, Waits: uint64(n), WaitTime: time.Duration(n)}
		s := &pghold.Series{Pool: "main", Busy: time.Duration(n), SilentInTransaction: time.Duration(n), Statements: uint64(n), Panics: uint64(n),
			Worst: pghold.Hold{Held: silent}}
		s.Held.Add(silent)
		return &pghold.Snapshot{Pools: []pghold.PoolSnapshot{p}, Series: []*pghold.Series{s}, FoldedHolds: uint64(n)}
	}
	for _, order := range [][2]*pghold.Snapshot{{part(2, time.Second), part(3, time.Minute)}, {part(3, time.Minute), part(2, time.Second)}} {
		got := order[0]
		got.Merge(order[1])
		want := part(5, time.Minute)
		want.Pools[0].MaxWaiting = 3
		want.Series[0].Held.Add(time.Second)
		if !reflect.DeepEqual(got.Pools, want.Pools) || got.FoldedHolds != 5 {
			t.Errorf("got the pools %+v and %d folded holds, want %+v and 5", got.Pools, got.FoldedHolds, want.Pools)
		}
		g, w := got.Series[0], want.Series[0]
		if g.Worst.Held != time.Minute || g.Busy != w.Busy || g.SilentInTransaction != w.SilentInTransaction || g.Statements != 5 || g.Panics != 5 || g.Held.Count() != 2 {
			t.Errorf("the series is %+v, want %+v", g, w)
		}
	}
}

// The quantiles of a sketch, whole or put together from parts, are those of the
// sorted durations, within a bucket.
func TestSketch_Quantiles(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0))
		parts := make([][]int64, 1+random.IntN(4))
		for i := range parts {
			for range random.IntN(20) * random.IntN(20) {
				// As many of each order of magnitude, from 0 to a day.
				parts[i] = append(parts[i], random.Int64N(int64(24*time.Hour)>>random.IntN(47)))
			}
		}
		var all []int64
		var whole pghold.Sketch
		for _, part := range parts {
			var s pghold.Sketch
			for _, d := range part {
				s.Add(time.Duration(d))
			}
			whole.Merge(&s)
			all = append(all, part...)
		}
		slices.Sort(all)
		if whole.Count() != uint64(len(all)) {
			t.Fatalf("seed %d: count %d, want %d", seed, whole.Count(), len(all))
		}
		if len(all) == 0 {
			continue
		}
		var sum int64
		for _, d := range all {
			sum += d
		}
		if int64(whole.Min()) != all[0] || int64(whole.Max()) != all[len(all)-1] || int64(whole.Sum()) != sum {
			t.Fatalf("seed %d: min %v, max %v, sum %v of %v", seed, whole.Min(), whole.Max(), whole.Sum(), all)
		}
		// What AtMost counts is all up to d and nothing beyond d's bucket.
		d := all[random.IntN(len(all))]
		least, _ := slices.BinarySearch(all, d+1)
		most, _ := slices.BinarySearch(all, int64(float64(d)*1.0625)+2)
		if got := whole.AtMost(time.Duration(d)); got < uint64(least) || got > uint64(most) {
			t.Fatalf("seed %d: %d are said to be at most %d, want %d to %d of %v", seed, got, d, least, most, all)
		}
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
			want := float64(all[max(0, int(0.999999999+q*float64(len(all)))-1)])
			if got := float64(whole.Quantile(q)); got < want*0.968-1 || got > want*1.032+1 {
				t.Fatalf("seed %d: quantile %v is %v, want %v within 3.2 %%, of %v", seed, q, got, want, all)
			}
		}
	}
}

func TestSketch_Extremes(t *testing.T) {
	var s pghold.Sketch
	s.Add(-time.Second)
	s.Add(1<<63 - 1)
	if s.Min() != 0 || s.Quantile(0.5) != 0 || s.Quantile(1) != 1<<63-1 {
		t.Errorf("min %v, p50 %v, p100 %v", s.Min(), s.Quantile(0.5), s.Quantile(1))
	}
	if (&pghold.Sketch{}).Quantile(0.5) != 0 {
		t.Error("an empty sketch has a median")
	}
}

// BenchmarkHold is the cost of recording one hold with one statement and the lines of
// both, beside the same code without a recorder: a pool that has one connection gives
// it out and takes it back. The statement is sent by the line that takes the
// connection, as by QueryRow of a pool, or by another.
func BenchmarkHold(b *testing.B) {
	p := pghold.NewRecorder(pghold.Config{}).Pool("main")
	type connection chan struct{}
	ways := []struct {
		name string
		hold func(context.Context, connection)
	}{
		{"without", func(_ context.Context, pool connection) {
			<-pool
			pool <- struct{}{}
		}},
		{"same line", func(ctx context.Context, pool connection) {
			query := func() *pghold.Checkout { <-pool; c := p.Wait(ctx).Checkout(); c.BeginStatement(); return c }
			c := query()
			c.EndStatement(false)
			c.Release()
			pool <- struct{}{}
		}},
		{"another line", func(ctx context.Context, pool connection) {
			<-pool
			c := p.Wait(ctx).Checkout()
			c.BeginStatement()
			c.EndStatement(false)
			c.Release()
			pool <- struct{}{}
		}},
	}
	request := func() (context.Context, connection) {
		pool := make(connection, 1) // its own: how goroutines queue is not measured
		pool <- struct{}{}
		return pghold.WithRoute(context.Background(), "GET /"), pool
	}
	for _, way := range ways {
		b.Run("one goroutine/"+way.name, func(b *testing.B) {
			ctx, pool := request()
			b.ReportAllocs()
			for b.Loop() {
				way.hold(ctx, pool)
			}
		})
	}
	for _, way := range ways {
		b.Run("parallel/"+way.name, func(b *testing.B) {
			b.SetParallelism(32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				ctx, pool := request()
				for pb.Next() {
					way.hold(ctx, pool)
				}
			})
		})
	}
}
