package pghold_test

import (
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
