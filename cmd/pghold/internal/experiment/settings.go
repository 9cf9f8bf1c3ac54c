// Package experiment holds the question that pghold asks and the answer to it,
// as types and JSON: Settings (how much load, how many connections, how slow
// the slow call), Route (what a handler does with its session) and Result (what
// was measured or predicted). The lab measures a Result, plan predicts one, and
// report shows either; they meet only here.
//
// It starts nothing, measures nothing and draws nothing.
package experiment

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The pools that the app can run on.
const (
	QueuePool = "queuepool" // SQLAlchemy's QueuePool: size, overflow, timeout
	PgxPool   = "pgxpool"   // github.com/jackc/pgx/v5/pgxpool
	SQLPool   = "sql"       // database/sql over pgx's driver
)

// Pools are the values that Settings.Pool may have.
var Pools = []string{QueuePool, PgxPool, SQLPool}

// The shapes of the slow call's length.
const (
	Fixed     = "fixed"     // always Settings.Slow
	Lognormal = "lognormal" // Settings.Slow in the mean, with a standard deviation as large
	Stalls    = "stalls"    // Settings.Slow, but every twentieth call never answers
)

// Shapes are the values that Settings.SlowShape may have.
var Shapes = []string{Fixed, Lognormal, Stalls}

// Settings is the question: the load, the pool and the slow call. All times are
// the experiment's own, whatever Speed it is run at.
type Settings struct {
	// Rate is how many requests are sent per second, evenly. Default 100.
	Rate float64
	// Duration is how long requests are sent. Default 5 s.
	Duration time.Duration
	// Slow is how long the slow call takes; it may be zero. Default 2 s.
	Slow time.Duration
	// SlowShape is how the length of the slow call varies, one of Shapes. Only the
	// routes whose slow call is a request to the lab's own API vary it; where one
	// sleeps, it is fixed. Default fixed.
	SlowShape string
	// ClientTimeout is how long a client waits for its answer. Default 30 s.
	ClientTimeout time.Duration
	// Pool is the pool that hands out connections, one of Pools. Default queuepool.
	Pool string
	// PoolSize is how many connections the pool keeps. Default 5.
	PoolSize int
	// MaxOverflow is how many connections it may open beyond PoolSize while all
	// are in use. Default 10.
	MaxOverflow int
	// PoolTimeout is how long a request waits for a connection. Default 30 s.
	PoolTimeout time.Duration
	// Threads is how many sync handlers run at once. Default 40.
	Threads int
	// CancelOnDisconnect ends a handler's work when its client has gone, as
	// net/http does by default and FastAPI does not. Default false.
	CancelOnDisconnect bool
	// MaxInFlight is how many requests the app takes on at once; further ones are
	// answered 429 without delay. 0 means no limit. Default 0.
	MaxInFlight int
	// IdleInTransactionTimeout is the server's
	// idle_in_transaction_session_timeout: how long a transaction may be silent
	// before the server ends its session. 0 means that it may be for ever. Default 0.
	IdleInTransactionTimeout time.Duration
	// TransactionTimeout is the server's transaction_timeout, of PostgreSQL 17 and
	// later: how long a transaction may last. 0 means for ever. Default 0.
	TransactionTimeout time.Duration
	// Distance is how far away the database is: the time that each round trip to it
	// takes beyond what it takes on this machine. Default 0.
	Distance time.Duration
	// PgBouncer is how many server connections a PgBouncer in front of Postgres has,
	// in transaction mode. 0 means that there is no PgBouncer. Default 0.
	PgBouncer int
	// Accounts is how many accounts the routes of the group "price" share out their
	// updates over, in turn. The fewer, the more updates meet. Default 100.
	Accounts int
	// Speed runs the experiment so many times as fast: every duration divided,
	// the rate multiplied. Default 1.
	Speed float64
	// Postgres is the server's version, as it reports it; empty before a run.
	Postgres string
}

// Defaults are the seed experiment's settings.
func Defaults() Settings {
	return Settings{
		Rate:          100,
		Duration:      5 * time.Second,
		Slow:          2 * time.Second,
		SlowShape:     Fixed,
		ClientTimeout: 30 * time.Second,
		Pool:          QueuePool,
		PoolSize:      5,
		MaxOverflow:   10,
		PoolTimeout:   30 * time.Second,
		Threads:       40,
		Accounts:      100,
		Speed:         1,
	}
}

// Connections is the most connections that the pool may have open.
func (s Settings) Connections() int { return s.PoolSize + s.MaxOverflow }

// ServerConnections is the most connections that the server sees of the app.
func (s Settings) ServerConnections() int {
	if s.PgBouncer > 0 {
		return s.PgBouncer
	}
	return s.Connections()
}

// Requests is how many requests an attack of these settings sends, at most.
func (s Settings) Requests() int { return int(math.Round(s.Rate * s.Duration.Seconds())) }

// InFlight is the most requests that can be under way at once: no client waits
// longer than its timeout.
func (s Settings) InFlight() int {
	return min(s.Requests(), int(math.Ceil(s.Rate*s.ClientTimeout.Seconds())))
}

// Compressed returns the settings in wall-clock time: the durations divided by
// Speed, the rate multiplied.
func (s Settings) Compressed() Settings {
	s.Rate *= s.Speed
	for _, d := range []*time.Duration{&s.Duration, &s.Slow, &s.ClientTimeout, &s.PoolTimeout,
		&s.IdleInTransactionTimeout, &s.TransactionTimeout, &s.Distance} {
		*d = time.Duration(float64(*d) / s.Speed)
	}
	s.Speed = 1
	return s
}

// SameQuestion reports whether two settings ask the same: it leaves out how fast
// the experiment was run and which server it ran on.
func (s Settings) SameQuestion(other Settings) bool {
	s.Speed, s.Postgres = other.Speed, other.Postgres
	return s == other
}

// Collapses reports whether a lasting overload would bring the goodput of a
// route that holds its connection through the slow call down to nothing: the
// load is more than the pool can carry, and a request may wait so long for its
// connection that its client has gone before the answer is there.
func (s Settings) Collapses() bool {
	overloaded := s.Rate*s.Slow.Seconds() > float64(s.Connections())
	return overloaded && !TimeoutsOf(s, s.Slow).Sound()
}

// Validate says in one sentence what is wrong with the settings, naming the flag.
func (s Settings) Validate() error {
	positive := func(flag string, v float64, unit string) error {
		if v > 0 && !math.IsInf(v, 0) {
			return nil
		}
		return fmt.Errorf("--%s must be above zero, not %v%s", flag, v, unit)
	}
	for _, err := range []error{
		positive("rate", s.Rate, " per second"),
		positive("duration", s.Duration.Seconds(), " s"),
		positive("client-timeout", s.ClientTimeout.Seconds(), " s"),
		positive("pool-timeout", s.PoolTimeout.Seconds(), " s"),
		positive("pool-size", float64(s.PoolSize), ""),
		positive("threads", float64(s.Threads), ""),
		positive("accounts", float64(s.Accounts), ""),
		positive("speed", s.Speed, ""),
	} {
		if err != nil {
			return err
		}
	}
	for _, v := range []struct {
		flag  string
		value float64
	}{
		{"slow", s.Slow.Seconds()}, {"max-overflow", float64(s.MaxOverflow)}, {"max-in-flight", float64(s.MaxInFlight)},
		{"idle-in-transaction-timeout", s.IdleInTransactionTimeout.Seconds()}, {"transaction-timeout", s.TransactionTimeout.Seconds()},
		{"distance", s.Distance.Seconds()}, {"pgbouncer", float64(s.PgBouncer)},
	} {
		if v.value < 0 {
			return fmt.Errorf("--%s must not be negative, not %v", v.flag, v.value)
		}
	}
	switch {
	case s.Requests() < 1:
		return fmt.Errorf("--rate %v for --duration %v sends no request: make one of them larger", s.Rate, s.Duration)
	case !slices.Contains(Pools, s.Pool):
		return fmt.Errorf("--pool must be one of %s, not %q", strings.Join(Pools, ", "), s.Pool)
	case !slices.Contains(Shapes, s.SlowShape):
		return fmt.Errorf("--slow-shape must be one of %s, not %q", strings.Join(Shapes, ", "), s.SlowShape)
	case s.PgBouncer > 0 && (s.IdleInTransactionTimeout > 0 || s.TransactionTimeout > 0):
		return errors.New("--pgbouncer does not go with --idle-in-transaction-timeout or --transaction-timeout: PgBouncer refuses such settings from its clients")
	case tooShort(s.IdleInTransactionTimeout, s.Speed) || tooShort(s.TransactionTimeout, s.Speed):
		return errors.New("--idle-in-transaction-timeout and --transaction-timeout must be at least 1 ms after division by --speed: Postgres counts milliseconds")
	}
	return nil
}

// tooShort reports whether a timeout of the server's would be less than it can be.
func tooShort(d time.Duration, speed float64) bool {
	return d > 0 && float64(d)/speed < float64(time.Millisecond)
}
