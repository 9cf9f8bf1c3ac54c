// Package activity looks at a Postgres from outside: who is connected, what each
// session is doing, and for how long it has been silent. It reads
// pg_stat_activity and needs no extension. Without the role pg_monitor it sees
// the details of its own role's sessions only.
//
// It changes nothing on the server and ends nobody's session.
package activity

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/internal/pg/connstring"
)

// State is what a session is doing, told from its state and its wait event.
type State string

// The states of a session.
const (
	Busy                State = "busy"                            // a statement is running
	LockWait            State = "waiting for a lock"              // a statement is waiting for another transaction
	ClientSlow          State = "waiting for its client"          // a statement is sending rows to, or reading them from, its client
	SilentInTransaction State = "silent in transaction"           // idle in transaction
	Aborted             State = "silent in transaction (aborted)" // the same after an error: only a rollback helps
	Silent              State = "silent"                          // idle: in a pool, or checked out and not used
	Unknown             State = "unknown"                         // not visible to this role
)

// InTransaction reports whether the state is one of the two in which a session
// is silent with its transaction open.
func (s State) InTransaction() bool { return s == SilentInTransaction || s == Aborted }

// Session is one of the server's sessions at the moment of a sample.
type Session struct {
	PID          int32
	BackendStart time.Time // with PID, the session's identity: PIDs come again
	State        State
	// StateFor is how long it has been in that state; for a silent session, how
	// long it has been silent. 0 where the role may not see it.
	StateFor time.Duration
	// TransactionFor is the age of its transaction; 0 where it has none, or an
	// aborted one, of which Postgres does not tell the age.
	TransactionFor time.Duration
	// WaitEvent is Postgres's own word, type and name: "Client.ClientRead".
	WaitEvent string
}

// Sample is what the server's sessions were doing at one moment of its clock.
type Sample struct {
	At       time.Time
	Sessions []Session
}

// Count returns how many sessions are in a state for which is returns true.
func (s Sample) Count(is func(State) bool) int {
	n := 0
	for _, session := range s.Sessions {
		if is(session.State) {
			n++
		}
	}
	return n
}

// Sampler takes samples over a connection of its own, which it keeps, so that it
// still sees a server that takes no further connections. It serves one goroutine.
type Sampler struct {
	conn *pgx.Conn
	mode pgx.QueryExecMode
}

// statementTimeout ends a sample that does not come back.
const statementTimeout = "5s"

// Open connects a Sampler.
func Open(ctx context.Context, dsn string) (*Sampler, error) {
	cc, err := connstring.Parse(dsn)
	if err != nil {
		return nil, err
	}
	return OpenConfig(ctx, cc)
}

// OpenConfig connects a Sampler with a configuration from pgx.ParseConfig, of which it
// sets the application's name.
func OpenConfig(ctx context.Context, cc *pgx.ConnConfig) (*Sampler, error) {
	conn, pooled, err := connect(ctx, cc)
	if err != nil {
		return nil, err
	}
	return &Sampler{conn, execMode(pooled)}, nil
}

// limitSQL sets the session's statement_timeout where the session is its client's own. A
// pooler such as PgBouncer has pids of its own: behind one, the next transaction on the
// session may be somebody else's, and the setting would be theirs.
const limitSQL = `select set_config('statement_timeout', $1, false) where pg_backend_pid() = $2::int8`

// connect connects with a configuration of which it sets the application's name, and
// reports whether that is through a pooler.
func connect(ctx context.Context, cc *pgx.ConnConfig) (_ *pgx.Conn, pooled bool, _ error) {
	cc.RuntimeParams["application_name"] = "pghold watch"
	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, false, err
	}
	// Not as a startup parameter: PgBouncer refuses those it does not know.
	set, err := conn.Exec(ctx, limitSQL, pgx.QueryExecModeExec, statementTimeout, int64(conn.PgConn().PID()))
	if err != nil {
		conn.Close(ctx)
		return nil, false, err
	}
	return conn, set.RowsAffected() == 0, nil
}

// execMode is how statements are run: through a pooler none is prepared by name, which the
// session of the next transaction may not know.
func execMode(pooled bool) pgx.QueryExecMode {
	if pooled {
		return pgx.QueryExecModeCacheDescribe
	}
	return pgx.QueryExecModeCacheStatement
}

// Close ends the sampler's connection.
func (s *Sampler) Close(ctx context.Context) error { return s.conn.Close(ctx) }

// All times are the server's, taken with clock_timestamp() in the same
// statement: inside a transaction both now() and pg_stat_activity stand still,
// so every sample is a statement of its own, outside of one.
const sampleSQL = `
select clock_timestamp(), pid, backend_start, coalesce(state, ''),
       coalesce(wait_event_type || '.' || wait_event, ''),
       greatest(extract(epoch from clock_timestamp() - state_change), 0)::float8,
       greatest(extract(epoch from clock_timestamp() - xact_start), 0)::float8
from pg_stat_activity
where application_name = $1 and pid <> pg_backend_pid()
order by backend_start, pid`

// Sample returns the sessions of the application of that name
// (application_name). With none there, At is the client's clock.
func (s *Sampler) Sample(ctx context.Context, application string) (Sample, error) {
	rows, err := s.conn.Query(ctx, sampleSQL, s.mode, application)
	if err != nil {
		return Sample{}, fmt.Errorf("reading pg_stat_activity: %w", err)
	}
	sample := Sample{At: time.Now()}
	sample.Sessions, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Session, error) {
		var (
			session         Session
			state           string
			started         *time.Time
			inState, inXact *float64
		)
		err := row.Scan(&sample.At, &session.PID, &started, &state, &session.WaitEvent, &inState, &inXact)
		if started != nil {
			session.BackendStart = *started
		}
		session.State = classify(state, session.WaitEvent)
		session.StateFor, session.TransactionFor = seconds(inState), seconds(inXact)
		return session, err
	})
	if err != nil {
		return Sample{}, fmt.Errorf("reading pg_stat_activity: %w", err)
	}
	return sample, nil
}

// Counted is for how long transactions were idle in the sampler's database, by the
// server's own counter, which PostgreSQL has since 14. It has a session's time some seconds
// later, or when the session has ended and CounterDelay is over.
func (s *Sampler) Counted(ctx context.Context) (time.Duration, error) {
	var ms float64
	err := s.conn.QueryRow(ctx, "select idle_in_transaction_time from pg_stat_database where datname = current_database()", s.mode).Scan(&ms)
	if err != nil {
		return 0, fmt.Errorf("reading pg_stat_database: %w", err)
	}
	return time.Duration(ms * float64(time.Millisecond)), nil
}

// CounterDelay is how long after the end of a session the counter has all of it, of a server's
// version as 14.9. PostgreSQL 14 has its counters from another process, half a second later.
func CounterDelay(version string) time.Duration {
	if major, _, _ := strings.Cut(version, "."); major == "14" {
		return time.Second
	}
	return 0
}

func seconds(s *float64) time.Duration {
	if s == nil {
		return 0
	}
	return time.Duration(*s * float64(time.Second))
}

// classify tells what a session is doing. A statement that runs may itself wait
// for the client: a slow reader of many rows, or a COPY that is fed slowly.
func classify(state, waitEvent string) State {
	switch state {
	case "idle":
		return Silent
	case "idle in transaction":
		return SilentInTransaction
	case "idle in transaction (aborted)":
		return Aborted
	case "active", "fastpath function call":
		switch {
		case strings.HasPrefix(waitEvent, "Lock."):
			return LockWait
		case waitEvent == "Client.ClientRead" || waitEvent == "Client.ClientWrite":
			return ClientSlow
		}
		return Busy
	}
	return Unknown
}
