package pghold

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

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
