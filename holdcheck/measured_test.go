package holdcheck

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// saw is a snapshot of slow calls: each took a second, was made in slow, in a hold
// that taker took for callers.
type saw struct {
	taker   string
	callers []string
	slow    string
}

func snapshotOf(calls ...saw) *pghold.Snapshot {
	s := &pghold.Snapshot{}
	for i, c := range calls {
		call := pghold.SlowCalls{What: "GET x/", Site: pghold.Site{Func: "app." + c.slow, File: "/src/app.go", Line: i + 1}, Count: 2, Duration: time.Second}
		for _, f := range append([]string{c.taker}, c.callers...) {
			call.IDs = append(call.IDs, pghold.NewPlaceID("app."+f, "app."+c.slow))
		}
		s.Series = append(s.Series, &pghold.Series{Pool: "main", Route: "GET /", Site: pghold.Site{Func: "app." + c.taker + ".func1"}, SlowCalls: []pghold.SlowCalls{call}})
	}
	return s
}

// byHelper is a finding whose connection is taken by a helper.
func byHelper(hold, slow, helper string) Finding {
	f := between(hold, slow, Medium)
	f.openers = []string{"app." + hold, "app." + helper + "[...]"}
	return f
}

func TestApplySnapshot(t *testing.T) {
	s := func(seconds float64) *float64 { return &seconds }
	for name, c := range map[string]struct {
		findings            []Finding
		saw                 []saw
		want                []*float64 // of each finding
		shared, unexplained int
	}{
		"the function that took the connection": {
			[]Finding{between("a", "x", High), between("b", "x", High)},
			[]saw{{"a", nil, "x"}, {"a", nil, "x"}}, []*float64{s(2), nil}, 0, 0},
		"another slow call behind the same call": {
			[]Finding{between("a", "x", High, "y")},
			[]saw{{"a", nil, "x"}, {"a", nil, "y"}}, []*float64{s(2)}, 0, 0},
		"a helper took it, and the caller is known": {
			[]Finding{byHelper("a", "x", "execTx"), byHelper("b", "x", "execTx")},
			[]saw{{"execTx", []string{"a", "main"}, "x"}}, []*float64{s(1), nil}, 0, 0},
		"a helper took it, and nothing says for whom": {
			[]Finding{byHelper("a", "x", "execTx"), byHelper("b", "x", "execTx"), byHelper("c", "y", "execTx")},
			[]saw{{"execTx", nil, "x"}}, []*float64{s(1), s(1), nil}, 1, 0},
		"two callers of the helper in one series": {
			[]Finding{byHelper("a", "x", "execTx"), byHelper("b", "x", "execTx"), byHelper("c", "x", "execTx")},
			[]saw{{"execTx", []string{"a", "b"}, "x"}}, []*float64{s(1), s(1), nil}, 1, 0},
		"a caller further up holds one of its own": {
			[]Finding{byHelper("a", "x", "execTx"), between("handler", "x", High)},
			[]saw{{"execTx", []string{"a", "handler"}, "x"}}, []*float64{s(1), nil}, 0, 0},
		"no finding but one of a caller that holds one of its own": {
			[]Finding{between("handler", "x", High)},
			[]saw{{"execTx", []string{"a", "handler"}, "x"}}, []*float64{nil}, 0, 1},
		"nothing found it": {
			[]Finding{between("a", "x", High)},
			[]saw{{"a", nil, "plugin"}, {"b", nil, "x"}}, []*float64{nil}, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Result{Findings: slices.Clone(c.findings)}
			for range 2 { // the second time is no addition
				ApplySnapshot(r, snapshotOf(c.saw...))
			}
			for i, f := range c.findings {
				at := slices.IndexFunc(r.Findings, func(g Finding) bool { return g.Worst().ID == f.Worst().ID })
				if got := r.Findings[at].Held; (got == nil) != (c.want[i] == nil) || got != nil && *got != *c.want[i] {
					t.Errorf("%s: got %v, want %v", f.Worst().ID, deref(got), deref(c.want[i]))
				}
			}
			if len(r.Shared) != c.shared || len(r.Unexplained) != c.unexplained {
				t.Errorf("shared %+v, unexplained %+v; want %d and %d", r.Shared, r.Unexplained, c.shared, c.unexplained)
			}
			if c.shared == 1 && len(r.Shared[0].Findings) != 2 {
				t.Errorf("shared by %q, want two findings", r.Shared[0].Findings)
			}
		})
	}
}

func deref(f *float64) any {
	if f == nil {
		return nil
	}
	return *f
}

func TestApplySnapshot_WhatCostsMostIsFirst(t *testing.T) {
	r := &Result{
		Findings: []Finding{between("a", "x", High), between("b", "x", Low), between("c", "x", Medium)},
		Ignored:  []Ignored{{Finding: between("d", "x", High)}},
	}
	ApplySnapshot(r, snapshotOf(saw{"b", nil, "x"}, saw{"b", nil, "x"}, saw{"c", nil, "x"}, saw{"d", nil, "x"}))
	if got, want := idsOf(r.Findings), []string{"app.b>app.x", "app.c>app.x", "app.a>app.x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if r.Unexplained != nil || r.Ignored[0].Held == nil {
		t.Errorf("unexplained %+v: what is ignored explains it", r.Unexplained)
	}
}

// A snapshot of before there were names has functions all the same.
func TestApplySnapshot_WithoutIDs(t *testing.T) {
	s := snapshotOf(saw{"a", nil, "x"})
	s.Series[0].SlowCalls[0].IDs = nil
	s.Series[0].SlowCalls = append(s.Series[0].SlowCalls, pghold.SlowCalls{What: pghold.Folded, Count: 7})
	r := &Result{Findings: []Finding{between("a", "x", High)}}
	ApplySnapshot(r, s)
	if r.Findings[0].Held == nil || *r.Findings[0].Held != 1 || r.Unexplained != nil {
		t.Errorf("got %+v", r)
	}
}

func TestMeasured_String(t *testing.T) {
	m := Measured{What: "GET x/", File: "/src/shop/pay.go", Line: 12, Func: "example.com/shop.(*Service).Pay.func1"}
	if got, want := m.String(), "GET x/ at pay.go:12 (shop.(*Service).Pay.func1)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// These stand for an application: a helper that takes a connection, and two functions
// that use it.

type app struct {
	ctx  context.Context
	pool *pghold.Pool
}

//go:noinline
func (a *app) execTx(f func()) {
	c := a.pool.Checkout(a.ctx)
	defer c.Release()
	f()
}

func (a *app) pay() { a.execTx(a.charge) }

func (a *app) refund() {
	a.execTx(func() {
		call := pghold.StartSlowCall(a.ctx, "GET refund.example.com/")
		time.Sleep(time.Millisecond)
		call.End()
	})
}

//go:noinline
func (a *app) charge() {
	call := pghold.StartSlowCall(a.ctx, "GET charge.example.com/")
	time.Sleep(time.Millisecond)
	call.End()
}

// What a recorder really saw fits what source says, inlined or not.
func TestApplySnapshot_OfARecorder(t *testing.T) { synctest.Test(t, applySnapshotOfARecorder) }

func applySnapshotOfARecorder(t *testing.T) {
	const prefix = "github.com/pghold/pghold/holdcheck.(*app)."
	found := func(hold, slow string) Finding {
		f := between("", "", High)
		f.Calls[0].ID, f.openers = pghold.NewPlaceID(prefix+hold, prefix+slow), []string{prefix + hold, prefix + "execTx"}
		return f
	}
	recorder := pghold.NewRecorder(pghold.Config{})
	a := &app{pghold.WithRoute(t.Context(), "GET /"), recorder.Pool("main")}
	a.pay()
	a.refund()
	r := &Result{Findings: []Finding{found("pay", "charge"), found("refund", "refund"), found("other", "charge")}}
	ApplySnapshot(r, recorder.Snapshot())
	for _, f := range r.Findings {
		if measured, want := f.Held != nil && *f.Held == 0.001, f.Worst().ID != pghold.NewPlaceID(prefix+"other", prefix+"charge"); measured != want {
			t.Errorf("%s: measured %v, want %v", f.Worst().ID, measured, want)
		}
	}
	if r.Shared != nil || r.Unexplained != nil {
		t.Errorf("shared %+v, unexplained %+v", r.Shared, r.Unexplained)
	}
}
