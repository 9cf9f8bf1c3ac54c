package httphold

import (
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold"
)

// The page's first line is what matters most, of the pool that is worst off.
func TestVerdict(t *testing.T) {
	const ms = time.Millisecond
	silent := pghold.Hold{Pool: "main", Held: time.Second, LongestGap: pghold.Gap{Duration: waitsFor}}
	calls := pghold.Hold{Pool: "main", Held: ms, SlowCalls: []pghold.SlowCall{{What: "sleep", Open: true}}}
	itself := pghold.Hold{Pool: "main", Held: ms, OwnWait: &pghold.OwnWait{}}
	busy := silent
	busy.Running = true
	before := silent
	before.LongestGap.Before.Line = 7
	intended := silent
	intended.Intended = true
	short := silent
	short.LongestGap.Duration--
	main := pghold.PoolSnapshot{Name: "main", Max: 15, Checkouts: 12}
	waits := func(n uint64, sum time.Duration) []pghold.PoolWaits {
		return []pghold.PoolWaits{{Pool: "main", Waits: n, WaitTime: sum}}
	}
	with := func(p pghold.PoolSnapshot, f func(*pghold.PoolSnapshot)) pghold.PoolSnapshot { f(&p); return p }
	for _, c := range []struct {
		pools []pghold.PoolSnapshot
		open  []pghold.Hold
		waits []pghold.PoolWaits
		want  string
		bad   bool
	}{
		{[]pghold.PoolSnapshot{main}, []pghold.Hold{busy, before, intended, short}, nil,
			"Nothing waits: 12 of 15 connections of main are held, and nobody had to wait for one in the last minute.", false},
		{[]pghold.PoolSnapshot{main}, []pghold.Hold{silent, calls, itself, busy}, waits(2400, 240*time.Second),
			"3 of 15 connections of main are held by requests that wait for something else; 40.0 requests/s had to wait for one in the last minute, 100.0 ms each.", true},
		{[]pghold.PoolSnapshot{with(main, func(p *pghold.PoolSnapshot) { p.Waiting = 7 })}, []pghold.Hold{silent}, nil,
			"1 of 15 connections of main is held by requests that wait for something else; nobody had to wait for one in the last minute, 7 requests now.", true},
		{[]pghold.PoolSnapshot{main}, []pghold.Hold{silent}, waits(1, 5*ms),
			"1 of 15 connections of main is held by requests that wait for something else; 1 request had to wait for one in the last minute, 5.0 ms each.", false},
		{[]pghold.PoolSnapshot{main}, nil, waits(6, 600*ms),
			"Requests wait for one of the 15 connections of main, and none that has one waits for something else: 6 requests had to wait for one in the last minute, 100.0 ms each.", true},
		{[]pghold.PoolSnapshot{main}, nil, waits(6, 600*ms-6),
			"Nothing waits: 12 of 15 connections of main are held, and 6 requests had to wait for one in the last minute, 100.0 ms each.", false},
		{[]pghold.PoolSnapshot{with(main, func(p *pghold.PoolSnapshot) { p.CountsOnly, p.Waiting = true, 2 })}, nil, waits(2, 0),
			"Requests wait for one of the 15 connections of main, and none that has one waits for something else: 2 requests had to wait for one in the last minute, 0 each, 2 requests seen to do so now.", true},
		{[]pghold.PoolSnapshot{with(main, func(p *pghold.PoolSnapshot) { p.Deadlock = true })}, []pghold.Hold{itself}, nil,
			"Nobody gets one of the 15 connections of main: all are held by requests that wait for another.", true},
		{[]pghold.PoolSnapshot{{Name: "plain", Checkouts: 1}}, nil, nil,
			"Nothing waits: 1 connection of plain is held, and nobody waits now.", false},
		{[]pghold.PoolSnapshot{{Name: "blind", CountsOnly: true}}, nil, nil,
			"0 connections of blind are held; who waits is not known.", false},
		{[]pghold.PoolSnapshot{{Name: "first", Max: 3}, main, {Name: "last", Max: 3}}, []pghold.Hold{silent}, nil,
			"1 of 15 connections of main is held by requests that wait for something else; nobody had to wait for one in the last minute.", false},
		{nil, nil, nil, "", false},
	} {
		s := &pghold.Snapshot{Pools: c.pools, Open: c.open, Windows: []pghold.Window{{Asked: time.Minute, Duration: time.Minute, Pools: c.waits}}}
		if got := newVerdict(s); got.Text != c.want || got.Bad != c.bad {
			t.Errorf("got %q (bad: %v), want %q (%v)", got.Text, got.Bad, c.want, c.bad)
		}
	}
}

// A deadlock is told of each pool.
func TestPage_TellsOfEachDeadlock(t *testing.T) {
	s := &pghold.Snapshot{Pools: []pghold.PoolSnapshot{{Name: "a", Max: 4, Deadlock: true}, {Name: "b", Max: 2, Deadlock: true}}}
	var b strings.Builder
	if err := page.Execute(&b, newView(s)); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{"Nobody gets one of the 4 connections of a:": 1, "b: deadlock.": 1, "a: deadlock.": 0} {
		if n := strings.Count(b.String(), text); n != want {
			t.Errorf("the page says %q %d times, want %d:\n%s", text, n, want, b.String())
		}
	}
}

// What has just begun, or was hardly silent, is not above what matters.
func TestPage_PutsTriflesBelow(t *testing.T) {
	series := func(route string, n int, each, worst time.Duration) *pghold.Series {
		s := &pghold.Series{Pool: "main", Route: route, Worst: pghold.Hold{Held: worst}}
		for range n {
			s.Held.Add(each)
			s.Silent.Add(each)
		}
		return s
	}
	s := &pghold.Snapshot{
		Open: []pghold.Hold{{Pool: "main", Route: "GET /old", Held: young}, {Pool: "main", Route: "GET /young", Held: young - 1}, {Pool: "main", Route: "GET /calls", SlowCalls: []pghold.SlowCall{{Open: true}}}},
		Series: []*pghold.Series{series("GET /often", 5000, 999*time.Microsecond, time.Millisecond), series("GET /once", 5000, 900*time.Microsecond, waitsFor),
			series("GET /silent", 1, time.Millisecond, time.Millisecond)},
	}
	var b strings.Builder
	if err := page.Execute(&b, newView(s)); err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, want := range []string{"<h2>Open now", "GET /old", "GET /calls", "and 1 held for less than 10 ms so far.", "<h2>Finished", "GET /once", "GET /silent",
		"<details><summary>1 more route and line whose holds were silent for less than 1 ms each, on average, and none for 100 ms", "GET /often"} {
		i := strings.Index(b.String(), want)
		if i < last {
			t.Errorf("the page does not say %q where it should:\n%s", want, b.String())
		}
		last = max(last, i)
	}
	if strings.Contains(b.String(), "GET /young") {
		t.Error("the page has a hold that has just begun")
	}
}
