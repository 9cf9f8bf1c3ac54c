package pghold_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

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

// BenchmarkSlowCall is the cost of recording one hold with one slow call.
func BenchmarkSlowCall(b *testing.B) {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(b.Context(), "GET /")
	p := r.Pool("main")
	b.ReportAllocs()
	for b.Loop() {
		c := p.Wait(ctx).Checkout()
		call := pghold.StartSlowCall(ctx, "GET example.com/")
		call.End()
		c.Release()
	}
}

//go:noinline
func sdk(frames int, ctx context.Context) {
	if frames == 0 {
		pghold.StartSlowCall(ctx, "upload").End()
		return
	}
	sdk(frames-1, ctx)
}

// Between a line of the application and what it waits for an SDK may have a hundred
// frames. Calls from several lines are told apart by what is behind them.
func TestStartSlowCall_DeepInALibrary(t *testing.T) {
	for _, frames := range []int{1, 47, 48, 60, 120} {
		r := pghold.NewRecorder(pghold.Config{Skip: []string{"github.com/pghold/pghold_test.sdk"}})
		ctx := pghold.WithRoute(t.Context(), "GET /")
		c := r.Pool("main").Checkout(ctx)
		sdk(frames, ctx)
		sdk(frames, ctx)
		sdk(frames, ctx)
		c.Release()
		var lines []int
		for _, c := range r.Snapshot().Series[0].SlowCalls {
			if strings.HasSuffix(c.Site.Func, "TestStartSlowCall_DeepInALibrary") {
				lines = append(lines, c.Site.Line)
			}
		}
		slices.Sort(lines)
		if len(lines) != 3 || lines[1] != lines[0]+1 || lines[2] != lines[0]+2 {
			t.Errorf("%d frames deep, the calls were made at lines %v, want three in a row", frames, lines)
		}
	}
}

// What a slow call is made of is a part of it.
func TestCall_Within(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /")
	c := r.Pool("main").Checkout(ctx)
	call := pghold.StartSlowCall(ctx, "redis GET")
	pghold.StartSlowCall(call.Within(ctx), "redis HELLO").End()
	call.End()
	pghold.Call{}.Within(ctx) // of nobody
	c.Release()
	if calls := r.Snapshot().Series[0].SlowCalls; len(calls) != 1 || calls[0].What != "redis GET" {
		t.Errorf("the slow calls are %+v, want the outer one", calls)
	}
}
