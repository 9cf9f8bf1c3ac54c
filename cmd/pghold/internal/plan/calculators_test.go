package plan

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
)

// beside is a setting in which several calculators are asked how many connections each
// replica's pool needs for 99 % of the requests to get theirs in time.
type beside struct {
	name, load string
	rate       float64
	lasts      time.Duration // of a burst, which comes evenly; 0: for ever, at random
	shape      string        // of the call
	call       time.Duration // in the mean
	steps      []experiment.Step
	trip       time.Duration // to the database and back
	replicas   int           // each request goes to any of them; 0: there is one
	bouncer    int           // server connections of a PgBouncer; 0: there is none
	workers    int           // that handle a request each; 0: any number
	second     time.Duration // for which a request takes another connection after its call
	room       int           // for connections; 0: for any number
	within     time.Duration // a connection is to be had
	leaves     bool          // who has none by then: it is the pool's timeout
	hikari     int
	other      string // another way of asking poolsim
	otherOf    int    // how many replicas share what that says; 0: one has it
}

const inTime = 0.99

var codeRuns = flag.Int("code-runs", 10, "how many runs of the code other calculators are compared with; docs/plan.md has ten")

var callHeld = []experiment.Step{experiment.Autocommit, experiment.SlowCall, experiment.Release}

// hikari is what HikariCP's wiki ("About Pool Sizing") has for a database, and deadlock
// what it has for workers that take so many connections each.
func hikari(cores, disks int) int           { return cores*2 + disks }
func deadlock(workers, connections int) int { return workers*(connections-1) + 1 }

func settingsBeside() []beside {
	const ms = time.Millisecond
	nine := hikari(4, 1) // the wiki's own example
	return []beside{
		{name: "SQL alone", load: "55/s, 100 ms, exponential; wait ≤ 0.1 s",
			rate: 55, shape: Exponential, call: 100 * ms, steps: callHeld, within: 100 * ms, hikari: nine},
		{name: "a call inside the hold", load: "40/s, 300 ms, lognormal; wait ≤ 0.1 s",
			rate: 40, shape: experiment.Lognormal, call: 300 * ms, steps: callHeld, within: 100 * ms, hikari: nine},
		{name: "the same call outside", load: "40/s, SQL of 5 ms, then the 300 ms; wait ≤ 0.1 s",
			rate: 40, shape: experiment.Lognormal, call: 300 * ms, steps: callAfter, trip: 5 * ms, within: 100 * ms, hikari: nine, other: "told the holds"},
		{name: "all holds alike", load: "100/s, 100 ms; wait ≤ 0.1 s",
			rate: 100, shape: experiment.Fixed, call: 100 * ms, steps: callHeld, within: 100 * ms, hikari: nine, other: "as mdc"},
		{name: "a pool timeout", load: "100/s, 100 ms, exponential; timeout 0.1 s",
			rate: 100, shape: Exponential, call: 100 * ms, steps: callHeld, within: 100 * ms, leaves: true, hikari: nine},
		{name: "an overload", load: "120/s, 100 ms, exponential; timeout 0.5 s; at most 10",
			rate: 120, shape: Exponential, call: 100 * ms, steps: callHeld, room: 10, within: 500 * ms, leaves: true, hikari: nine},
		{name: "a burst", load: "100/s evenly for 5 s, 2 s; timeout 28 s",
			rate: 100, lasts: 5 * time.Second, shape: experiment.Fixed, call: 2 * time.Second, steps: callHeld, within: 28 * time.Second, leaves: true, hikari: nine},
		{name: "four replicas, at random", load: "220/s in all, 100 ms, exponential; wait ≤ 0.1 s; each",
			rate: 220, shape: Exponential, call: 100 * ms, steps: callHeld, replicas: 4, within: 100 * ms, hikari: nine / 4, other: "told all four", otherOf: 4},
		{name: "PgBouncer with 5", load: "55/s, transactions of 100 ms, exponential; answered in 5 s",
			rate: 55, shape: Exponential, call: 100 * ms, steps: callInside, bouncer: 5, within: 5 * time.Second, hikari: nine},
		{name: "two connections at once", load: "20/s, 8 workers, 100 ms, exponential, then a second one for 10 ms; timeout 1 s",
			rate: 20, shape: Exponential, call: 100 * ms, steps: callHeld, workers: 8, second: 10 * ms, within: time.Second, leaves: true, hikari: deadlock(8, 2)},
	}
}

// question is the setting as far as plan can be told: not that a request holds two
// connections.
func (b beside) question() Question {
	s := experiment.Defaults()
	s.Pool, s.MaxOverflow, s.Rate, s.Slow, s.PgBouncer = experiment.PgxPool, 0, b.rate, b.call+b.second, b.bouncer
	s.PoolTimeout, s.ClientTimeout, s.Duration = time.Hour, 2*time.Hour, b.lasts
	m := Model{Shape: b.shape, Replicas: b.replicas, RandomReplica: true, Seed: 1, Overheads: Overheads{Statement: b.trip}}
	if b.leaves {
		s.PoolTimeout = b.within
	}
	if b.bouncer > 0 {
		s.ClientTimeout = b.within
	}
	if b.lasts == 0 {
		m.Arrivals = Poisson
		s.Duration = atRate(enough, b.rate)
	}
	return Question{Case: experiment.Case{Name: b.name, Route: experiment.Route{Name: b.name, Steps: b.steps}, Settings: s}, Model: m}
}

// plans is the number by plan, 0 where there is none.
func (b beside) plans(t *testing.T) int {
	q := b.question()
	if b.leaves || b.bouncer > 0 {
		target, err := ParseTarget(fmt.Sprintf("success>=%v", inTime))
		if err != nil {
			t.Fatal(err)
		}
		n, err := fewest(q, []Target{target})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for n := int(q.used()) + 1; ; n++ {
		r, err := q.withConnections(n).predict(4)
		if err != nil {
			t.Fatal(err)
		}
		if r.Holds.Wait.P99 <= b.within {
			return n
		}
	}
}

// code is how many of the requests get their connections in time in the code, with
// pgxpool, in each of several runs.
func (b beside) code(t *testing.T, connections int) (runs []float64) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // quicker: in a bubble hardly two things happen at once
	for run := range uint64(*codeRuns) {
		synctest.Test(t, func(t *testing.T) {
			runs = append(runs, b.run(t, connections, rand.New(rand.NewPCG(run, 20))))
		})
	}
	return runs
}

// run is one of them, of a thousand requests or the burst. Where the load lasts, the
// first fifth is not counted, but meets those after it.
func (b beside) run(t *testing.T, connections int, rng *rand.Rand) float64 {
	network := &memnet.Network{}
	server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: b.trip, MaxConnections: 1000})
	defer server.Close()
	var pools []*pgxpool.Pool
	for range max(1, b.replicas) {
		cfg, err := pgxpool.ParseConfig(server.DSN())
		if err != nil {
			t.Fatal(err)
		}
		cfg.MaxConns, cfg.ConnConfig.DialFunc = int32(connections), network.Dial
		cfg.MaxConnLifetime, cfg.MaxConnIdleTime, cfg.HealthCheckPeriod = 1000*time.Hour, 1000*time.Hour, 1000*time.Hour
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		pools = append(pools, pool)
	}
	call, err := sampler(b.shape, b.call, Model{}.sigma(), nil)
	if err != nil {
		t.Fatal(err)
	}
	first, next := atRate(200, b.rate), poisson(b.rate, atRate(1200, b.rate), rng)
	if b.lasts > 0 {
		first, next = 0, even(b.rate, int(b.rate*b.lasts.Seconds()), 0, 1)
	}
	workers := make(chan struct{}, cmp.Or(b.workers, 1<<30))
	var mu sync.Mutex // guards good
	good, of := 0, 0
	began := time.Now()
	var running sync.WaitGroup
	for ns, more := next(); more; ns, more = next() {
		at := time.Duration(ns)
		if b.lasts > 0 {
			at += time.Duration(rng.Int64N(1e6)) // no two things at one instant, of which the order would be chance
		}
		counts := at >= first
		if counts {
			of++
		}
		d, pool := time.Duration(call(rng)), pools[rng.IntN(len(pools))]
		time.Sleep(at - time.Since(began))
		running.Go(func() {
			workers <- struct{}{}
			if b.handle(t, pool, d) && counts {
				mu.Lock()
				good++
				mu.Unlock()
			}
			<-workers
		})
	}
	running.Wait()
	return float64(good) / float64(of)
}

// handle handles a request, and reports whether it got its connections in time.
func (b beside) handle(t *testing.T, pool *pgxpool.Pool, call time.Duration) bool {
	good := true
	acquire := func() *pgxpool.Conn {
		ctx := t.Context()
		if b.leaves {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, b.within)
			defer cancel()
		}
		came := time.Now()
		conn, err := pool.Acquire(ctx)
		good = good && err == nil && time.Since(came) <= b.within
		return conn // nil if there is an error
	}
	conn := acquire()
	if conn == nil {
		return false
	}
	for _, step := range b.steps {
		switch step {
		case experiment.Autocommit:
			if _, err := conn.Exec(t.Context(), "select 1"); err != nil {
				t.Error(err)
			}
		case experiment.SlowCall:
			time.Sleep(call)
		case experiment.Release:
			if b.second > 0 {
				if another := acquire(); another != nil {
					time.Sleep(b.second)
					another.Release()
				}
			}
			conn.Release()
		}
	}
	return good
}

// What docs/plan.md has of other calculators beside the code is what they say, and what
// the code does. poolsim's answers are recorded, with the commands, in
// testdata/poolsim.json; all else is computed.
func TestBesideOtherCalculators_IsAsDocumented(t *testing.T) {
	b, err := os.ReadFile("testdata/poolsim.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Answers []struct {
			Asked       string
			Connections int `json:"optimal_pool_size"`
		}
	}
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	poolsim := map[string]int{}
	for _, a := range recorded.Answers {
		poolsim[a.Asked] = a.Connections
	}
	var rows []string
	for _, b := range settingsBeside() {
		rows = append(rows, b.row(t, poolsim))
	}
	doc, err := os.ReadFile("../../../../docs/plan.md")
	if err != nil {
		t.Fatal(err)
	}
	if table := strings.Join(rows, "\n"); !strings.Contains(string(doc), "\n|:--|:--|:--|:--|:--|\n"+table+"\n\n") {
		t.Errorf("docs/plan.md does not have these rows:\n%s", table)
	}
}

// row is the setting's in the table. Behind each number is how many get their connections
// in time with it in the code: the mean, and Student's interval of 95 %.
func (b beside) row(t *testing.T, poolsim map[string]int) string {
	known := map[int]string{}
	says := func(n int) string {
		switch {
		case n == 0:
			return "none is enough"
		case b.bouncer > 0:
			return fmt.Sprint(n)
		}
		if _, ok := known[n]; !ok {
			runs := b.code(t, n)
			known[n] = fmt.Sprintf("%d: %.1f ± %.1f %%", n, 100*mean(runs), 100*student(len(runs)-1)*deviation(runs)/math.Sqrt(float64(len(runs))))
		}
		return known[n]
	}
	ask := func(name string) int {
		n, ok := poolsim[name]
		if !ok {
			t.Errorf("testdata/poolsim.json has no answer to %q", name)
		}
		return n
	}
	theirs := says(ask(b.name))
	if b.other != "" {
		of := max(1, b.otherOf)
		theirs += "; " + b.other + ", " + says((ask(b.name+", "+b.other)+of-1)/of)
	}
	plans := b.plans(t)
	ours := says(plans)
	if b.room > 0 && plans > b.room {
		r, err := b.question().withConnections(b.room).predict(4)
		if err != nil {
			t.Fatal(err)
		}
		ours += fmt.Sprintf("; with %d, it predicts %.1f %%", b.room, 100*r.SuccessRatio)
	}
	return "| " + strings.Join([]string{b.name, b.load, says(b.hikari), theirs, ours}, " | ") + " |"
}
