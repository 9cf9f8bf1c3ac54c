package main

import (
	"fmt"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// settingsFlags are the experiment's settings, which all verbs that ask its
// question share.
type settingsFlags struct {
	Rate               float64       `default:"${rate}" help:"Requests per second, evenly sent." group:"Settings:"`
	Duration           time.Duration `default:"${duration}" help:"How long requests are sent." group:"Settings:"`
	Slow               time.Duration `default:"${slow}" help:"How long the slow call takes." group:"Settings:"`
	SlowShape          string        `default:"${slow_shape}" help:"fixed, lognormal or stalls: how the slow call's length varies, of the routes that make it over HTTP." group:"Settings:"`
	ClientTimeout      time.Duration `default:"${client_timeout}" help:"How long a client waits for its answer." group:"Settings:"`
	Pool               string        `default:"${pool}" help:"queuepool (SQLAlchemy's), pgxpool or sql (database/sql)." group:"Settings:"`
	PoolSize           int           `default:"${pool_size}" help:"Connections that the pool keeps." group:"Settings:"`
	MaxOverflow        int           `default:"${max_overflow}" help:"Connections that it may open beyond these." group:"Settings:"`
	PoolTimeout        time.Duration `default:"${pool_timeout}" help:"How long a request waits for a connection." group:"Settings:"`
	Threads            int           `default:"${threads}" help:"Sync handlers that run at once." group:"Settings:"`
	CancelOnDisconnect bool          `help:"End a handler's work when its client has gone." group:"Settings:"`
	MaxInFlight        int           `default:"0" help:"Requests that the app takes on at once; it answers further ones 429. 0: no limit." group:"Settings:"`
	IdleInTransaction  time.Duration `name:"idle-in-transaction-timeout" default:"0s" help:"The server's idle_in_transaction_session_timeout. 0s: none." group:"Settings:"`
	TransactionTimeout time.Duration `default:"0s" help:"The server's transaction_timeout, of PostgreSQL 17 and later. 0s: none." group:"Settings:"`
	Distance           time.Duration `default:"0s" help:"How far away the database is: the time of a round trip, beyond what it takes on this machine." group:"Settings:"`
	PgBouncer          bool          `name:"pgbouncer" help:"Put a PgBouncer in front of Postgres, in transaction mode." group:"Settings:"`
	PgBouncerSize      int           `name:"pgbouncer-size" default:"5" help:"Its server connections." group:"Settings:"`
	Accounts           int           `default:"${accounts}" help:"Accounts that the routes of the group price share their updates out over; the fewer, the more updates meet." group:"Settings:"`
	Speed              float64       `default:"${speed}" help:"Run so many times as fast: durations divided, the rate multiplied, figures turned back." group:"Settings:"`
}

func (f settingsFlags) settings() (experiment.Settings, error) {
	s := experiment.Settings{
		Rate: f.Rate, Duration: f.Duration, Slow: f.Slow, SlowShape: f.SlowShape, ClientTimeout: f.ClientTimeout,
		Pool: f.Pool, PoolSize: f.PoolSize, MaxOverflow: f.MaxOverflow, PoolTimeout: f.PoolTimeout,
		Threads: f.Threads, CancelOnDisconnect: f.CancelOnDisconnect, MaxInFlight: f.MaxInFlight,
		IdleInTransactionTimeout: f.IdleInTransaction, TransactionTimeout: f.TransactionTimeout, Distance: f.Distance,
		Accounts: f.Accounts, Speed: f.Speed,
	}
	if f.PgBouncer {
		if s.PgBouncer = f.PgBouncerSize; s.PgBouncer < 1 {
			return s, usage(fmt.Errorf("--pgbouncer-size must be above zero, not %d", f.PgBouncerSize))
		}
	}
	return s, usage(s.Validate())
}
