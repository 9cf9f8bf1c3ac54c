package pghold_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// shortages makes a recorder that tells the channel.
func shortages() (*pghold.Recorder, chan pghold.Shortage) {
	told := make(chan pghold.Shortage, 100)
	return pghold.NewRecorder(pghold.Config{LongWait: time.Millisecond, OnShortage: func(s pghold.Shortage) { told <- s }}), told
}

func TestOnShortage_ALongWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const long = 100 * time.Millisecond
		told := make(chan pghold.Shortage, 2)
		r := pghold.NewRecorder(pghold.Config{LongWait: long, OnShortage: func(s pghold.Shortage) { told <- s }})
		p := r.Pool("main")
		defer p.Checkout(pghold.WithRoute(t.Context(), "GET /holder")).Release()
		waits := []pghold.Wait{p.Wait(pghold.WithRoute(t.Context(), "GET /first"))}
		time.Sleep(time.Microsecond)
		waits = append(waits, p.Wait(t.Context()))
		s := <-told
		if s.Pool != "main" || s.Route != "GET /first" || s.Waited != long || s.Waiting != 2 || s.Err != nil {
			t.Errorf("told of %+v, after %s with %d waiting, want the first of two waits", s, s.Waited, s.Waiting)
		}
		if len(s.Holders) != 1 || s.Holders[0].Route != "GET /holder" {
			t.Errorf("told of the holders %v", s.Holders)
		}
		for _, w := range waits {
			w.Checkout().Release()
		}
		if len(told) != 0 {
			t.Errorf("told again within 10 s: %v", <-told)
		}
	})
}

func TestOnShortage_ATimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := shortages()
		p := r.Pool("main")
		p.Wait(t.Context()).Fail(context.Canceled)
		for i := range 3 {
			p.Wait(pghold.WithRoute(t.Context(), "GET /")).Fail(fmt.Errorf("number %d: %w", i, context.DeadlineExceeded))
		}
		r.Pool("other").Wait(t.Context()).Fail(context.DeadlineExceeded)
		if len(told) != 2 {
			t.Fatalf("told of %d shortages, want the first of each pool", len(told))
		}
		if s := <-told; s.Pool != "main" || s.Route != "GET /" || s.Err == nil || s.Err.Error() != "number 0: context deadline exceeded" {
			t.Errorf("told of %+v, want the first time-out", s)
		}
		if s := <-told; s.Pool != "other" {
			t.Errorf("told of %+v, want the other pool", s)
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		p.Wait(t.Context()).Fail(context.DeadlineExceeded)
		if len(told) != 0 {
			t.Errorf("told of %+v, within 10 s of the first", <-told)
		}
		time.Sleep(time.Nanosecond)
		p.Wait(t.Context()).Fail(context.DeadlineExceeded)
		if len(told) != 1 {
			t.Errorf("told of %d shortages after 10 s, want one", len(told))
		}
	})
}

// Whatever ends a wait without a connection is told, but for the caller's own
// cancellation.
func TestOnShortage_AFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, err := range []error{errors.New("refused"), nil, context.DeadlineExceeded, os.ErrDeadlineExceeded} {
			r, told := shortages()
			p := r.Pool("main")
			p.Wait(t.Context()).Fail(fmt.Errorf("acquire: %w", context.Canceled))
			if len(told) != 0 {
				t.Errorf("told of a cancellation: %+v", <-told)
			}
			p.Wait(pghold.WithRoute(t.Context(), "GET /")).Fail(err)
			if len(told) != 1 {
				t.Fatalf("%v: told of %d shortages, want it", err, len(told))
			}
			if s := <-told; s.Route != "GET /" || s.Err == nil || err != nil && s.Err != err {
				t.Errorf("%v: told of %+v", err, s)
			}
		}
	})
}

// A pool that says who waits is not asked how many did: that some waited for less than
// LongWait is no shortage.
func TestOnShortage_ShortWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan pghold.Shortage, 1)
		r := pghold.NewRecorder(pghold.Config{LongWait: 20 * time.Millisecond, OnShortage: func(s pghold.Shortage) { told <- s }})
		p := r.Pool("main")
		var waits atomic.Uint64
		p.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 1, Waits: waits.Add(1)} })
		defer p.Checkout(t.Context()).Release()
		for range 60 {
			w := p.Wait(t.Context())
			time.Sleep(time.Millisecond)
			w.Checkout().Release()
		}
		p.Wait(t.Context()) // which is long
		if s := <-told; s.Waited != 20*time.Millisecond {
			t.Errorf("told of %+v, want the long wait first", s)
		}
	})
}

// A pool that does not say who waits, but how many did.
func TestOnShortage_OfAPoolThatOnlyCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := shortages()
		p := r.Pool("main")
		var waits atomic.Uint64
		p.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 2, Waits: waits.Load()} })
		a, b := p.Checkout(t.Context()), p.Checkout(pghold.WithRoute(t.Context(), "GET /"))
		waits.Add(3) // once it is watched
		s := <-told
		if s.Waiting != 3 || len(s.Holders) != 2 || s.Waited != time.Millisecond || s.Route != "" {
			t.Errorf("told of %+v, want 3 who have waited for 1 ms, and two holders", s)
		}
		a.Release()
		b.Release()
		if series := r.Snapshot().Series; series[0].Wait.Count() != 0 {
			t.Error("a wait that nobody knows was counted")
		}
	})
}

// Of a pool that only counts, a wait that has ended soon is no shortage, though all
// connections are in use each time that it is looked at.
func TestOnShortage_AShortWaitOfAPoolThatOnlyCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := shortages()
		p := r.Pool("main")
		var looks, waits atomic.Int64
		p.SetStat(func() pghold.PoolStat {
			looks.Add(1)
			n := waits.Load()
			return pghold.PoolStat{Max: 1, Waits: uint64(n), WaitTime: time.Duration(n) * time.Microsecond}
		})
		defer p.Checkout(t.Context()).Release()
		waits.Add(1) // once it is watched
		seen := looks.Load()
		time.Sleep(time.Second)
		if looks.Load() < seen+20 {
			t.Errorf("it was looked at %d times in a second", looks.Load()-seen)
		}
		if len(told) != 0 {
			t.Errorf("told of %+v, though nobody waited for more than a microsecond", <-told)
		}
	})
}

func TestShortage_String(t *testing.T) {
	holders := []pghold.Holder{
		{Route: "GET /a", Site: pghold.Site{File: "a.go", Line: 7}, Count: 12, Of: 15, Oldest: 29100 * time.Millisecond, Doing: "in a statement"},
		{Route: "", Site: pghold.Site{File: "b.go", Line: 8}, Count: 3, Of: 15, Oldest: time.Second, Doing: "silent since b.go:9"},
	}
	const held = ": 12 of 15 held by GET /a, a.go:7, oldest 29.1 s, now in a statement; 3 of 15 held by no route, b.go:8, oldest 1.0 s, now silent since b.go:9"
	for want, s := range map[string]pghold.Shortage{
		"main: no connection within 30.0 s" + held:    {Pool: "main", Waited: 30 * time.Second, Err: context.DeadlineExceeded, Holders: holders},
		"main: no connection for 2.0 s so far" + held: {Pool: "main", Waited: 2 * time.Second, Holders: holders},
		"main: all connections are in use" + held:     {Pool: "main", Holders: holders},
		"main: all connections are in use":            {Pool: "main"},
		"main: no connection after 0.1 s (refused)":   {Pool: "main", Waited: 100 * time.Millisecond, Err: errors.New("refused")},
	} {
		if got := s.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLogShortage(t *testing.T) {
	var b bytes.Buffer
	log := pghold.LogShortage(slog.New(slog.NewTextHandler(&b, nil)))
	log(pghold.Shortage{Pool: "main", Route: "GET /", Waited: 1500 * time.Millisecond, Waiting: 2, Err: context.DeadlineExceeded,
		Holders: []pghold.Holder{{Route: "GET /a", Count: 1, Of: 1, Doing: "in a statement"}}})
	for _, want := range []string{"level=WARN", `msg="waiting for a database connection"`, "pool=main", `route="GET /"`, "waited_s=1.5", "waiting=2", "1 of 1 held by GET /a", "deadline exceeded"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the log has no %s: %s", want, &b)
		}
	}
	pghold.LogShortage(nil) // logs to slog.Default()
}
