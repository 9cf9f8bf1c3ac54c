package pghold_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

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
		if !strings.HasSuffix(site.File, "checkout_test.go") || !strings.HasSuffix(site.Func, "KnowsWhatItsTimeWentTo") {
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

// A hold with one statement, and the lines of both, costs one allocation, whichever
// line sends the statement.
func TestHold_Allocations(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	p, ctx := r.Pool("main"), pghold.WithRoute(t.Context(), "GET /")
	oneLine := func() *pghold.Checkout { c := p.Wait(ctx).Checkout(); c.BeginStatement(); return c }
	for name, begin := range map[string]func() *pghold.Checkout{
		"the same line": oneLine,
		"another line": func() *pghold.Checkout {
			c := p.Wait(ctx).Checkout()
			c.BeginStatement()
			return c
		},
	} {
		lines := 0
		got := testing.AllocsPerRun(1000, func() {
			c := begin()
			c.EndStatement(false)
			c.Release()
		})
		c := begin()
		if h, ok := c.Describe(); ok {
			lines = h.Last.Line - h.Site.Line
		}
		c.Release()
		if want := map[string]int{"another line": 1}[name]; lines != want {
			t.Errorf("%s: the statement was sent %d lines below, want %d", name, lines, want)
		}
		if got > 1 {
			t.Errorf("%s: %v allocations for a hold, want 1", name, got)
		}
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
