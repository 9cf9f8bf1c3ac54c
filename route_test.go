package pghold_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

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

// The labels that a goroutine had before are there again afterwards.
func TestDo_RestoresTheLabels(t *testing.T) {
	pprof.Do(t.Context(), pprof.Labels("mine", "a"), func(ctx context.Context) {
		pghold.Do(ctx, "GET /", func(ctx context.Context) {
			if v, _ := pprof.Label(ctx, "mine"); v != "a" {
				t.Errorf("within, the label is %q", v)
			}
			if v, _ := pprof.Label(ctx, "pghold"); v == "" {
				t.Error("within, there is no label of pghold's")
			}
		})
		var b strings.Builder
		pprof.Lookup("goroutine").WriteTo(&b, 1)
		if !strings.Contains(b.String(), `# labels: {"mine":"a"}`) {
			t.Error("afterwards, the goroutine does not have its own labels again")
		}
	})
}

// What runs within a Do of its own is still what the hold outside waits for.
func TestDo_NestedTellsTheHoldOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := pghold.NewRecorder(pghold.Config{})
		p := r.Pool("main")
		call := func(ctx context.Context, what string) {
			call := pghold.StartSlowCall(ctx, what)
			time.Sleep(time.Second)
			call.End()
		}
		pghold.Do(t.Context(), "GET /", func(ctx context.Context) {
			outer := pghold.StartSlowCall(ctx, "stream") // until the end
			c := p.Checkout(ctx)
			pghold.Do(ctx, "job", func(ctx context.Context) {
				call(pghold.WithRoute(ctx, "a part of it"), "charge")
				inner := p.Checkout(ctx)
				call(ctx, "mail")
				inner.Release()
			})
			other := p.Checkout(pghold.WithRoute(ctx, "another part"))
			call(ctx, "late")
			c.Release()
			other.Release()
			outer.End()
		})
		got := map[string]string{}
		for _, s := range r.Snapshot().Series {
			for _, c := range s.SlowCalls {
				got[s.Route] += fmt.Sprintf("%s %v, ", c.What, c.Duration)
			}
		}
		want := map[string]string{
			"GET /": "stream 3s, charge 1s, late 1s, mail 1s, ",
			"job":   "mail 1s, stream 1s, ",
			// late was made by who is outside of it, when it had its connection.
			"another part": "stream 1s, ",
		}
		if !maps.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Two that run within the same Do do not wait for each other's calls.
func TestDo_NestedBesideAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := pghold.NewRecorder(pghold.Config{})
		pghold.Do(t.Context(), "GET /", func(ctx context.Context) {
			var call pghold.Call
			pghold.Do(ctx, "first", func(ctx context.Context) { call = pghold.StartSlowCall(ctx, "mail") })
			pghold.Do(ctx, "second", func(ctx context.Context) {
				c := r.Pool("main").Checkout(ctx)
				time.Sleep(time.Second)
				c.Release()
			})
			call.End()
		})
		if s := only(t, r); s.Route != "second" || len(s.SlowCalls) != 0 {
			t.Errorf("%s has the slow calls %+v, want none: the first one has made it", s.Route, s.SlowCalls)
		}
	})
}
