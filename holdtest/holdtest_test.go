package holdtest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
)

// told is a test that is failed, and goes on.
type told struct {
	testing.TB
	errors, logs []string
}

func (t *told) Helper()           {}
func (t *told) Error(args ...any) { t.errors = append(t.errors, fmt.Sprint(args...)) }
func (t *told) Errorf(format string, a ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, a...))
}
func (t *told) Logf(format string, a ...any) { t.logs = append(t.logs, fmt.Sprintf(format, a...)) }

const slow = "POST 127.0.0.1:4711/charges"

// handled is a recorder that has seen a slow call and a gap of 3 ms, in holds of a
// route, in virtual time.
func handled(t *testing.T) *pghold.Recorder {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /bad")
	c := r.Pool("main").Checkout(ctx)
	c.BeginStatement()
	c.EndStatement(true)
	call := pghold.StartSlowCall(ctx, slow)
	time.Sleep(time.Microsecond)
	call.End()
	c.BeginStatement()
	c.EndStatement(false)
	c.Release()
	c = r.Pool("main").Checkout(ctx)
	c.BeginStatement()
	c.EndStatement(true)
	time.Sleep(3 * time.Millisecond)
	c.BeginStatement()
	c.EndStatement(true)
	c.Release()
	return r
}

func TestFail(t *testing.T) { synctest.Test(t, fail) }

func fail(t *testing.T) {
	const (
		bySlowCall = "GET /bad holds a connection of main, taken at holdtest_test.go:"
		fn         = "holdtest_test.handled"
	)
	call := holdtest.Place{Func: "*.handled", Call: "POST 127.0.0.1:*/charges", Reason: "asked for"}
	gap := holdtest.Place{Func: fn, Reason: "asked for"}
	tight := func(r holdtest.Rules) holdtest.Rules { r.MaxGap = time.Millisecond; return r }
	for name, test := range map[string]struct {
		rules  holdtest.Rules
		errors []string // what each must have in it, in order
		logs   []string
	}{
		"slow call":                 {holdtest.Rules{}, []string{"while it calls " + slow + " at holdtest_test.go:"}, nil},
		"both":                      {tight(holdtest.Rules{}), []string{"and sends no statement between holdtest_test.go:", "while it calls " + slow}, nil},
		"accepted":                  {tight(holdtest.Rules{Accepted: []holdtest.Place{call, gap}}), nil, nil},
		"accepted by its full name": {holdtest.Rules{Accepted: []holdtest.Place{{Func: "github.com/pghold/pghold/" + fn, Call: slow, Reason: "x"}}}, nil, nil},
		"accepted without a reason": {holdtest.Rules{Accepted: []holdtest.Place{{Func: fn, Call: slow}}}, []string{"is accepted without a reason"}, nil},
		"another function":          {holdtest.Rules{Accepted: []holdtest.Place{{Func: "handle", Call: slow, Reason: "x"}}}, []string{slow}, nil},
		"another call":              {holdtest.Rules{Accepted: []holdtest.Place{{Func: fn, Call: "GET *", Reason: "x"}}}, []string{slow}, nil},
		"the gap only":              {tight(holdtest.Rules{Accepted: []holdtest.Place{gap}}), []string{slow}, nil},
		"to be mended":              {tight(holdtest.Rules{ToMend: []holdtest.Place{call, gap}}), nil, []string{"still to be mended: " + bySlowCall, "still to be mended: " + bySlowCall}},
	} {
		tt := &told{TB: t}
		holdtest.Fail(tt, handled(t), test.rules)
		for what, pair := range map[string][2][]string{"errors": {tt.errors, test.errors}, "logs": {tt.logs, test.logs}} {
			got, want := pair[0], pair[1]
			ok := len(got) == len(want)
			for i := range want {
				found := false
				for _, g := range got {
					found = found || strings.Contains(g, want[i])
				}
				ok = ok && found
			}
			if !ok {
				t.Errorf("%s: the %s are %q, want %q", name, what, got, want)
			}
		}
	}
}

// silentSeries is a snapshot of a route's one series.
func silentSeries(series pghold.Series) *pghold.Snapshot {
	series.Pool, series.Route, series.Site = "main", "GET /", pghold.Site{Func: "app.serve", File: "app.go", Line: 1}
	return &pghold.Snapshot{Series: []*pghold.Series{&series}}
}

// A gap is not excused by a slow call that took little of it, nor by being one of too
// many.
func TestFind_Gaps(t *testing.T) { synctest.Test(t, gaps) }

func gaps(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	ctx := pghold.WithRoute(t.Context(), "GET /bad")
	c := r.Pool("main").Checkout(ctx)
	c.BeginStatement()
	c.EndStatement(true)
	call := pghold.StartSlowCall(ctx, slow)
	time.Sleep(time.Microsecond)
	call.End()
	time.Sleep(20 * time.Millisecond)
	c.Release()
	accepted := holdtest.Place{Func: "*", Call: slow, Reason: "it is short"}
	found := holdtest.Find(r.Snapshot(), holdtest.Rules{MaxGap: 10 * time.Millisecond, Accepted: []holdtest.Place{accepted}})
	if len(found) != 1 || found[0].Call != "" || found[0].Longest != 20*time.Millisecond+time.Microsecond {
		t.Errorf("found %v, want the gap around the short call", found)
	}

	folded := func(call string, d time.Duration) *pghold.Snapshot {
		return silentSeries(pghold.Series{Gaps: []pghold.Gaps{{SlowCall: call, Count: 3, Duration: 3 * d, Longest: d}}})
	}
	for name, test := range map[string]struct {
		snapshot *pghold.Snapshot
		accepted string // the function
		want     int
	}{
		"too many":                 {folded("", time.Second), "", 1},
		"too many, accepted":       {folded("", time.Second), pghold.Folded, 0},
		"too many, short":          {folded("", time.Millisecond), "", 0},
		"just as long as it may":   {folded("", 100*time.Millisecond), "", 0},
		"a bit longer":             {folded("", 100*time.Millisecond+1), "", 1},
		"accepted with two stars":  {folded("", time.Second), "*any place*", 1},
		"with two that fit":        {folded("", time.Second), "(*o*)", 0},
		"too many, in slow calls":  {folded(pghold.Folded, time.Second), "", 0}, // these are found themselves
		"too many slow calls":      {silentSeries(pghold.Series{SlowCalls: []pghold.SlowCalls{{What: pghold.Folded, Count: 3}}}), "", 1},
		"in a slow call of a name": {folded("GET x/", time.Second), "", 0},
	} {
		var rules holdtest.Rules
		if test.accepted != "" {
			rules.Accepted = []holdtest.Place{{Func: test.accepted, Reason: "x"}}
		}
		found := holdtest.Find(test.snapshot, rules)
		if len(found) != test.want {
			t.Errorf("%s: found %v, want %d", name, found, test.want)
		}
		for _, f := range found {
			what := "sends no statement for a while, at places that were too many to be kept apart: 3 times"
			if f.Call != "" {
				what = "makes slow calls that were too many to be kept apart: 3 times"
			}
			if !strings.Contains(f.String(), what) {
				t.Errorf("%s: it says %q, want %q", name, f, what)
			}
		}
	}
}

// What it says can be put into the list as it stands.
func TestFail_SaysHowToAccept(t *testing.T) { synctest.Test(t, saysHowToAccept) }

func saysHowToAccept(t *testing.T) {
	tt := &told{TB: t}
	holdtest.Fail(tt, handled(t), holdtest.Rules{})
	const want = `holdtest.Place{Func: "holdtest_test.handled", Call: "POST 127.0.0.1:*/charges", Reason: "…"}`
	if len(tt.errors) != 1 || !strings.Contains(tt.errors[0], want) {
		t.Errorf("got %q, want it to say %s", tt.errors, want)
	}
	for _, part := range []string{": once, for ", "(holdtest_test.handled)"} {
		if !strings.Contains(tt.errors[0], part) {
			t.Errorf("got %q, want %q in it", tt.errors[0], part)
		}
	}
}

func TestFail_WithoutARecorder(t *testing.T) {
	tt := &told{TB: t}
	holdtest.Fail(tt, nil, holdtest.Rules{})
	if len(tt.errors) != 1 {
		t.Errorf("got %q, want one error", tt.errors)
	}
}

// A handler that returns a moment after its answer is waited for; a hold that is
// never released is found.
func TestFind_WhatIsStillOpen(t *testing.T) { synctest.Test(t, whatIsStillOpen) }

func whatIsStillOpen(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	c := r.Pool("main").Checkout(pghold.WithRoute(t.Context(), "GET /leak"))
	found := holdtest.Find(r.Snapshot(), holdtest.Rules{})
	if len(found) != 1 || !found[0].Open || found[0].Count != 1 || !strings.Contains(found[0].String(), "has not given it back") {
		t.Errorf("found %v, want the open hold", found)
	}
	time.AfterFunc(10*time.Millisecond, c.Release)
	looked := &told{TB: t}
	if holdtest.Fail(looked, r, holdtest.Rules{}); len(looked.errors) != 0 {
		t.Errorf("a hold that was released meanwhile was found: %q", looked.errors)
	}
	defer r.Pool("main").Checkout(t.Context()).Release() // the test's own
	began := time.Now()
	if holdtest.Fail(looked, r, holdtest.Rules{}); len(looked.errors) != 0 || !time.Now().Equal(began) {
		t.Errorf("it waited for %v for the test's own hold, and found %q", time.Since(began), looked.errors)
	}
}
