package plan

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func measured(t *testing.T, group string) *experiment.Result {
	t.Helper()
	b, err := os.ReadFile("../../../../docs/results/" + group + ".json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := experiment.ReadResult(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCalibrate_TakesEachCostFromWhereItIs(t *testing.T) {
	s := experiment.Defaults()
	s.Distance = 3 * time.Millisecond
	ms := time.Millisecond
	loaded := experiment.RouteResult{
		Name: inside, Requests: 500, Outcomes: experiment.Outcomes{OK: 240, ClientTimeout: 260},
		Time:        experiment.TimeSplit{PoolWait: 15 * time.Second, Busy: 10 * ms, Slow: 2004 * ms},
		Latency:     experiment.Quantiles{Mean: 23 * time.Second},
		Holds:       experiment.Holds{Count: 270, Wait: experiment.Quantiles{Min: 7 * ms, P50: 14 * time.Second, Max: 29 * time.Second}, Handover: experiment.Quantiles{Mean: ms, P50: ms / 2}},
		Connections: experiment.Connections{Max: 15},
	}
	free := experiment.RouteResult{
		Name: outside, Requests: 500, Outcomes: experiment.Outcomes{OK: 500},
		Time:        experiment.TimeSplit{PoolWait: 1 * ms, Busy: 12 * ms, Slow: 2006 * ms},
		Latency:     experiment.Quantiles{Mean: 2024 * ms},
		Holds:       experiment.Holds{Count: 500, Wait: experiment.Quantiles{P50: ms / 10, Max: 9 * ms}},
		Connections: experiment.Connections{Max: 2},
	}
	got := Calibrate(&experiment.Result{Kind: experiment.Measured, Settings: s, Routes: []experiment.RouteResult{loaded, free}})
	want := Overheads{
		Statement: 2500 * time.Microsecond, // of 5-3 and 6-3 ms
		Call:      5 * ms,                  // of 4 and 6
		Request:   5 * ms,                  // of the free one only
		Connect:   8 * ms,                  // of 7 and 9
		Handover:  ms,                      // of the loaded one, where somebody was queued
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := Calibrate(&experiment.Result{}); got != (Overheads{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

// The runs that docs/guide.md quotes, predicted from their settings and what they
// measured of their overheads.
func TestFromRun_PredictsTheRun(t *testing.T) {
	r := measured(t, "seed")
	qs, err := FromRun(r)
	if err != nil {
		t.Fatal(err)
	}
	predicted, err := Ask(r.Settings, qs, 0)
	if err != nil {
		t.Fatal(err)
	}
	near := func(route, figure string, got, want, by float64) {
		if math.Abs(got-want) > by*want {
			t.Errorf("%s: %s %.4g predicted, %.4g measured", route, figure, got, want)
		}
	}
	for i, want := range r.Routes {
		got := predicted.Routes[i]
		near(want.Name, "throughput", got.Throughput, want.Throughput, 0.01)
		near(want.Name, "success", got.SuccessRatio, want.SuccessRatio, 0.005)
		near(want.Name, "p50", got.Latency.P50.Seconds(), want.Latency.P50.Seconds(), 0.02)
		near(want.Name, "p99", got.Latency.P99.Seconds(), want.Latency.P99.Seconds(), 0.02)
		near(want.Name, "mean", got.Latency.Mean.Seconds(), want.Latency.Mean.Seconds(), 0.02)
	}
	for _, group := range []string{"remedies", "guards", "pools", "pgbouncer", "trips", "streaming", "price"} {
		if got := Calibrate(measured(t, group)); got.Statement == 0 && group != "pgbouncer" || got.Statement > 5*time.Millisecond || got.Call > 5*time.Millisecond {
			t.Errorf("%s: %+v", group, got)
		}
	}
}

func TestFromRun_RefusesWhatTellsNothing(t *testing.T) {
	predicted := measured(t, "seed")
	predicted.Kind = experiment.Predicted
	unknown := measured(t, "seed")
	unknown.Routes[0].Name = "from_the_future"
	for _, c := range []struct {
		r    *experiment.Result
		want string
	}{
		{predicted, "predicted, not measured"},
		{&experiment.Result{Kind: experiment.Measured}, "no route"},
		{unknown, `"from_the_future"`},
	} {
		if _, err := FromRun(c.r); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// sketchOf is a sketch of these durations.
func sketchOf(ds ...time.Duration) (s pghold.Sketch) {
	for _, d := range ds {
		s.Add(d)
	}
	return s
}

func repeated(d time.Duration, n int) []time.Duration { return slices.Repeat([]time.Duration{d}, n) }

// service is a snapshot of a minute: /slow holds its connection through a call of 2 s
// in a transaction, 10 times per second, and /fast reads in 4 ms, 50 times.
func service() *pghold.Snapshot {
	began := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	slow := &pghold.Series{
		Pool: "main", Route: "/slow", Held: sketchOf(repeated(2004*time.Millisecond, 300)...), Silent: sketchOf(repeated(2*time.Second, 300)...),
		Busy: 300 * 4 * time.Millisecond, SilentInTransaction: 300 * 2 * time.Second, Statements: 600,
	}
	elsewhere := *slow
	elsewhere.Site = pghold.Site{File: "other.go", Line: 7}
	return &pghold.Snapshot{
		Version: 1, Began: began, Taken: began.Add(time.Minute),
		Pools: []pghold.PoolSnapshot{{Name: "main", Max: 12, Checkouts: 3600}},
		Series: []*pghold.Series{slow, &elsewhere, {
			Pool: "main", Route: "/fast", Held: sketchOf(repeated(4*time.Millisecond, 3000)...), Silent: sketchOf(repeated(0, 3000)...),
			Busy: 3000 * 4 * time.Millisecond, Statements: 3000,
		}},
	}
}

func TestFromSnapshot_DescribesEachRoute(t *testing.T) {
	qs, err := FromSnapshot(service(), experiment.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if len(qs) != 3 || qs[0].Name != AllRoutes || qs[1].Name != "/slow" || qs[2].Name != "/fast" {
		t.Fatalf("got %d questions: %+v", len(qs), qs)
	}
	slow, fast := qs[1], qs[2]
	if s := slow.Settings; s.Rate != 10 || s.Slow != 2*time.Second || s.PoolSize != 12 || s.MaxOverflow != 0 {
		t.Errorf("/slow: %+v", s)
	}
	if got, want := slow.Route.Steps, []experiment.Step{experiment.Statement, experiment.SlowCall, experiment.Release}; !slices.Equal(got, want) {
		t.Errorf("/slow: %v, want %v", got, want)
	}
	if got := slow.Model.Overheads.Statement; got != 2*time.Millisecond {
		t.Errorf("/slow: %v a statement, want 2 ms", got)
	}
	if d := slow.demand(); d.checkout.Round(time.Millisecond) != 2004*time.Millisecond {
		t.Errorf("/slow: held for %v, want 2004 ms", d.checkout)
	}
	if got, want := fast.Route.Steps, []experiment.Step{experiment.Autocommit, experiment.Release}; !slices.Equal(got, want) || fast.Settings.Rate != 50 {
		t.Errorf("/fast: %v at %v/s, want %v at 50/s", got, fast.Settings.Rate, want)
	}
	if d := fast.demand(); d.checkout != 4*time.Millisecond {
		t.Errorf("/fast: held for %v, want 4 ms", d.checkout)
	}
	// All holds as one: as many, as long.
	all := qs[0]
	used := all.Settings.Rate * all.demand().checkout.Seconds()
	if want := 10*2.004 + 50*0.004; math.Abs(used-want) > 0.01*want {
		t.Errorf("all: %.4g connections in use in the mean, want %.4g", used, want)
	}
}

// Prediction, from a snapshot, of what the pool did: 20 Erlangs on 12 connections.
func TestFromSnapshot_CanBeAsked(t *testing.T) {
	base := experiment.Defaults()
	base.Duration, base.ClientTimeout, base.PoolTimeout = time.Minute, 10*time.Second, 5*time.Second
	qs, err := FromSnapshot(service(), base)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Breaks(qs[1])
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(b.Stations[0].Capacity-(12-50*0.004)/2.004) > 1e-6 || b.Rate > b.Stations[0].Capacity || b.Rate < 5.8 || b.Stations[0].Name != "connections" {
		t.Errorf("breaks at %v by %+v, want about 5.9/s by the connections, of which the other route takes 0.2", b.Rate, b.Stations)
	}
	if used, want := qs[2].used(), 10*2.004+50*0.004; math.Abs(used-want) > 1e-6 {
		t.Errorf("beside /slow, /fast finds %v connections in use, want %v with its own", used, want)
	}
	if rest := qs[0].timeouts().Rest; rest < 2*time.Second { // one request in six calls
		t.Errorf("95 %% of the requests need no more than %v once they have a connection, want 2 s", rest)
	}
	a, err := WhatIf(qs[1], 2)
	if err != nil {
		t.Fatal(err)
	}
	if a.Before.SuccessRatio > 0.7 || a.After.SuccessRatio != 1 {
		t.Errorf("%v answered, and with the call moved out %v", a.Before.SuccessRatio, a.After.SuccessRatio)
	}
	n, err := HowMany(qs[0], targetsOf(t, "success>=0.999"), Database{})
	if err != nil {
		t.Fatal(err)
	}
	if n.Lasting < 20 || n.Lasting > 45 {
		t.Errorf("all routes together take %d connections where the load lasts, want a few more than 20", n.Lasting)
	}
}

func TestFromSnapshot_CountsWhoWaitedInVain(t *testing.T) {
	s := service()
	s.Pools[0].Timeouts = 3600
	s.Open = []pghold.Hold{{Pool: "main", Route: "/slow"}, {Pool: "main", Route: "/slow"}, {Pool: "gone", Route: "/slow"}}
	qs, err := FromSnapshot(s, experiment.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if got := qs[1].Settings.Rate; got != 20.07 { // twice (600 + 2 that are open) in a minute
		t.Errorf("got %v/s, want 20.07", got)
	}
}

// Connections that are held on purpose are no load, and nobody else gets them.
func TestFromSnapshot_LeavesOutWhatIsHeldOnPurpose(t *testing.T) {
	s := service()
	s.Series = append(s.Series, &pghold.Series{
		Pool: "main", Route: "LISTEN orders", Intended: true, Held: sketchOf(time.Hour, time.Hour), Silent: sketchOf(time.Hour, time.Hour),
	})
	s.Open = []pghold.Hold{{Pool: "main", Route: "LISTEN orders", Intended: true}, {Pool: "main", Route: "leader", Intended: true}}
	qs, err := FromSnapshot(s, experiment.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if len(qs) != 3 || qs[1].Name != "/slow" || qs[1].Settings.Connections() != 10 || qs[1].Settings.Rate != 10 {
		t.Errorf("got %d questions, the second is %s with %d connections at %v/s; want both routes and all, with 10 of 12, at 10/s", len(qs), qs[1].Name, qs[1].Settings.Connections(), qs[1].Settings.Rate)
	}
}

func TestFromSnapshot_KeepsPoolsApart(t *testing.T) {
	s := service()
	s.Series[2].Pool = "reports"
	qs, err := FromSnapshot(s, experiment.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if len(qs) != 2 || qs[0].Name != "main: /slow" || qs[1].Name != "reports: /fast" || qs[1].Settings.Connections() != 15 {
		t.Errorf("got %+v", qs)
	}
}

func TestFromSnapshot_RefusesWhatTellsNothing(t *testing.T) {
	edit := func(change func(*pghold.Snapshot)) *pghold.Snapshot {
		s := service()
		change(s)
		return s
	}
	for want, s := range map[string]*pghold.Snapshot{
		"the snapshot is empty":    edit(func(s *pghold.Snapshot) { s.Series = nil }),
		"no hold has ended":        edit(func(s *pghold.Snapshot) { s.Series = []*pghold.Series{{Route: "/never"}} }),
		"the snapshot covers no t": edit(func(s *pghold.Snapshot) { s.Taken = s.Began }),
		"or before":                edit(func(s *pghold.Snapshot) { s.Taken = s.Began.Add(-time.Hour) }),
	} {
		if _, err := FromSnapshot(s, experiment.Defaults()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestFromSnapshot_RefusesNegativeTimes(t *testing.T) {
	sketch := func(text string) (s pghold.Sketch) {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	least, sum := sketch(`{"count":1,"sum":2,"min":-2,"max":2}`), sketch(`{"count":1,"sum":-2,"min":2,"max":2}`)
	for name, change := range map[string]func(*pghold.Series){
		"the shortest hold":    func(s *pghold.Series) { s.Held = least },
		"all holds":            func(s *pghold.Series) { s.Held = sum },
		"the shortest silence": func(s *pghold.Series) { s.Silent = least },
		"all silence":          func(s *pghold.Series) { s.Silent = sum },
		"busy":                 func(s *pghold.Series) { s.Busy = -1 },
	} {
		s := service()
		change(s.Series[2])
		const want = "/fast: the snapshot has a negative time"
		if _, err := FromSnapshot(s, experiment.Defaults()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

// What a Recorder writes can be read and asked.
func TestFromSnapshot_OfARecorder(t *testing.T) {
	var recorder *pghold.Recorder
	ctx := pghold.WithRoute(context.Background(), "GET /bad")
	synctest.Test(t, func(t *testing.T) { // where the hold takes no time of ours
		recorder = pghold.NewRecorder(pghold.Config{})
		pool := recorder.Pool("main")
		checkout := pool.Wait(ctx).Checkout()
		time.Sleep(20 * time.Millisecond)
		checkout.Release()
	})
	b, err := json.Marshal(recorder.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	s, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	qs, err := FromSnapshot(s, experiment.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if len(qs) != 1 || qs[0].Name != "GET /bad" || !qs[0].Route.HoldsThroughCall() || qs[0].slow() < 20*time.Millisecond {
		t.Errorf("got %+v", qs)
	}
}

// Recorded lengths have the sketch's mean and its spread.
func TestLengths(t *testing.T) {
	s := sketchOf(append(repeated(100*time.Millisecond, 900), repeated(5*time.Second, 100)...)...)
	got := lengths(&s)
	q := experiment.NewQuantiles(got)
	if math.Abs(q.Mean.Seconds()-s.Mean().Seconds()) > 1e-3 || math.Abs(q.P50.Seconds()-0.1) > 0.004 || math.Abs(q.P95.Seconds()-5) > 0.2 {
		t.Errorf("got %+v", q)
	}
}

func TestContradictions_AreWaitsThatThePredictionDoesNotHave(t *testing.T) {
	// 12 connections, of which 6 are in use in the mean, for 2 s.
	half := func(change func(*pghold.Snapshot)) *pghold.Snapshot {
		s := service()
		s.Taken = s.Began.Add(200 * time.Second)
		change(s)
		return s
	}
	main := func(change func(*pghold.PoolSnapshot)) *pghold.Snapshot {
		return half(func(s *pghold.Snapshot) { change(&s.Pools[0]) })
	}
	for name, c := range map[string]struct {
		s    *pghold.Snapshot
		want string // in the sentence; "" where there is none
	}{
		"nobody waits": {main(func(*pghold.PoolSnapshot) {}), ""},
		"many wait now": {main(func(p *pghold.PoolSnapshot) { p.Waiting = 40 }),
			`pool "main" contradicts the prediction: 40 callers were waiting for a connection when the snapshot was taken; the prediction has `},
		"those of a pool that does not tell its size are being served": {main(func(p *pghold.PoolSnapshot) {
			p.Max, p.Waiting, p.Releases = 0, 3, p.Checkouts-3
		}), ""},
		"more of them than can be": {main(func(p *pghold.PoolSnapshot) {
			p.Max, p.Waiting, p.Releases = 0, 30, p.Checkouts-15
		}), "30 callers were waiting"},
		"only database/sql's sums": {main(func(p *pghold.PoolSnapshot) { p.Waits, p.WaitTime = 278, 745*time.Second }),
			"278 waits until then took 745 s in all, 207 ms for each connection taken"},
		// It counts a wait where it begins: more than there were checkouts are waiting, or gave up.
		"database/sql's, most of whom wait still": {main(func(p *pghold.PoolSnapshot) { p.Waits = p.Checkouts + 43 }),
			`contradicts the prediction: at least 43 waits had got no connection by then; the prediction has `},
		"database/sql's, some of whom were seen to": {main(func(p *pghold.PoolSnapshot) {
			p.CountsOnly, p.Waiting, p.Waits = true, 1, p.Checkouts+43
		}), `contradicts the prediction: 1 caller was waiting for a connection when the snapshot was taken and at least 43 waits had got no connection by then; the prediction has `},
		"only the holds' waits": {half(func(s *pghold.Snapshot) { s.Series[0].Wait = sketchOf(repeated(time.Second, 1000)...) }),
			"waits until then took 1000 s in all, 278 ms for each connection taken"},
		"connections were opened":         {main(func(p *pghold.PoolSnapshot) { p.Waits, p.WaitTime = 12, 300*time.Millisecond }), ""},
		"some waited in vain":             {main(func(p *pghold.PoolSnapshot) { p.Timeouts = 36 }), "36 waits ended by a timeout"},
		"one of thousands waited in vain": {main(func(p *pghold.PoolSnapshot) { p.Timeouts = 1 }), ""},
		"an overload that is predicted": {func() *pghold.Snapshot { // 20 of 12 connections
			s := service()
			s.Pools[0].Waiting, s.Pools[0].Waits, s.Pools[0].WaitTime = 49, 3000, 20000*time.Second
			return s
		}(), ""},
		"one that only all routes together make": {func() *pghold.Snapshot { // 10 and 10 of 12
			s := service()
			another := *s.Series[0]
			another.Route = "/fast"
			s.Series = []*pghold.Series{s.Series[0], &another}
			s.Pools[0].Checkouts, s.Pools[0].Waiting = 600, 49
			return s
		}(), ""},
	} {
		cs, err := Contradictions(c.s, experiment.Defaults(), func(q *Question) { q.Settings.Duration = time.Minute })
		switch {
		case err != nil:
			t.Fatal(err)
		case c.want == "" && len(cs) > 0:
			t.Errorf("%s: got %q", name, cs[0].Sentence)
		case c.want != "" && len(cs) != 1:
			t.Errorf("%s: got %d contradictions", name, len(cs))
		case c.want != "":
			says(t, cs[0], c.want)
			if !slices.Equal(cs[0].Cases, []string{AllRoutes, "/slow", "/fast"}) {
				t.Errorf("%s: it is said of %q", name, cs[0].Cases)
			}
			if n := len(cs[0].Sentence); n > 580 { // a report shows 600
				t.Errorf("%s: the sentence has %d characters", name, n)
			}
		}
	}
}
