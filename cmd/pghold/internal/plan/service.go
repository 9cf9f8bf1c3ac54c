package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Service is a service in its owner's words: what comes, how long a request has a
// connection, and of what there is how much. Its load has no end.
type Service struct {
	// Settings has the rate, the pool, its size and timeout (of one process), the
	// clients' timeout, the threads and the PgBouncer. Duration and Slow do not matter.
	Settings experiment.Settings
	Held     Held
	// Replicas are the processes of the service, or, where Workers is above 1, as many
	// times so many. Each process has a pool and threads of its own.
	Replicas, Workers int
	// Lambdas are processes that serve one request at a time, with one connection. Who
	// finds none of them free is refused. Default 0: it is a service with replicas.
	Lambdas int
	// Sync handlers have a thread each, of which there are Settings.Threads.
	Sync bool
	// Arrivals is how requests come, and InTurn whether the balancer sends them to the
	// processes in turn, and not to any of them.
	Arrivals Arrivals
	InTurn   bool
	// Cores, SessionMode and Seed are those of the Model.
	Cores       int
	SessionMode bool
	Seed        uint64
	// Replications is how many times it is predicted. Default 0: as many as it takes, 20
	// at most.
	Replications int
	// Unsized says that how many connections there are is not known: the fewest that meet
	// the targets are taken, and one where no number is enough.
	Unsized bool
	// NoTimeout says that the pool has no timeout of its own (pgxpool, database/sql), and
	// nobody named one.
	NoTimeout bool
}

// Held is how long a request has its connection.
type Held struct {
	// Mean is how long in the mean; with P50 and P99 that follows from them.
	Mean time.Duration
	// P50 and P99 are two quantiles of a hold of lognormal length. Default 0: none.
	P50, P99 time.Duration
	// Shape is how its silence varies, where that does not follow from P50 and P99.
	// Default experiment.Fixed.
	Shape string
	// SQL is how long the database works in it. Default 0: nobody knows.
	SQL time.Duration
}

// z99 is the 99 % quantile of the normal distribution.
const z99 = 2.3263478740408408

// Check says in a sentence what is wrong with a hold.
func (h Held) Check() error {
	switch {
	case h.P50 > 0 && h.P99 <= h.P50:
		return fmt.Errorf("--held-p99 must be longer than --held-p50, not %s and %s", words.Plain(h.P99), words.Plain(h.P50))
	case h.P50 > 0 && h.SQL >= h.P50:
		return fmt.Errorf("--sql %s is the database's part of a hold, and half of the holds last for %s or less: --sql must be shorter than --held-p50", words.Plain(h.SQL), words.Plain(h.P50))
	case h.P50 == 0 && h.SQL > h.Mean:
		return fmt.Errorf("--sql %s is the database's part of a hold, and the hold lasts for %s: --sql must not be longer than --held", words.Plain(h.SQL), words.Plain(h.Mean))
	case h.P50 == 0 && h.Mean == h.SQL && h.Shape != "" && h.Shape != experiment.Fixed:
		return fmt.Errorf("--shape is how long a hold is silent, and here it is SQL only: say --held, and no --sql")
	}
	return nil
}

// silence is how long a hold is silent in the mean, and, where it is lognormal, the
// standard deviation of its logarithm.
func (h Held) silence() (mean time.Duration, sigma float64) {
	if h.P50 == 0 {
		return h.Mean - h.SQL, 0
	}
	p50, p99 := (h.P50 - h.SQL).Seconds(), (h.P99 - h.SQL).Seconds()
	sigma = math.Log(p99/p50) / z99
	return seconds(p50 * math.Exp(sigma*sigma/2)), sigma
}

func (h Held) shape() string {
	switch {
	case h.P50 > 0:
		return experiment.Lognormal
	case h.Shape != "":
		return h.Shape
	}
	return experiment.Fixed
}

// mean is how long a hold lasts in the mean.
func (h Held) mean() time.Duration {
	silent, _ := h.silence()
	return h.SQL + silent
}

// p99 is what 99 % of the holds last for at most.
func (h Held) p99() time.Duration {
	silent, sigma := h.silence()
	switch h.shape() {
	case experiment.Lognormal:
		if sigma == 0 {
			sigma = Model{}.sigma()
		}
		return h.SQL + seconds(silent.Seconds()*math.Exp(z99*sigma-sigma*sigma/2))
	case Exponential:
		return h.SQL + seconds(silent.Seconds()*math.Log(100))
	}
	return h.SQL + silent
}

// slower is the hold with all that is not SQL twice as long; of SQL only, with that.
func (h Held) slower() Held {
	if h.Mean == h.SQL && h.P50 == 0 {
		return Held{Mean: 2 * h.Mean, SQL: 2 * h.SQL, Shape: h.Shape}
	}
	double := func(d time.Duration) time.Duration { return h.SQL + 2*(d-h.SQL) }
	if h.P50 > 0 {
		return Held{P50: double(h.P50), P99: double(h.P99), SQL: h.SQL}
	}
	return Held{Mean: double(h.Mean), SQL: h.SQL, Shape: h.Shape}
}

// ServiceName is the case's name of a question about a service.
const ServiceName = "service"

// Question is what the service asks. A hold is a statement, a silence and a statement in
// one transaction, and a request is nothing but its wait and its hold.
func (s Service) Question() Question {
	silent, sigma := s.Held.silence()
	route := experiment.Route{
		Name: ServiceName, Summary: "in its owner's words", Sync: s.Sync,
		Steps: []experiment.Step{experiment.Statement, experiment.SlowCall, experiment.Release},
	}
	if silent == 0 {
		route.Steps = []experiment.Step{experiment.Autocommit, experiment.Release}
	}
	q := Question{
		Case: experiment.Case{Name: ServiceName, Route: route, Settings: s.Settings},
		Model: Model{
			Arrivals: s.Arrivals, Shape: s.Held.shape(), Sigma: sigma, Replicas: s.processes(), RandomReplica: !s.InTurn,
			SessionMode: s.SessionMode, Cores: s.Cores, Seed: s.Seed, Service: true,
			Overheads: Overheads{Statement: s.Held.SQL / time.Duration(route.RoundTrips())},
		},
	}
	q.Settings.Slow, q.Settings.SlowShape = silent, experiment.Fixed
	if s.Lambdas > 0 {
		q.Settings.PoolSize, q.Settings.MaxOverflow, q.Settings.MaxInFlight = s.Lambdas, 0, s.Lambdas
		q.Model.Replicas = 1
	}
	return q.settled()
}

func (s Service) processes() int { return max(1, s.Replicas) * max(1, s.Workers) }

// places is how many connections all processes may open together, and surging how many
// during a rolling deploy, of each so many.
func (s Service) places(each int, surge float64) (all, surging int) {
	more := func(n int) int { return n + int(math.Ceil(float64(n)*surge-1e-9)) }
	if s.Lambdas > 0 { // each is a lambda's
		return each, more(each)
	}
	workers := max(1, s.Workers)
	return s.processes() * each, more(max(1, s.Replicas)) * workers * each
}

// have is how many connections a process may open; of lambdas, how many there are.
func (s Service) have() int {
	if s.Lambdas > 0 {
		return s.Lambdas
	}
	return s.Settings.Connections()
}

// with is the service with so many connections in each process, or so many lambdas.
func (s Service) with(n int) Service {
	if s.Lambdas > 0 {
		s.Lambdas = n
		return s
	}
	s.Settings.PoolSize, s.Settings.MaxOverflow = n, 0
	return s
}

// process names a process, for "in each replica".
func (s Service) process() string {
	if s.Workers > 1 {
		return "worker"
	}
	return "replica"
}
