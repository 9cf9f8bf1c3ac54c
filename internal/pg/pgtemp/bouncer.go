package pgtemp

import (
	"context"
	"fmt"
)

// BouncerConfig says what a PgBouncer stands in front of.
type BouncerConfig struct {
	// DSN is the address of a database, for its user: a URL or keywords and
	// values. It may be somebody else's server. The PGxxx variables of the
	// environment fill in what it does not say. Of several hosts, the first is it.
	DSN string
	// PoolSize is the number of connections to the database, at least 1. Each
	// belongs to one client for as long as that has a transaction.
	PoolSize int
	// Sessions makes a connection belong to one client for as long as that is there.
	Sessions bool
	// MaxClients is the number of clients; further ones are refused. The default
	// is 1000.
	MaxClients int
	// Log is told of slow steps, a sentence each. The default is not to tell.
	Log func(string)
}

// Bouncer is a running PgBouncer that pools transactions, or sessions. Its methods may be
// called by many goroutines.
type Bouncer struct {
	dsn     string
	version string
	done    <-chan struct{}
	refused func() (int, string)
	stop    func() error
}

// StartBouncer starts a PgBouncer and returns when the database answers through
// it; by then it has opened the first of its connections. It lives on loopback and
// in a folder of its own, and it goes as a Server does. The context ends the start,
// not the PgBouncer: that takes Stop.
//
// It returns a *NoBouncerError if this machine has none. It refuses a DSN that
// has the server's certificate verified, or settings of the session which PgBouncer
// does not pass on, such as a search_path.
func StartBouncer(ctx context.Context, cfg BouncerConfig) (*Bouncer, error) {
	return startBouncer(ctx, cfg, thisMachine())
}

// DSN returns the address of the same database, for the same user, through
// PgBouncer. It holds the password. Where the server asks for none, PgBouncer asks
// for one that it made up.
func (b *Bouncer) DSN() string { return b.dsn }

// Version returns the version of PgBouncer, such as "1.18.0".
func (b *Bouncer) Version() string { return b.version }

// Done is closed when PgBouncer has ended, for whatever reason. If nobody called
// Stop, somebody still should: the folder is there.
func (b *Bouncer) Done() <-chan struct{} { return b.done }

// Refused returns how many of PgBouncer's connections the server has refused, and what
// it said of the last. PgBouncer tells its clients nothing of it as long as they can
// wait: they only see that they wait longer. After Stop it is 0.
func (b *Bouncer) Refused() (n int, reason string) { return b.refused() }

// Stop ends PgBouncer, whoever is connected, and removes its folder. Only the first
// call does something; all of them return when it is done, with its error.
func (b *Bouncer) Stop() error { return b.stop() }

// NoBouncerError says that this machine has no PgBouncer that could be started,
// and what to do.
type NoBouncerError struct {
	Cause error // what was wrong with the one that was found, or nil
}

func (e *NoBouncerError) Unwrap() error { return e.Cause }

func (e *NoBouncerError) Error() string {
	what := "no PgBouncer to start"
	if e.Cause != nil {
		what += fmt.Sprintf(" (%v)", e.Cause)
	}
	return what + ": install the package pgbouncer, set PGHOLD_PGBOUNCER to the program, or leave out --pgbouncer"
}
