package plan

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

const inside, outside = "async_session_sleep_inside_session", "async_session_sleep_outside_session"

// ask is a question about a route under the seed's settings, with some changed.
func ask(t *testing.T, route string, change func(*Question)) Question {
	t.Helper()
	routes, err := experiment.FindRoutes([]string{route})
	if err != nil {
		t.Fatal(err)
	}
	q := Question{Case: experiment.CasesOf(routes, experiment.Defaults())[0]}
	if change != nil {
		change(&q)
	}
	return q
}

func targetsOf(t *testing.T, texts ...string) (targets []Target) {
	t.Helper()
	for _, text := range texts {
		target, err := ParseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		targets = append(targets, target)
	}
	return targets
}

func says(t *testing.T, c experiment.Conclusion, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(c.Sentence, part) {
			t.Errorf("%s: want %q in %q", c.About, part, c.Sentence)
		}
	}
}

// The seed's 48 % is what 5 s of load leave: facts/experiment.md, 0.2.
func TestAsk_CountsTheSameSuccessesHoweverLongTheLoadLasts(t *testing.T) {
	for _, seconds := range []int{5, 10, 30, 60, 120} {
		q := ask(t, inside, func(q *Question) { q.Settings.Duration = time.Duration(seconds) * time.Second })
		r, err := Ask(q.Settings, []Question{q}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Routes[0]; got.Outcomes.OK != 240 || got.Requests != 100*seconds {
			t.Errorf("%d s: %d of %d answered, want 240 of %d", seconds, got.Outcomes.OK, got.Requests, 100*seconds)
		}
	}
}

func TestBudget_FindsThePoolTimeoutThatRepairsAnOverload(t *testing.T) {
	got, err := Budget(ask(t, inside, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.Sound() || got.Repair != 27900*time.Millisecond || got.Answered != 240 || got.Repaired < 900 {
		t.Errorf("got %+v, want 240 answered, and at least 900 with a pool timeout of 27.9 s", got)
	}
	says(t, got.Conclusion(), "too long", "240 of 12000", "with a pool timeout of 27.9 s")

	// What it found is sound, and serves what the connections carry.
	repaired, err := Budget(ask(t, inside, func(q *Question) { q.Settings.PoolTimeout = got.Repair }))
	if err != nil {
		t.Fatal(err)
	}
	if !repaired.Sound() {
		t.Errorf("the repairing pool timeout is not sound: %+v", repaired)
	}
	says(t, repaired.Conclusion(), "are sound")
}

func TestBudget_SaysWhatItMeansForTheLoad(t *testing.T) {
	for _, c := range []struct {
		why, route, want string
		change           func(*Question)
	}{
		{"a load that can be carried", inside, "does not matter at this load", func(q *Question) { q.Settings.Rate = 5 }},
		{"threads", "sync_session_sleep_inside_session", "no pool timeout repairs that: requests wait for a thread", nil},
		{"a call longer than its client waits", inside, "No answer can be in time", func(q *Question) { q.Settings.Slow = 40 * time.Second }},
	} {
		got, err := Budget(ask(t, c.route, c.change))
		if err != nil {
			t.Fatal(err)
		}
		if s := got.Conclusion().Sentence; !strings.Contains(s, c.want) {
			t.Errorf("%s: got %q, want %q in it", c.why, s, c.want)
		}
	}
}

// Only QueuePool has a timeout of its own. A snapshot does not tell what pool it is of.
func TestBudget_SaysNothingOfAPoolTimeoutWhereThereIsNone(t *testing.T) {
	snapshot, err := FromSnapshot(service(), experiment.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		q    Question
		want []string
	}{
		"pgxpool": {
			ask(t, inside, func(q *Question) { q.Settings.Pool = experiment.PgxPool }),
			[]string{"may last too long", "pgxpool has no pool timeout", "with a wait of at most 27.9 s, 1110."},
		},
		"database/sql": {
			ask(t, inside, func(q *Question) { q.Settings.Pool = experiment.SQLPool }),
			[]string{"may last too long", "database/sql has no pool timeout"},
		},
		"carried": {
			ask(t, inside, func(q *Question) { q.Settings.Pool, q.Settings.Rate = experiment.PgxPool, 5 }),
			[]string{"may last too long", "It does not matter at this load", "A wait of at most 27.9 s is sound."},
		},
		"sound": {
			ask(t, inside, func(q *Question) { q.Settings.Pool, q.Settings.PoolTimeout = experiment.PgxPool, 5*time.Second }),
			[]string{"are sound", "has waited 5 s, the longest that it may"},
		},
		"a thread": {
			ask(t, "sync_session_sleep_inside_session", func(q *Question) { q.Settings.Pool = experiment.PgxPool }),
			[]string{"no shorter wait repairs that: requests wait for a thread"},
		},
		"a snapshot": {snapshot[1], []string{"may last too long", "--pool-timeout and --pool tell"}},
	} {
		got, err := Budget(c.q)
		if err != nil {
			t.Fatal(err)
		}
		answer := got.Conclusion()
		says(t, answer, c.want...)
		for _, part := range []string{"The pool timeout", "a pool timeout", "the pool timeout"} {
			if strings.Contains(answer.Sentence, part) {
				t.Errorf("%s: %q in %q", name, part, answer.Sentence)
			}
		}
	}
	q := ask(t, inside, func(q *Question) { q.Settings.Pool, q.Settings.Duration = experiment.PgxPool, time.Minute })
	got, err := HowMany(q, targetsOf(t, "throughput>=7"), Database{})
	if err != nil {
		t.Fatal(err)
	}
	says(t, got.Conclusion(), "none more than the 15 that there are, and a wait of at most 27.9 s in place of 30 s")
}

func TestHowMany_FindsTheSmallestNumber(t *testing.T) {
	for _, c := range []struct {
		why     string
		q       Question
		targets []Target
	}{
		{"even arrivals", ask(t, inside, nil), targetsOf(t, "success>=0.999")},
		{"a latency", ask(t, inside, nil), targetsOf(t, "success>=0.999", "p99<=3s")},
		{"chance", ask(t, inside, func(q *Question) { q.Model.Arrivals = Poisson }), targetsOf(t, "p99<=3s")},
		{"replicas", ask(t, inside, func(q *Question) { q.Model.Replicas = 3 }), targetsOf(t, "p90<=2.5s")},
	} {
		got, err := HowMany(c.q, c.targets, Database{})
		if err != nil {
			t.Fatal(err)
		}
		enough, err := c.q.withConnections(got.Connections).look()
		if err != nil {
			t.Fatal(err)
		}
		less, err := c.q.withConnections(got.Connections - 1).look()
		if err != nil {
			t.Fatal(err)
		}
		if !allMet(c.targets, enough) || allMet(c.targets, less) {
			t.Errorf("%s: %d connections: with them %v, with one less %v", c.why, got.Connections, allMet(c.targets, enough), allMet(c.targets, less))
		}
	}
}

// A perfectly even load of 200 Erlangs that lasts takes 200 connections, not one less,
// however slowly the queue would grow.
func TestHowMany_CarriesALoadThatLasts(t *testing.T) {
	got, err := HowMany(ask(t, inside, nil), targetsOf(t, "success>=0.999"), Database{MaxConnections: 100, Surge: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	if got.Connections != 30 || got.Lasting != 200 {
		t.Errorf("got %d connections, and %d where the load lasts, want 30 and 200", got.Connections, got.Lasting)
	}
	says(t, got.Conclusion(), "30 connections for this load of 5 s, and 200 where it lasts")
}

func TestSizing_Fits(t *testing.T) {
	for _, c := range []struct {
		room, needs int
		want        bool
	}{{0, 5, true}, {4, 5, false}, {5, 5, true}, {1, 1, true}} {
		s := Sizing{Room: c.room, AtServer: c.needs, LastingAtServer: c.needs}
		if s.Fits() != c.want || s.FitsLasting() != c.want {
			t.Errorf("%d in room for %d: fits %v, and where it lasts %v", c.needs, c.room, s.Fits(), s.FitsLasting())
		}
	}
}

// To answer half of the requests takes connections for half of the load. Where waiters
// are served in turn and too late, half of a load that lasts is not to be had.
func TestCarrying_HalfOfALoad(t *testing.T) {
	for _, c := range []struct {
		pool    string
		timeout time.Duration
		want    int
	}{
		{experiment.QueuePool, 30 * time.Second, 200},
		{experiment.QueuePool, 5 * time.Second, 100},
		{experiment.PgxPool, 30 * time.Second, 200},
		{experiment.SQLPool, 30 * time.Second, 100}, // by chance
	} {
		q := ask(t, inside, func(q *Question) { q.Settings.Pool, q.Settings.PoolTimeout = c.pool, c.timeout })
		if got := carrying(q, targetsOf(t, "success>=0.5")); got != c.want {
			t.Errorf("%s with %v: %d connections, want %d", c.pool, c.timeout, got, c.want)
		}
	}
}

// What is run for months is the lasting load: its sum has to fit too.
func TestHowMany_SaysOfTheLastingSumWhetherItFits(t *testing.T) {
	q := ask(t, inside, func(q *Question) { q.Model.Replicas = 4 })
	got, err := HowMany(q, targetsOf(t, "success>=0.999"), Database{MaxConnections: 100, Surge: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why        string
		max        int
		want, not  string
		shortFails bool
	}{
		{"only the short load's fit", 100, "The server has room for 97 (max_connections less 3 reserved): they fit for this load, but the 250 do not where it lasts.", "they fit.", false},
		{"both fit", 400, "The server has room for 397: they fit, and so do the 250.", "but", false},
		{"neither fits", 20, "The server has room for 17 (max_connections less 3 reserved): they do not fit.", "they fit", true},
	} {
		got.Room = c.max - reserved
		answer := got.Conclusion()
		says(t, answer, "The 15 that there are suffice for this load.", "All in all 32 connections, 40 during a rolling deploy; where the load lasts, 200 and 250.", c.want)
		if strings.Contains(answer.Sentence, c.not) {
			t.Errorf("%s: %q in %q", c.why, c.not, answer.Sentence)
		}
		if f := answer.Figures; f["total_connections_lasting"] != 200 || f["surging_connections_lasting"] != 250 {
			t.Errorf("%s: figures %v", c.why, f)
		}
		if got.Fits() == c.shortFails {
			t.Errorf("%s: the short load's fit: %v", c.why, got.Fits())
		}
	}
	// A PgBouncer's are as many whatever the load.
	q.Settings.PgBouncer = 50
	if got, err = HowMany(q, targetsOf(t, "success>=0.1"), Database{MaxConnections: 60, Surge: 5}); err != nil {
		t.Fatal(err)
	}
	says(t, got.Conclusion(), "The server has room for 57: the 50 of PgBouncer fit.")
	// Where no number is enough for a load that lasts, nothing is said of it.
	q = ask(t, "sync_session_sleep_inside_session", nil)
	if got, err = HowMany(q, targetsOf(t, "success>=0.9"), Database{MaxConnections: 100}); err != nil {
		t.Fatal(err)
	}
	says(t, got.Conclusion(), "where it lasts, no number is enough", "The server has room for 97: they fit for this load.")
}

func TestHowMany_AddsUpReplicasAndADeploy(t *testing.T) {
	q := ask(t, inside, func(q *Question) { q.Model.Replicas = 4 })
	got, err := HowMany(q, targetsOf(t, "p99<=3s"), Database{MaxConnections: 100, Surge: 0.25})
	if err != nil {
		t.Fatal(err)
	}
	if got.Total != 4*got.Connections || got.Surging != 5*got.Connections || got.Room != 97 {
		t.Errorf("got %+v", got)
	}
	if got.Fits() || got.Reached() || !got.Conclusion().Unreached {
		t.Errorf("%d connections are said to fit into 97", got.Surging)
	}
	if got, err = HowMany(q, got.Targets, Database{MaxConnections: 500, Surge: 0.25}); err != nil || !got.Reached() {
		t.Errorf("%d connections do not fit into 497: %v", got.Surging, err)
	}
	// A PgBouncer has its own, and the app's do not count.
	q.Settings.PgBouncer = 50
	if got, err = HowMany(q, targetsOf(t, "success>=0.1"), Database{MaxConnections: 60, Surge: 5}); err != nil || !got.Fits() || got.AtServer != 50 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestHowMany_FindsThePoolTimeoutThatIsEnough(t *testing.T) {
	q := ask(t, inside, func(q *Question) { q.Settings.Duration = time.Minute })
	got, err := HowMany(q, targetsOf(t, "throughput>=7"), Database{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Suffice || got.PoolTimeout != 27900*time.Millisecond {
		t.Errorf("got a pool timeout of %v, want 27.9 s", got.PoolTimeout)
	}
	says(t, got.Conclusion(), "none more than the 15 that there are, and a pool timeout of 27.9 s in place of 30 s")
}

func TestHowMany_SaysWhichLimitForbids(t *testing.T) {
	for _, c := range []struct {
		route, target, want string
		change              func(*Question)
	}{
		{inside, "p99<=1s", "the slow call alone takes 2 s", nil},
		{"sync_session_sleep_inside_session", "p99<=3s", "40 handlers run at once", nil},
		{inside, "success>=0.5", "clients leave after 1 s", func(q *Question) { q.Settings.ClientTimeout = time.Second }},
		{inside, "p99<=3s", "PgBouncer has 5 server connections", func(q *Question) { q.Settings.PgBouncer = 5 }},
		{outside, "p99<=3s", "the database has 1 core", func(q *Question) {
			q.Model.Cores, q.Model.Overheads.Statement = 1, 20*time.Millisecond
		}},
		{inside, "success>=0.9", "takes on at most 20 requests at once", func(q *Question) { q.Settings.MaxInFlight = 20 }},
		{"update_in_one_transaction", "success>=0.5", "silent for 1 s", func(q *Question) { q.Settings.IdleInTransactionTimeout = time.Second }},
		{inside, "throughput>=101", "only 100 requests come per second", nil},
		{inside, "throughput>=90", "a load of 5 s is too short", nil},
		{"chat_outside_session", "success>=0.999", "one slow call in twenty is never answered", func(q *Question) {
			q.Settings.SlowShape = experiment.Stalls
		}},
		{"update_in_one_transaction", "p99<=3s", "the updates meet on 10 rows", func(q *Question) { q.Settings.Accounts = 10 }},
	} {
		got, err := HowMany(ask(t, c.route, c.change), targetsOf(t, c.target), Database{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Reached() || !strings.Contains(got.Limit, c.want) {
			t.Errorf("%s %s: %d connections, limit %q, want %q", c.route, c.target, got.Connections, got.Limit, c.want)
		}
		if conclusion := got.Conclusion(); !conclusion.Unreached || !strings.Contains(conclusion.Sentence, "No number") {
			t.Errorf("%s %s: %+v", c.route, c.target, conclusion)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]float64{
		"success>=0.999": 0.999, "success >= 99.9%": 0.999, "p99<=3s": 3, "p50<=250ms": 0.25, "mean<=1m": 60, "throughput>=50": 50,
	} {
		if got, err := ParseTarget(text); err != nil || math.Abs(got.Value-want) > 1e-12 {
			t.Errorf("%q: %v, %v, want %v", text, got.Value, err, want)
		}
	}
	for text, want := range map[string]string{
		"success": "needs >= or <=", "p99>=3s": "the most that it may be", "success<=0.9": "the least that it has to be",
		"p98<=3s": `"p98" is none of`, "p99<=3": "no time above zero", "p99<=-3s": "no time above zero", "p99<=": "no time above zero",
		"success>=1.5": "at most 1", "success>=0": "no number above zero", "success>=NaN": "no number", "throughput>=50%": "no number",
		"throughput>=Inf": "no number",
	} {
		if _, err := ParseTarget(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// A request that fails at once is no fast one.
func TestTarget_DoesNotCountFailuresAsFast(t *testing.T) {
	q := ask(t, inside, func(q *Question) { q.Settings.PoolTimeout = 10 * time.Millisecond })
	r, err := q.look()
	if err != nil {
		t.Fatal(err)
	}
	if p99 := r.Latency.P99; p99 > 3*time.Second {
		t.Fatalf("a p99 of %v: the test is about nothing", p99)
	}
	if allMet(targetsOf(t, "p99<=3s"), r) || allMet(targetsOf(t, "mean<=3s"), r) {
		t.Errorf("with %d of %d answered, the latency is said to be met", r.Outcomes.OK, r.Requests)
	}
}

func TestBreaks_NamesTheFirstLimit(t *testing.T) {
	for _, c := range []struct {
		route, first string
		rate         float64
		change       func(*Question)
	}{
		{inside, "connections", 7.5, nil},
		{"sync_session_sleep_inside_session", "connections", 7.5, nil},
		{"sync_session_sleep_outside_session", "threads", 20, nil},
		{"sync_session_sleep_inside_session", "threads", 20, func(q *Question) { q.Settings.PoolSize = 100 }},
		{"sync_session_sleep_outside_session", "threads", 60, func(q *Question) { q.Model.Replicas = 3 }},
		{inside, "server connections of PgBouncer", 2.5, func(q *Question) { q.Settings.PgBouncer = 5 }},
		{outside, "cores", 200, func(q *Question) { q.Model.Cores, q.Model.Overheads.Statement = 2, 5*time.Millisecond }},
		{outside, "requests in flight", 15, func(q *Question) { q.Settings.MaxInFlight = 30 }},
		{"update_in_one_transaction", "rows", 5, func(q *Question) { q.Settings.Accounts, q.Settings.PoolSize = 10, 200 }},
	} {
		got, err := Breaks(ask(t, c.route, c.change))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Stations) == 0 || got.Stations[0].Name != c.first || math.Abs(got.Rate-c.rate) > 0.02*c.rate {
			t.Errorf("%s: breaks at %.4g by %+v, want %v by the %s", c.route, got.Rate, got.Stations, c.rate, c.first)
			continue
		}
		says(t, got.Conclusion(), "by the "+c.first)
		if f := got.Conclusion().Figures; f["breaks_per_s"] != got.Rate || f["capacity_per_s."+strings.ReplaceAll(c.first, " ", "_")] == 0 {
			t.Errorf("%s: breaks at %.4g, and its figures are %v", c.route, got.Rate, f)
		}
	}
	for _, c := range []struct {
		want   string
		change func(*Question)
	}{
		{"by the client's deadline", func(q *Question) { q.Settings.Slow = time.Minute }},
		{"Nothing in the settings limits", nil},
	} {
		got, err := Breaks(ask(t, outside, c.change))
		if err != nil {
			t.Fatal(err)
		}
		says(t, got.Conclusion(), c.want)
		if rate, ok := got.Conclusion().Figures["breaks_per_s"]; ok && math.IsInf(rate, 0) {
			t.Errorf("%s: JSON has no number for %v", c.want, rate)
		}
	}
}

// At the rate that is found a lasting load is answered, and at a few percents more it
// is not.
func TestBreaks_IsWhereItBreaks(t *testing.T) {
	for _, q := range []Question{
		ask(t, inside, nil),
		ask(t, inside, func(q *Question) { q.Model.Arrivals = Poisson }),
		ask(t, inside, func(q *Question) { q.Model.Arrivals, q.Settings.PoolTimeout = Poisson, 2*time.Second }),
		ask(t, "chat_inside_session", func(q *Question) { q.Settings.SlowShape = experiment.Lognormal }),
	} {
		b, err := Breaks(q)
		if err != nil {
			t.Fatal(err)
		}
		for factor, holds := range map[float64]bool{0.97: true, 1.05: false} {
			r, err := q.atRate(b.Rate * factor).look()
			if err != nil {
				t.Fatal(err)
			}
			if (r.SuccessRatio >= served) != holds {
				t.Errorf("%s breaks at %.4g/s; at %v times that %.5f are answered", q.Name, b.Rate, factor, r.SuccessRatio)
			}
		}
	}
}

func TestWhatIf_MovesTheCallOut(t *testing.T) {
	got, err := WhatIf(ask(t, inside, nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.Before.Outcomes.OK != 240 || got.After.Outcomes.OK != 500 || got.HeldBefore != 2*time.Second || got.HeldAfter != 0 {
		t.Errorf("got %d and %d answered, held for %v and %v", got.Before.Outcomes.OK, got.After.Outcomes.OK, got.HeldBefore, got.HeldAfter)
	}
	says(t, got.Conclusion(), "500 of 500 requests in place of 240")

	// It is what the lab's own route does that makes its call outside.
	other, err := ask(t, outside, nil).look()
	if err != nil {
		t.Fatal(err)
	}
	if got.After.Latency != other.Latency || got.After.Outcomes != other.Outcomes {
		t.Errorf("moved out %+v, the route outside %+v", got.After.Latency, other.Latency)
	}
}

func TestQuestion_MovedOut(t *testing.T) {
	const (
		st, au, lock, call, rel = experiment.Statement, experiment.Autocommit, experiment.Lock, experiment.SlowCall, experiment.Release
	)
	for _, route := range experiment.Routes {
		moved, changed := ask(t, route.Name, nil).MovedOut()
		if changed != route.HoldsThroughCall() {
			t.Errorf("%s holds through its call: %v; changed: %v", route.Name, route.HoldsThroughCall(), changed)
		}
		if moved.Route.HoldsThroughCall() || moved.Route.Calls() != route.Calls() || moved.Route.Statements() != route.Statements() {
			t.Errorf("%s: got %v of %v", route.Name, moved.Route.Steps, route.Steps)
		}
	}
	for _, c := range []struct{ steps, want []experiment.Step }{
		{[]experiment.Step{st, call, rel}, []experiment.Step{st, rel, call}},
		{[]experiment.Step{lock, call, st, st, rel}, []experiment.Step{lock, rel, call, st, st, rel}},
		{[]experiment.Step{au, call, call, rel}, []experiment.Step{au, rel, call, call}},
	} {
		got, _ := Question{Case: experiment.Case{Route: experiment.Route{Steps: c.steps}}}.MovedOut()
		if !slices.Equal(got.Route.Steps, c.want) {
			t.Errorf("got %v, want %v", got.Route.Steps, c.want)
		}
	}
	for _, route := range []string{outside, "read_autocommit"} {
		a, err := WhatIf(ask(t, route, nil), 0)
		if err != nil || a.Changes() {
			t.Errorf("%s: something is moved (%v)", route, err)
		}
	}
}

func TestCurve_HasTheKnee(t *testing.T) {
	c, err := Curve(ask(t, inside, nil), 20)
	if err != nil {
		t.Fatal(err)
	}
	if c.Knee != 7.5 || len(c.Points) < 20 || c.Points[len(c.Points)-1].Rate != 15 {
		t.Fatalf("got %+v", c)
	}
	for _, p := range c.Points {
		if p.Rate <= 7.5 && (p.SuccessRatio < served || p.P99 > 2100*time.Millisecond) || p.Rate > 7.6 && p.SuccessRatio > 0.95 {
			t.Errorf("at %.4g/s %.4f are answered, with a p99 of %v", p.Rate, p.SuccessRatio, p.P99)
		}
	}
}

// Without chance once is enough; with chance there are intervals, the same for a seed.
func TestAsk_HasIntervalsWhereThereIsChance(t *testing.T) {
	sure, err := Ask(experiment.Defaults(), []Question{ask(t, inside, nil)}, 20)
	if err != nil {
		t.Fatal(err)
	}
	if sure.Routes[0].Interval != nil {
		t.Errorf("without chance: %v", sure.Routes[0].Interval)
	}
	random := ask(t, inside, func(q *Question) { q.Model.Arrivals = Poisson })
	var seen []*experiment.RouteResult
	for range 2 {
		r, err := Ask(random.Settings, []Question{random}, 0)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, &r.Routes[0])
	}
	got := seen[0]
	for name, of := range intervals {
		i, ok := got.Interval[name]
		if v := of(got); !ok || i[0] > v+1e-9 || i[1] < v-1e-9 || i != seen[1].Interval[name] {
			t.Errorf("%s: %v is in %v, and the second time in %v", name, v, i, seen[1].Interval[name])
		}
	}
	if i := got.Interval["throughput_per_s"]; i[0] == i[1] {
		t.Errorf("chance made no difference: %v", i)
	}
	if o := got.Outcomes; o.OK+o.ClientTimeout+o.PoolTimeout+o.Rejected+o.Error != got.Requests {
		t.Errorf("outcomes %+v are not the %d requests", o, got.Requests)
	}
}

// A 95 % interval of the mean has the mean inside 95 times of a hundred.
func TestInterval_CoversTheMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	of := intervals["throughput_per_s"]
	for _, n := range []int{2, 4, 8, 20} {
		covered := 0
		const times = 4000
		for range times {
			runs := make([]*experiment.RouteResult, n)
			for i := range runs {
				runs[i] = &experiment.RouteResult{Throughput: 50 + rng.NormFloat64()}
			}
			if i := interval(runs, of); i[0] <= 50 && 50 <= i[1] {
				covered++
			}
		}
		if got := float64(covered) / times; math.Abs(got-0.95) > 0.014 { // four standard errors
			t.Errorf("of %d runs: %.3f of the intervals have the mean inside, want 0.95", n, got)
		}
	}
}
