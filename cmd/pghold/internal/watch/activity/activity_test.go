package activity_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func open(t *testing.T, dsn string) *activity.Sampler {
	t.Helper()
	s, err := activity.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// sampleUntil samples the one session of an application until it is in a state, and
// where it has a transaction, until the age of that is known: a backend says that it is
// active, and a moment later when its transaction began.
func sampleUntil(t *testing.T, s *activity.Sampler, application string, want activity.State, transaction bool) activity.Session {
	t.Helper()
	for {
		sample, err := s.Sample(t.Context(), application)
		if err != nil {
			t.Fatal(err)
		}
		if len(sample.Sessions) == 1 && sample.Sessions[0].State == want && (!transaction || sample.Sessions[0].TransactionFor > 0) {
			return sample.Sessions[0]
		}
	}
}

func TestCounterDelay(t *testing.T) {
	for version, want := range map[string]time.Duration{"14.9": time.Second, "14": time.Second, "15.14": 0, "114.1": 0, "": 0} {
		if got := activity.CounterDelay(version); got != want {
			t.Errorf("%q: %v, want %v", version, got, want)
		}
	}
}

func TestSampler_States(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := open(t, dsn)
	setup := pgtest.Connect(t, dsn, "setup")
	pgtest.Exec(t, setup, "create table t (n int primary key); insert into t values (1)")
	const application = "watched"

	states := []struct {
		name        string
		want        activity.State
		transaction bool // its age is known
		enter       func(t *testing.T, conn *pgx.Conn)
	}{
		{"idle", activity.Silent, false, func(t *testing.T, c *pgx.Conn) { pgtest.Exec(t, c, "select 1") }},
		{"idle in transaction", activity.SilentInTransaction, true, func(t *testing.T, c *pgx.Conn) { pgtest.Exec(t, c, "begin; select 1") }},
		{"aborted", activity.Aborted, false, func(t *testing.T, c *pgx.Conn) {
			pgtest.Exec(t, c, "begin")
			c.Exec(t.Context(), "select 1/0")
		}},
		{"busy", activity.Busy, true, func(t *testing.T, c *pgx.Conn) { background(t, c, "select pg_sleep(60)") }},
		{"waiting for a lock", activity.LockWait, true, func(t *testing.T, c *pgx.Conn) {
			holder := pgtest.Connect(t, dsn, "holder")
			pgtest.Exec(t, holder, "begin; update t set n = 1 where n = 1")
			background(t, c, "update t set n = 1 where n = 1")
		}},
		{"fed slowly", activity.ClientSlow, true, func(t *testing.T, c *pgx.Conn) {
			r, w := io.Pipe()
			t.Cleanup(func() { w.Close() })
			done := make(chan struct{})
			t.Cleanup(func() { <-done })
			t.Cleanup(func() { w.Close() })
			go func() {
				defer close(done)
				c.PgConn().CopyFrom(context.Background(), r, "copy t from stdin")
			}()
		}},
	}
	for _, state := range states {
		t.Run(state.name, func(t *testing.T) {
			conn := pgtest.Connect(t, dsn, application)
			state.enter(t, conn)
			first := sampleUntil(t, s, application, state.want, state.transaction)
			if first.PID != int32(conn.PgConn().PID()) || first.BackendStart.IsZero() {
				t.Errorf("got PID %d started %v, want PID %d", first.PID, first.BackendStart, conn.PgConn().PID())
			}
			if !state.transaction && first.TransactionFor != 0 {
				t.Errorf("its transaction's age is %v, want none", first.TransactionFor)
			}
			if state.want.InTransaction() != (state.want == activity.SilentInTransaction || state.want == activity.Aborted) {
				t.Errorf("%s: InTransaction is %v", state.want, state.want.InTransaction())
			}
			// Its age grows from sample to sample, by the server's clock. Each is read a
			// moment after the sample's time, and before the next sample's.
			var samples [20]activity.Sample
			const last = len(samples) - 1
			for i := range samples {
				sample, err := s.Sample(t.Context(), application)
				if err != nil {
					t.Fatal(err)
				}
				samples[i] = sample
			}
			age := func(i int) time.Duration { return samples[i].Sessions[0].StateFor }
			passed := func(from, to int) time.Duration { return samples[to].At.Sub(samples[from].At) }
			const rounded = 2 * time.Microsecond
			if grown := age(last-1) - age(0); grown <= 0 || grown > passed(0, last)+rounded {
				t.Errorf("its age grew by %v until the last sample but one, want at most the %v until the last", grown, passed(0, last))
			}
			if grown := age(last) - age(0); grown < passed(1, last)-rounded {
				t.Errorf("its age grew by %v until the last sample, want at least the %v since the second", grown, passed(1, last))
			}
		})
	}
}

// background runs a statement until the test ends.
func background(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		conn.Exec(ctx, sql)
	}()
}

func TestOpen_SaysWhatFails(t *testing.T) {
	for dsn, want := range map[string]string{"postgres://[": "IPv6 address", "postgres://127.0.0.1:1/x": "connect"} {
		if _, err := activity.Open(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", dsn, err, want)
		}
	}

	// A server, or something in between, that takes no settings: the connection to it
	// is not kept.
	ours, theirs := net.Pipe()
	last := make(chan pgproto3.FrontendMessage)
	go func() {
		b := pgproto3.NewBackend(theirs, theirs)
		b.ReceiveStartupMessage()
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		b.Flush()
		for synced := false; !synced; {
			m, _ := b.Receive()
			_, synced = m.(*pgproto3.Sync)
		}
		b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "0A000", Message: "no settings here"})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		b.Flush()
		m, _ := b.Receive()
		last <- m
		theirs.Close()
	}()
	cc, err := pgx.ParseConfig("postgres://u@127.0.0.1/x?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	cc.DialFunc = func(context.Context, string, string) (net.Conn, error) { return ours, nil }
	if _, err := activity.OpenConfig(t.Context(), cc); err == nil || !strings.Contains(err.Error(), "no settings here") {
		t.Errorf("got %v, want the server's refusal", err)
	}
	if m, ok := (<-last).(*pgproto3.Terminate); !ok { // else the connection that is of no use is still open
		t.Errorf("after its refusal the server was sent %T", m)
	}
}

func TestSampler_SeesOnlyTheApplication(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := open(t, dsn)
	for _, application := range []string{"a", "a", "b"} {
		pgtest.Connect(t, dsn, application)
	}
	for application, want := range map[string]int{"a": 2, "b": 1, "c": 0, "pghold watch": 0} {
		sample, err := s.Sample(t.Context(), application)
		if err != nil {
			t.Fatal(err)
		}
		if n := sample.Count(func(activity.State) bool { return true }); n != want {
			t.Errorf("%q has %d sessions, want %d", application, n, want)
		}
		if sample.At.IsZero() {
			t.Errorf("%q: the sample has no time", application)
		}
	}
}

// A role without pg_monitor sees that others' sessions are there, and no more.
func TestSampler_WithoutPermission(t *testing.T) {
	dsn := pgtest.DSN(t)
	owner := pgtest.Connect(t, dsn, "owner")
	pgtest.Exec(t, owner, "begin; select 1")
	admin := pgtest.Connect(t, dsn, "admin")
	role := fmt.Sprintf("watch_test_%d", admin.PgConn().PID())
	pgtest.Exec(t, admin, "create role "+role+" login password 'x'")
	t.Cleanup(func() { admin.Exec(context.Background(), "drop role "+role) })
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "x")
	s := open(t, u.String())
	session := sampleUntil(t, s, "owner", activity.Unknown, false)
	if session.StateFor != 0 || !session.BackendStart.IsZero() {
		t.Errorf("got %+v, want nothing but its PID", session)
	}
}

func TestSampler_FailsWhenTheServerIsGone(t *testing.T) {
	dsn := pgtest.DSN(t)
	s := open(t, dsn)
	admin := pgtest.Connect(t, dsn, "admin")
	pgtest.Exec(t, admin, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pghold watch' and datname = current_database()")
	var err error
	for err == nil { // until the server has ended it, a moment later
		_, err = s.Sample(t.Context(), "a")
	}
	if !strings.HasPrefix(err.Error(), "reading pg_stat_activity: ") {
		t.Errorf("got %v", err)
	}
}
