package plan

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
	"github.com/pghold/pghold/pgxhold"
	"github.com/pghold/pghold/queuepool"
)

// coded is a service as somebody would write it, with several routes on one pool: real
// pools and pgx, on a Postgres in memory.
type coded struct {
	routes        []codedRoute
	pool          string
	connections   int
	poolTimeout   time.Duration
	clientTimeout time.Duration
	roundTrip     time.Duration
	untilRelease  bool // a request ends with its hold, as far as a recorder knows
}

// codedRoute reads, and makes a call in its transaction, after it, or not at all.
type codedRoute struct {
	name  string
	rate  float64
	steps []experiment.Step
	call  func(*rand.Rand) time.Duration
}

var (
	callInside = []experiment.Step{experiment.Statement, experiment.SlowCall, experiment.Release}
	callAfter  = []experiment.Step{experiment.Autocommit, experiment.Release, experiment.SlowCall}
	readOnly   = []experiment.Step{experiment.Autocommit, experiment.Release}
)

// codedRequest is one that comes, and what became of it.
type codedRequest struct {
	at    time.Duration
	route int
	call  time.Duration
	ended
}

// drawCoded draws a service of two to six routes, at least one of which makes its call in
// its transaction, whose connections are used by so much on average.
func drawCoded(rng *rand.Rand, least, most float64) coded {
	between := func(low, high float64) float64 { return low * math.Pow(high/low, rng.Float64()) }
	c := coded{
		pool: []string{experiment.QueuePool, experiment.PgxPool}[rng.IntN(2)], connections: 2 + rng.IntN(20),
		poolTimeout: time.Duration(between(0.5, 20) * 1e9), clientTimeout: time.Duration(between(3, 30) * 1e9),
	}
	used := 0.0
	for i := range 2 + rng.IntN(5) {
		r := codedRoute{name: fmt.Sprintf("GET /%c", 'a'+i), rate: between(0.5, 30)}
		mean, exponential := between(0.02, 2)*1e9, rng.IntN(2) == 0
		r.call = func(rng *rand.Rand) time.Duration {
			if exponential {
				return time.Duration(mean * rng.ExpFloat64())
			}
			return time.Duration(mean * (0.5 + rng.Float64()))
		}
		switch r.steps = callInside; {
		case i > 0 && rng.IntN(3) == 0:
			r.steps = readOnly
		case i > 0 && rng.IntN(3) == 0:
			r.steps = callAfter
		default:
			used += r.rate * mean / 1e9
		}
		c.routes = append(c.routes, r)
	}
	by := between(least, most) * float64(c.connections) / used
	for i := range c.routes {
		c.routes[i].rate *= by
	}
	return c
}

// requests are those of so long, at random, no two at one instant.
func (c coded) requests(d time.Duration, rng *rand.Rand) (all []codedRequest) {
	for i, r := range c.routes {
		for at := rng.ExpFloat64() / r.rate; at < d.Seconds(); at += rng.ExpFloat64() / r.rate {
			all = append(all, codedRequest{at: time.Duration(at * 1e9), route: i, call: r.call(rng)})
		}
	}
	slices.SortFunc(all, func(a, b codedRequest) int { return int(a.at - b.at) })
	return all
}

// serve has the code serve requests, and says of each how it ended. Slow calls take what
// those of their route's requests do, in the order in which they are made.
func (c coded) serve(t *testing.T, requests []codedRequest, during func(*pghold.Recorder)) {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // quicker: in a bubble hardly two things happen at once
	calls := c.calls(requests)
	synctest.Test(t, func(t *testing.T) {
		network := &memnet.Network{}
		server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: c.roundTrip})
		defer server.Close()
		recorder := pghold.NewRecorder(pghold.Config{OnHint: func(string) {}})
		acquire, closePool := c.open(t, server.DSN(), network, recorder)
		defer closePool()
		var mu sync.Mutex // guards made
		made := make([]int, len(c.routes))
		call := func(route int) {
			mu.Lock()
			d := calls[route][made[route]]
			made[route]++
			mu.Unlock()
			time.Sleep(d)
		}
		began := time.Now()
		var running sync.WaitGroup
		if during != nil {
			running.Go(func() { during(recorder) })
		}
		for i := range requests {
			r := &requests[i]
			time.Sleep(r.at - time.Since(began))
			running.Go(func() {
				came := time.Now()
				r.how = c.handle(t, c.routes[r.route], acquire, func() { call(r.route) }, func() { r.latency = time.Since(came) })
				if !c.untilRelease || r.how != experiment.OK {
					r.latency = time.Since(came)
				}
				if r.latency >= c.clientTimeout {
					r.latency, r.how = c.clientTimeout, experiment.ClientTimeout
				}
			})
		}
		running.Wait()
	})
}

func (c coded) handle(t *testing.T, r codedRoute, acquire func(context.Context) (*pgx.Conn, func(), error), call, released func()) experiment.Outcome {
	ctx := pghold.WithRoute(context.Background(), r.name)
	conn, release, err := acquire(ctx)
	if err != nil {
		return experiment.PoolTimeout
	}
	run := func(sql string) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Error(err)
		}
	}
	open := false
	for _, step := range r.steps {
		switch step {
		case experiment.Statement:
			run("begin")
			run("select 1")
			open = true
		case experiment.Autocommit:
			run("select 1")
		case experiment.SlowCall:
			call()
		case experiment.Release:
			if open {
				run("commit")
			}
			release()
			released()
		}
	}
	return experiment.OK
}

// open opens the service's pool.
func (c coded) open(t *testing.T, dsn string, network *memnet.Network, recorder *pghold.Recorder) (acquire func(context.Context) (*pgx.Conn, func(), error), closePool func()) {
	t.Helper()
	if c.pool == experiment.PgxPool {
		cfg, err := pgxpool.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		cfg.MaxConns, cfg.ConnConfig.DialFunc = int32(c.connections), network.Dial
		cfg.MaxConnLifetime, cfg.MaxConnIdleTime, cfg.HealthCheckPeriod = 1000*time.Hour, 1000*time.Hour, 1000*time.Hour
		if err := pgxhold.Install(cfg, recorder, "main"); err != nil {
			t.Fatal(err)
		}
		pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) (*pgx.Conn, func(), error) {
			short, cancel := context.WithTimeout(ctx, c.poolTimeout)
			defer cancel()
			conn, err := pool.Acquire(short)
			if err != nil {
				return nil, nil, err
			}
			return conn.Conn(), conn.Release, nil
		}, pool.Close
	}
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg := queuepool.NewConfig(cc)
	cfg.Size, cfg.MaxOverflow, cfg.Timeout, cfg.ConnConfig.DialFunc = c.connections, 0, c.poolTimeout, network.Dial
	if err := pgxhold.InstallConn(cfg.ConnConfig, recorder, "main"); err != nil {
		t.Fatal(err)
	}
	pool, err := queuepool.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) (*pgx.Conn, func(), error) {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return nil, nil, err
		}
		return conn.Conn(), conn.Release, nil
	}, pool.Close
}

// calls are the lengths of each route's calls, in the order of its requests.
func (c coded) calls(requests []codedRequest) []calls {
	all := make([]calls, len(c.routes))
	for _, r := range requests {
		all[r.route] = append(all[r.route], r.call)
	}
	return all
}

// question is the service as the model has it, with these requests.
func (c coded) question(requests []codedRequest) Question {
	s := experiment.Defaults()
	s.Pool, s.PoolSize, s.MaxOverflow, s.PoolTimeout, s.ClientTimeout = c.pool, c.connections, 0, c.poolTimeout, c.clientTimeout
	all := Question{Case: experiment.Case{Name: AllRoutes, Settings: s}}
	all.Settings.Rate = 0
	for i, r := range c.routes {
		q := Question{Case: experiment.Case{Name: r.name, Route: experiment.Route{Name: r.name, Steps: r.steps}, Settings: s}}
		q.Settings.Rate = r.rate
		for _, one := range requests {
			if one.route == i {
				q.Model.Times = append(q.Model.Times, one.at)
			}
		}
		all.Settings.Rate += r.rate
		all.Others = append(all.Others, q)
	}
	return all
}

// Given the same arrivals and calls, each request of each route that shares a pool ends in
// the simulation as it does in the code, to the nanosecond: -settings 1000.
func TestModel_IsTheCodeOfRoutesThatShareAPool(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 4))
	same := 0
	of := max(10, *settings*2/3)
	for i := range of {
		c := drawCoded(rng, 0.3, 1.1)
		requests := c.requests(time.Duration(400/c.question(nil).Settings.Rate*1e9), rng)
		q := c.question(requests)
		sm, err := newSim(q, 1)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Clone(requests)
		lengths := c.calls(requests)
		for route := range sm.classes {
			cl := &sm.classes[route]
			made := 0
			cl.call = func(*rand.Rand) int64 {
				made++
				return int64(lengths[route][made-1])
			}
			number := map[int64]int{}
			for i, r := range requests {
				if r.route == route {
					number[int64(r.at)] = i
				}
			}
			cl.stats.each = func(arrived, latency int64, how experiment.Outcome) {
				want[number[arrived]].ended = ended{time.Duration(latency), how}
			}
		}
		sm.run(q.arrivals()...)
		c.serve(t, requests, nil)
		if n, first := different(requests, want); n > 0 {
			t.Errorf("%d: %s with %d connections, pool timeout %v: %d of %d requests are not the same; the first comes after %v, and ends as %v after %v, in the model as %v after %v",
				i, c.pool, c.connections, c.poolTimeout, n, len(requests), requests[first].at, requests[first].how, requests[first].latency, want[first].how, want[first].latency)
		} else {
			same++
		}
	}
	t.Logf("%d of %d mixes are the same", same, of)
}

// different is how many requests ended differently, and which is the first.
func different(code, model []codedRequest) (n, first int) {
	for i := range code {
		if code[i].ended != model[i].ended {
			if n == 0 {
				first = i
			}
			n++
		}
	}
	return n, first
}
