// Package plan predicts the answer to an experiment's question without running
// anything: a discrete-event simulation of requests that go through threads, a pool, a
// PgBouncer and a database, holding what they have got while they wait for the next
// (Predict), and the formulas of queueing theory for answers at once and for checks
// (Erlang and others).
//
// What a route does, and when it holds what, it reads from experiment.Route.Steps, as
// the lab's tests do. It does not know what statements cost, unless it is told
// (Overheads): from settings alone a statement takes no time.
//
// It connects to nothing and measures nothing.
package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Model is what a prediction assumes beyond an experiment's settings.
type Model struct {
	Overheads Overheads
	// Arrivals is how requests come. Default Even.
	Arrivals Arrivals
	// Times are when requests come, since the first, where they were recorded; then
	// neither Arrivals nor the settings' rate and duration matter. Default none.
	Times []time.Duration
	// Calls are recorded lengths of the slow call, of which each request has one at
	// random; then the settings' do not matter. Default none.
	Calls []time.Duration
	// Shape is how the length of the slow call varies: Exponential, or one of
	// experiment.Shapes. Default: as the settings say, where the route's call is a
	// request to the lab's API, and fixed where it sleeps.
	Shape string
	// Sigma is the standard deviation of the logarithm of the slow call's length, where
	// its shape is experiment.Lognormal. Default √ln 2, with which the standard deviation
	// of the length is as large as its mean.
	Sigma float64
	// Replicas is how many processes of the app there are, each with threads and a
	// pool of its own. Default 1.
	Replicas int
	// RandomReplica sends each request to any of them; by default they take turns.
	RandomReplica bool
	// SessionMode has the PgBouncer, where there is one, give a server connection to a
	// connection of the app's pool for as long as that is open, and not for a
	// transaction.
	SessionMode bool
	// AnyPool says that the settings' pool is only assumed: a snapshot does not tell
	// which one it is of. It matters to what is said of timeouts, which only
	// QueuePool has.
	AnyPool bool
	// WarmUp is how long requests come before those that count: these meet the queue that
	// there is by then. Recorded times (Times) have none. Default 0.
	WarmUp time.Duration
	// Service says that the question is about a service (Service): its load has no end,
	// and what is asked is what becomes of it where it lasts.
	Service bool
	// Cores is how many statements the database runs at once. Default 0: any number.
	Cores int
	// Seed makes chance repeatable. Two predictions with one seed are the same.
	Seed uint64

	memory int64 // bytes that a simulation may keep; 0: mostMemory
}

// bouncerPatience is PgBouncer's query_wait_timeout, which nobody changes. It is of the
// wall clock, whatever the speed.
const bouncerPatience = 120 * time.Second

// Predict returns what the lab would measure of these cases, as far as the model knows.
// It is deterministic for the model's seed.
func Predict(s experiment.Settings, cases []experiment.Case, m Model) (*experiment.Result, error) {
	if err := m.validate(); err != nil {
		return nil, err
	}
	res := &experiment.Result{Kind: experiment.Predicted, Settings: s, Routes: []experiment.RouteResult{}, Warnings: []string{}}
	res.Settings.Speed = 1
	for _, c := range cases {
		r, err := predictCase(c, m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		if own := c.Settings; own != s {
			own.Speed = 1
			r.Settings = &own
		}
		res.Routes = append(res.Routes, *r)
	}
	return res, nil
}

func (m Model) validate() error {
	switch {
	case m.Replicas < 0:
		return fmt.Errorf("there cannot be %d replicas", m.Replicas)
	case m.WarmUp < 0:
		return fmt.Errorf("a warm-up of %v: a time cannot be negative", m.WarmUp)
	case m.Cores < 0:
		return fmt.Errorf("there cannot be %d cores", m.Cores)
	case m.Arrivals != "" && m.Arrivals != Even && m.Arrivals != Poisson:
		return fmt.Errorf("requests come %s or %s, not %q", Even, Poisson, m.Arrivals)
	}
	for _, o := range []struct {
		what string
		d    time.Duration
	}{{"a statement", m.Overheads.Statement}, {"opening a connection", m.Overheads.Connect}, {"a request", m.Overheads.Request}, {"a handover", m.Overheads.Handover}} {
		if o.d < 0 {
			return fmt.Errorf("%s takes %v: a time cannot be negative", o.what, o.d)
		}
	}
	for i, at := range m.Times {
		switch {
		case at < 0:
			return fmt.Errorf("a request came at %v: a time cannot be negative", at)
		case i > 0 && at < m.Times[i-1]:
			return fmt.Errorf("a request came at %v, after one at %v: the times must be in order", at, m.Times[i-1])
		}
	}
	return nil
}

func predictCase(c experiment.Case, m Model) (*experiment.RouteResult, error) {
	return Question{Case: c, Model: m}.once()
}

// newSim returns a simulation of some of the question's replicas.
func newSim(q Question, replicas int) (*sim, error) {
	s, m := q.Settings, q.Model
	qs := q.classes()
	accounts := 0
	if qs[0].Route.Updates() {
		accounts = s.Accounts
	}
	if err := checkPlaces(replicas, accounts, m.room()); err != nil {
		return nil, err
	}
	if err := checkQueue(q, replicas); err != nil {
		return nil, err
	}
	order, keep := FIFO, s.PoolSize
	switch s.Pool {
	case experiment.SQLPool:
		order = Random
	case experiment.PgxPool:
		keep = s.Connections()
	}
	sm := &sim{
		rng:     m.chance(0),
		servers: newStation(s.PgBouncer, FIFO), cores: newStation(m.Cores, FIFO),
		sessionMode: m.SessionMode && s.PgBouncer > 0,
		cancel:      s.CancelOnDisconnect,
		keep:        keep, patience: int64(s.PoolTimeout), serverPatience: int64(float64(bouncerPatience) * s.Speed),
		clientTimeout: int64(s.ClientTimeout),
		idleTimeout:   int64(s.IdleInTransactionTimeout), txTimeout: int64(s.TransactionTimeout),
		maxInFlight: s.MaxInFlight, connect: int64(m.Overheads.Connect), handover: int64(m.Overheads.Handover), randomReplica: m.RandomReplica,
		room: m.room(),
		pool: &stats{}, warmUp: int64(q.warmUp()),
	}
	for _, q := range qs {
		c, err := q.class()
		if err != nil {
			return nil, err
		}
		sm.classes = append(sm.classes, c)
	}
	sm.counted = len(sm.classes)
	if sm.warmUp > 0 { // the same again, of those that come before
		for _, c := range sm.classes[:sm.counted] {
			c.stats = &stats{clientTimeout: sm.clientTimeout}
			sm.classes = append(sm.classes, c)
		}
	}
	for range replicas {
		sm.replicas = append(sm.replicas, replica{
			threads: newStation(s.Threads, FIFO), pool: newStation(s.Connections(), order), workers: newStation(s.Threads, FIFO),
		})
	}
	if accounts > 0 {
		sm.accounts = make([]account, s.Accounts)
		for i := range sm.accounts {
			sm.accounts[i].row = newStation(1, FIFO)
		}
	}
	return sm, nil
}

// class returns what the question's requests have in common.
func (q Question) class() (class, error) {
	s, m := q.Settings, q.Model
	call, err := sampler(m.shape(q.Case), s.Slow+m.Overheads.Call, m.sigma(), m.Calls)
	if err != nil {
		return class{}, err
	}
	jitter := m.Overheads.CallJitter
	if len(m.Calls) > 0 {
		jitter = Spread{} // they differ as they did
	}
	callTimeout := int64(forEver)
	if httpCall(q.Route) || m.Shape == experiment.Stalls {
		callTimeout = int64(s.ClientTimeout) // the lab's handlers wait no longer
	}
	return class{
		program: compile(q.Route, s, m.Overheads),
		sync:    q.Route.Sync, overwrites: q.Route.Conflict == experiment.Overwrite,
		call: call, callTimeout: callTimeout, jitters: jitter != Spread{}, jitter: jitter,
		network: int64(m.Overheads.Request),
		stats:   &stats{clientTimeout: int64(s.ClientTimeout)},
	}, nil
}

// chance is the source of what happens at random: to requests in a simulation (0), or
// in that of the n-th replica.
func (m Model) chance(n uint64) *rand.Rand {
	return rand.New(rand.NewPCG(m.Seed, 0x9e3779b97f4a7c15+n))
}

func (m Model) shape(c experiment.Case) string {
	switch {
	case m.Shape != "":
		return m.Shape
	case httpCall(c.Route):
		return c.Settings.SlowShape
	}
	return experiment.Fixed // as in the lab, where the others sleep
}

func (m Model) sigma() float64 {
	if m.Sigma > 0 {
		return m.Sigma
	}
	return math.Sqrt(math.Ln2)
}

// httpCall reports whether the route's slow call is a request to the lab's own API.
func httpCall(r experiment.Route) bool { return r.Group == "streaming" || r.Group == "price" }
