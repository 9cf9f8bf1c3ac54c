// Package experiment holds the question that pghold asks and the answer to it,
// as types and JSON: Settings (how much load, how many connections, how slow
// the slow call), Route (what a handler does with its session) and Result (what
// was measured or predicted). The lab measures a Result, plan predicts one, and
// report shows either; they meet only here.
//
// It starts nothing, measures nothing and draws nothing.
package experiment

import (
	"fmt"
	"maps"
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

// Settings is the question: the load, the pool and the slow call. All times are the
// experiment's own, whatever Speed it is run at.
//
// It is the one table of settings: a field and its tags are all that there is to one,
// but for who uses it. name (else the field's, in words), default and help are those of
// the flag; key is the name in JSON, where it is left out if it has omit and is off;
// speed says whether a faster run has it divided or multiplied; least says that it
// must be above zero or not negative; server names the timeout of the server's that it
// is; and words, with the value for %s, are how reports say it: off those where it is
// off, and of what there are so many.
type Settings struct {
	// Rate is how many requests are sent per second, evenly.
	Rate float64 `key:"rate_per_s" default:"100" speed:"multiplied" least:"above zero" help:"Requests per second, evenly sent." unit:"per second"`
	// Duration is how long requests are sent.
	Duration time.Duration `key:"duration_s" default:"5s" speed:"divided" least:"above zero" help:"How long requests are sent." words:"%s of load"`
	// Slow is how long the slow call takes; it may be zero.
	Slow time.Duration `key:"slow_s" default:"2s" speed:"divided" least:"not negative" help:"How long the slow call takes."`
	// SlowShape is how the length of the slow call varies, one of Shapes. Only the
	// routes whose slow call is a request to the lab's own API vary it; where one
	// sleeps, it is fixed.
	SlowShape string `key:"slow_shape" default:"fixed" help:"fixed, lognormal or stalls: how the slow call's length varies, of the routes that make it over HTTP."`
	// ClientTimeout is how long a client waits for its answer.
	ClientTimeout time.Duration `key:"client_timeout_s" default:"30s" speed:"divided" least:"above zero" help:"How long a client waits for its answer." words:"client timeout %s"`
	// Pool is the pool that hands out connections, one of Pools.
	Pool string `key:"pool" default:"queuepool" help:"queuepool (SQLAlchemy's), pgxpool or sql (database/sql)."`
	// PoolSize is how many connections the pool keeps.
	PoolSize int `key:"pool_size" default:"5" least:"above zero" help:"Connections that the pool keeps."`
	// MaxOverflow is how many connections it may open beyond PoolSize while all
	// are in use.
	MaxOverflow int `key:"max_overflow" default:"10" least:"not negative" help:"Connections that it may open beyond these."`
	// PoolTimeout is how long a request waits for a connection.
	PoolTimeout time.Duration `key:"pool_timeout_s" default:"30s" speed:"divided" least:"above zero" help:"How long a request waits for a connection." words:"pool timeout %s"`
	// Threads is how many sync handlers run at once.
	Threads int `key:"threads" default:"40" least:"above zero" help:"Sync handlers that run at once." words:"%s" of:"thread"`
	// CancelOnDisconnect ends a handler's work when its client has gone, as
	// net/http does by default and FastAPI does not.
	CancelOnDisconnect bool `key:"cancel_on_disconnect" help:"End a handler's work when its client has gone." words:"work cancelled when its client leaves" off:"work goes on when its client leaves"`
	// MaxInFlight is how many requests the app takes on at once; further ones are
	// answered 429 without delay. 0 means no limit.
	MaxInFlight int `key:"max_in_flight" omit:"" default:"0" least:"not negative" help:"Requests that the app takes on at once; it answers further ones 429. 0: no limit." words:"at most %s in flight" of:"request" off:"no limit of requests in flight"`
	// IdleInTransactionTimeout is the server's
	// idle_in_transaction_session_timeout: how long a transaction may be silent
	// before the server ends its session. 0 means that it may be for ever.
	IdleInTransactionTimeout time.Duration `key:"idle_in_transaction_session_timeout_s" omit:"" default:"0s" speed:"divided" least:"not negative" server:"idle_in_transaction_session_timeout" help:"The server's idle_in_transaction_session_timeout. 0s: none." words:"idle in transaction timeout %s" off:"no idle in transaction timeout"`
	// TransactionTimeout is the server's transaction_timeout, of PostgreSQL 17 and
	// later: how long a transaction may last. 0 means for ever.
	TransactionTimeout time.Duration `key:"transaction_timeout_s" omit:"" default:"0s" speed:"divided" least:"not negative" server:"transaction_timeout" help:"The server's transaction_timeout, of PostgreSQL 17 and later. 0s: none." words:"transaction timeout %s" off:"no transaction timeout"`
	// Distance is how far away the database is: the time that each round trip to it
	// takes beyond what it takes on this machine.
	Distance time.Duration `key:"distance_s" omit:"" default:"0s" speed:"divided" least:"not negative" help:"How far away the database is: the time of a round trip, beyond what it takes on this machine." words:"database %s away" off:"database on this machine"`
	// PgBouncer is how many server connections a PgBouncer in front of Postgres has,
	// in transaction mode. 0 means that there is no PgBouncer. Its flags are two,
	// one to have it and one for its size.
	PgBouncer int `kong:"-" name:"pgbouncer-size" key:"pgbouncer_connections" omit:"" words:"PgBouncer with %s" of:"server connection" off:"no PgBouncer"`
	// Accounts is how many accounts the routes of the group "price" share out their
	// updates over, in turn. The fewer, the more updates meet.
	Accounts int `key:"accounts" default:"100" least:"above zero" help:"Accounts that the routes of the group price share their updates out over; the fewer, the more updates meet." words:"%s" of:"account"`
	// Speed runs the experiment so many times as fast: every duration divided,
	// the rate multiplied.
	Speed float64 `key:"speed" default:"1" least:"above zero" help:"Run so many times as fast: durations divided, the rate multiplied, figures turned back."`
	// Postgres is the server's version, as it reports it; empty before a run.
	Postgres string `kong:"-" key:"postgres" omit:""`
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
	for _, t := range table {
		switch v := t.in(&s).(type) {
		case *time.Duration:
			if t.speed == "divided" {
				*v = time.Duration(float64(*v) / s.Speed)
			}
		case *float64:
			if t.speed == "multiplied" {
				*v *= s.Speed
			}
		}
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

// Check says in one sentence what is wrong with the settings, naming the flag.
func (s Settings) Check() error {
	for _, t := range table {
		if err := t.check(&s); err != nil {
			return err
		}
	}
	switch {
	case s.Requests() < 1:
		return fmt.Errorf("--rate %v for --duration %v sends no request: make one of them larger", s.Rate, s.Duration)
	case !slices.Contains(Pools, s.Pool):
		return fmt.Errorf("--pool must be one of %s, not %q", strings.Join(Pools, ", "), s.Pool)
	case !slices.Contains(Shapes, s.SlowShape):
		return fmt.Errorf("--slow-shape must be one of %s, not %q", strings.Join(Shapes, ", "), s.SlowShape)
	case s.PgBouncer > 0 && len(s.ServerTimeouts()) > 0:
		return fmt.Errorf("--pgbouncer does not go with --%s: PgBouncer refuses such settings from its clients", strings.Join(serverFlags(), " or --"))
	case slices.ContainsFunc(slices.Collect(maps.Values(s.ServerTimeouts())), func(d time.Duration) bool { return float64(d)/s.Speed < float64(time.Millisecond) }):
		return fmt.Errorf("--%s must be at least 1 ms after division by --speed: Postgres counts milliseconds", strings.Join(serverFlags(), " and --"))
	}
	return nil
}
