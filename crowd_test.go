package pghold_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// Many waits that are not long are told where one caller or more waits at any moment, on
// average, and they are no trifles; each at the very bounds, of a pool that says who waits,
// of one that says so but has no count of its own, and of one that only counts.
func TestOnShortage_ManyMediumWaits(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		times      int           // that two callers wait
		each, last time.Duration // and how long; the last one
		want       bool
	}{
		"one at any moment":          {50, 100 * ms, 100 * ms, true},
		"a little less than one":     {50, 100 * ms, 100*ms - 1, false},
		"more than one, for shorter": {60, 99 * ms, 99 * ms, false},
	} {
		for _, kind := range []string{"says", "says, without a count", "counts"} {
			synctest.Test(t, func(t *testing.T) {
				told := make(chan pghold.Shortage, 100)
				r := pghold.NewRecorder(pghold.Config{OnShortage: func(s pghold.Shortage) { told <- s }})
				r.Pool("other").Checkout(t.Context()).Release() // from now on there are counts
				synctest.Wait()
				p := r.Pool("main")
				var waits atomic.Uint64
				var waited atomic.Int64
				p.SetStat(func() pghold.PoolStat {
					if kind == "says, without a count" {
						return pghold.PoolStat{Max: 1}
					}
					return pghold.PoolStat{Max: 1, Waits: waits.Load(), WaitTime: time.Duration(waited.Load())}
				})
				one := func(d time.Duration) {
					if kind == "counts" {
						time.Sleep(d)
						p.Checkout(t.Context()).Release()
					} else {
						w := p.Wait(t.Context())
						time.Sleep(d)
						c := w.Checkout()
						time.AfterFunc(15*time.Second, c.Release) // it counts while the hold is open, and not again
					}
					waits.Add(1)
					waited.Add(int64(d))
				}
				for i := range c.times {
					var both sync.WaitGroup
					both.Go(func() { one(c.each) })
					d := c.each
					if i == c.times-1 {
						d = c.last
					}
					both.Go(func() { one(d) })
					both.Wait()
				}
				time.Sleep(time.Minute)
				if n := len(told); n != map[bool]int{true: 1}[c.want] {
					t.Fatalf("%s, of a pool that %s: told %d times, want it: %v", name, kind, n, c.want)
				}
				if !c.want {
					return
				}
				if s := <-told; s.MeanWaiting != 1 || s.Waited != c.each || s.Err != nil || s.Itself {
					t.Errorf("%s, of a pool that %s: told of %+v, want one who waits, 100 ms each", name, kind, s)
				}
			})
		}
	}
}

// A crowd is told once in 10 s for as long as it lasts, with who has the connections, and not
// where a long wait was told within these. Waits that go on count as far as they have come.
func TestOnShortage_ACrowdThatLasts(t *testing.T) { synctest.Test(t, aCrowdThatLasts) }

func aCrowdThatLasts(t *testing.T) {
	told := make(chan pghold.Shortage, 100)
	r := pghold.NewRecorder(pghold.Config{LongWait: 8 * time.Second, OnShortage: func(s pghold.Shortage) { told <- s }})
	p := r.Pool("main")
	p.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 1} })
	defer p.Checkout(pghold.WithRoute(t.Context(), "POST /import")).Release()
	synctest.Wait()
	for range 4 { // three at a time, for 6 s each
		var all []pghold.Wait
		for range 3 {
			all = append(all, p.Wait(t.Context()))
		}
		time.Sleep(6 * time.Second)
		for _, w := range all {
			w.Checkout().Release()
		}
	}
	if n := len(told); n != 2 {
		t.Fatalf("told %d times in 24 s, want once in 10 s", n)
	}
	p.Wait(t.Context()).Fail(context.DeadlineExceeded)
	if n := len(told); n != 3 {
		t.Fatalf("told %d times, want of a time-out at once", n)
	}
	s := <-told
	if s.MeanWaiting != 3 || len(s.Holders) != 1 || s.Waiting != 3 {
		t.Errorf("told of %+v, want 3 who wait, and who holds", s)
	}
	if want := "main: 3.0 callers waited at a moment of the last 10 s, for 5s each, on average: 1 of 1 held by POST /import,"; !strings.HasPrefix(s.String(), want) {
		t.Errorf("the text is %q, want %q", s, want)
	}
	var log bytes.Buffer
	pghold.LogShortage(slog.New(slog.NewTextHandler(&log, nil)))(s)
	if want := "level=WARN msg=\"waiting for a database connection\" pool=main route=\"\" waited_s=5 waiting=3"; !strings.Contains(log.String(), want) || !strings.Contains(log.String(), " mean_waiting=3") {
		t.Errorf("the log is %s, want %s in it, and the mean", &log, want)
	}
	time.Sleep(time.Minute)
	for len(told) > 0 {
		<-told
	}

	// After their first 10 s they wait for too short a time to be a crowd, whether or not there
	// is a second look at them.
	waits := []pghold.Wait{p.Wait(t.Context()), p.Wait(t.Context())}
	time.Sleep(13 * time.Second)
	for _, w := range waits {
		w.Checkout().Release()
	}
	time.Sleep(time.Minute)
	if s := <-told; s.MeanWaiting != 0 || s.Waited != 8*time.Second || len(told) > 0 {
		t.Errorf("told of %+v, and %d more, want of the long wait only", s, len(told))
	}
}
