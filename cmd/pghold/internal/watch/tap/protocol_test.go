package tap_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// pause is a gap that is long enough to have a name.
const pause = 20 * time.Millisecond

// slowest is how long a client may take and not count as slow.
const slowest = time.Millisecond

// after is the time in gaps after a statement of that shape, and how many there were.
func after(r *watch.Report, shape string) (time.Duration, int) {
	for _, g := range r.Groups {
		if strings.EqualFold(g.After, shape) {
			return time.Duration(g.Silent + g.Aborted), g.Gaps
		}
	}
	return 0, 0
}

// tappedApp is an app behind a tap, and ended, which closes both and is the ledger.
func tappedApp(t *testing.T, more string) (app *pgx.Conn, ended func() *watch.Report) {
	t.Helper()
	dsn := pgtest.DSN(t)
	tt := start(t, dsn)
	app = pgtest.Connect(t, tt.through(t, dsn)+" "+more, "app")
	return app, func() *watch.Report {
		t.Helper()
		app.Close(context.Background())
		tt.Close()
		if lines := tt.lines(); len(lines) > 0 {
			t.Errorf("the log has %q", lines)
		}
		r := tt.ledger.Report(time.Now())
		for _, tx := range r.Listed {
			if tx.Sums.Total() != time.Duration(tx.S) {
				t.Errorf("a transaction of %v spent %v on something: %+v", time.Duration(tx.S), tx.Sums.Total(), tx)
			}
		}
		return r
	}
}

// raw sends messages as they are, and reads answers until one of a type.
type raw struct {
	t    *testing.T
	conn net.Conn
	*pgproto3.Frontend
}

func hijack(t *testing.T, app *pgx.Conn) *raw {
	t.Helper()
	h, err := app.PgConn().Hijack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Conn.Close() })
	return &raw{t, h.Conn, pgproto3.NewFrontend(h.Conn, h.Conn)}
}

func (r *raw) send(messages ...pgproto3.FrontendMessage) {
	r.t.Helper()
	for _, m := range messages {
		r.Send(m)
	}
	if err := r.Flush(); err != nil {
		r.t.Fatal(err)
	}
}

// until reads answers up to one of the type of the last argument.
func (r *raw) until(want pgproto3.BackendMessage) {
	r.t.Helper()
	for {
		m, err := r.Receive()
		if err != nil {
			r.t.Fatal(err)
		}
		if e, ok := m.(*pgproto3.ErrorResponse); ok {
			r.t.Fatal(e.Message)
		}
		if reflect.TypeOf(m) == reflect.TypeOf(want) {
			return
		}
	}
}

// end ends the session.
func (r *raw) end() {
	r.send(&pgproto3.Terminate{})
	r.conn.Close()
}

// Statements that are sent before the answer to the last one has come leave no gap.
func TestTap_Pipelines(t *testing.T) {
	app, ended := tappedApp(t, "")
	// A batch is one Sync.
	batch := &pgx.Batch{}
	for _, sql := range []string{"begin", "select 1", "commit"} {
		batch.Queue(sql)
	}
	if err := app.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Fatal(err)
	}
	// Several Syncs, in one piece.
	wire := hijack(t, app)
	var messages []pgproto3.FrontendMessage
	for _, sql := range []string{"begin", "select 1", "select 2", "commit"} {
		messages = append(messages, &pgproto3.Parse{Query: sql}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	}
	wire.send(messages...)
	for range 4 {
		wire.until(&pgproto3.ReadyForQuery{})
	}
	wire.end()
	r := ended()
	if r.Transactions == 0 || r.Silent != 0 || r.Aborted != 0 || len(r.Groups) != 0 || r.Inside.Total() <= 0 {
		t.Errorf("%d transactions, silent for %v, groups %+v; want some, and no gap", r.Transactions, time.Duration(r.Silent), r.Groups)
	}
}

// While data is copied no gap is open: the client is slow to send it.
func TestTap_CopyFrom(t *testing.T) {
	app, ended := tappedApp(t, "")
	pgtest.Exec(t, app, "begin")
	pgtest.Exec(t, app, "create table t (n int)")
	wire := hijack(t, app)
	wire.send(&pgproto3.Query{String: "copy t from stdin"})
	wire.until(&pgproto3.CopyInResponse{}) // data that is sent before waits for the server, not for the client
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.CopyData{Data: []byte("1\n")}, &pgproto3.CopyData{Data: []byte("2\n")}, &pgproto3.CopyDone{}} {
		time.Sleep(pause)
		wire.send(m)
	}
	wire.until(&pgproto3.ReadyForQuery{})
	time.Sleep(pause)
	wire.send(&pgproto3.Query{String: "commit"})
	wire.until(&pgproto3.ReadyForQuery{})
	wire.end()
	report := ended()
	if d, n := after(report, "COPY t FROM stdin"); n != 1 || d < pause {
		t.Errorf("after the copy there were %d gaps, of %v in all; want the one of %v: %+v", n, d, pause, report.Groups)
	}
	if slow, want := time.Duration(report.Inside.SlowClient), 3*(pause-slowest); slow < want {
		t.Errorf("the client was slow for %v, want %v at least", slow, want)
	}
}

// Nor while it is slow to take it.
func TestTap_CopyTo(t *testing.T) {
	app, ended := tappedApp(t, "")
	pgtest.Exec(t, app, "begin")
	if _, err := app.PgConn().CopyTo(t.Context(), &slowly{}, "copy (select repeat('x', 1000) from generate_series(1, 40000)) to stdout"); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, app, "commit")
	if report := ended(); report.Inside.SlowClient == 0 {
		t.Errorf("the client was not slow: %+v", report.Inside)
	}
}

// slowly takes a rest when it has read some megabytes.
type slowly struct{ n, rested int }

func (s *slowly) Write(b []byte) (int, error) {
	if s.n += len(b); s.n > 10<<20 && s.rested == 0 {
		s.rested++
		time.Sleep(10 * pause)
	}
	return len(b), nil
}

// A COPY by the extended protocol has a Sync that the server overlooks, whenever the
// client sends it.
func TestTap_ExtendedCopy(t *testing.T) {
	start := []pgproto3.FrontendMessage{&pgproto3.Parse{Query: "copy t from stdin"}, &pgproto3.Bind{}, &pgproto3.Execute{}}
	data := []pgproto3.FrontendMessage{&pgproto3.CopyData{Data: []byte("1\n")}, &pgproto3.CopyDone{}, &pgproto3.Sync{}}
	for name, copies := range map[string]func(*raw){
		"at once": func(r *raw) { r.send(append(append(start, &pgproto3.Sync{}), data...)...) },
		"in turn": func(r *raw) {
			r.send(append(start, &pgproto3.Sync{})...)
			r.until(&pgproto3.CopyInResponse{})
			r.send(data...)
		},
		"late": func(r *raw) {
			r.send(append(start, &pgproto3.Flush{})...)
			r.until(&pgproto3.CopyInResponse{})
			r.send(&pgproto3.Sync{})
			r.send(data...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			app, ended := tappedApp(t, "")
			pgtest.Exec(t, app, "begin; create table t (n int)")
			r := hijack(t, app)
			copies(r)
			r.until(&pgproto3.ReadyForQuery{})
			time.Sleep(pause)
			r.send(&pgproto3.Query{String: "rollback"})
			r.until(&pgproto3.ReadyForQuery{})
			r.end()
			report := ended()
			if d, n := after(report, "COPY t FROM stdin"); n != 1 || d < pause {
				t.Errorf("after the copy there were %d gaps, of %v in all; want the one of %v: %+v", n, d, pause, report.Groups)
			}
		})
	}
}

// What is begun before the answer comes, and not ended, leaves no gap.
func TestTap_BegunBeforeTheAnswer(t *testing.T) {
	app, ended := tappedApp(t, "")
	r := hijack(t, app)
	r.send(&pgproto3.Query{String: "begin"}, &pgproto3.Parse{Query: "select 1"}, &pgproto3.Flush{})
	r.until(&pgproto3.ReadyForQuery{})
	r.until(&pgproto3.ParseComplete{})
	time.Sleep(pause)
	r.send(&pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	r.until(&pgproto3.ReadyForQuery{})
	r.send(&pgproto3.Query{String: "commit"})
	r.until(&pgproto3.ReadyForQuery{})
	r.end()
	if report := ended(); report.Inside.Busy < watch.Seconds(pause) {
		t.Errorf("busy for %v, want the %v in which a statement was begun", time.Duration(report.Inside.Busy), pause)
	}
}

// The statement without a name can be run again, after others.
func TestTap_UnnamedAgain(t *testing.T) {
	app, ended := tappedApp(t, "")
	pgtest.Exec(t, app, "begin")
	if _, err := app.Prepare(t.Context(), "two", "select 2 as two"); err != nil {
		t.Fatal(err)
	}
	r := hijack(t, app)
	run := func(name string) []pgproto3.FrontendMessage {
		return []pgproto3.FrontendMessage{&pgproto3.Bind{PreparedStatement: name}, &pgproto3.Execute{}, &pgproto3.Sync{}}
	}
	r.send(append([]pgproto3.FrontendMessage{&pgproto3.Parse{Query: "select 1 as one"}}, run("")...)...)
	r.until(&pgproto3.ReadyForQuery{})
	r.send(run("two")...)
	r.until(&pgproto3.ReadyForQuery{})
	r.send(run("")...)
	r.until(&pgproto3.ReadyForQuery{})
	time.Sleep(pause)
	// What is closed is not known any more.
	r.send(&pgproto3.Close{ObjectType: 'S', Name: "two"}, &pgproto3.Sync{})
	r.until(&pgproto3.ReadyForQuery{})
	r.end()
	report := ended()
	if d, n := after(report, "SELECT ? AS one"); n == 0 || d < pause {
		t.Errorf("after it there were %d gaps, of %v in all: %+v", n, d, report.Groups)
	}
}

// A statement that was prepared where the tap did not see it is not taken for another.
func TestTap_StatementNotSeen(t *testing.T) {
	app, ended := tappedApp(t, "")
	pgtest.Exec(t, app, "prepare hidden as select 3 as three")
	pgtest.Exec(t, app, "begin")
	r := hijack(t, app)
	r.send(&pgproto3.Bind{PreparedStatement: "hidden"}, &pgproto3.Execute{}, &pgproto3.Sync{})
	r.until(&pgproto3.ReadyForQuery{})
	time.Sleep(pause)
	r.end()
	report := ended()
	if d, n := after(report, "(statement not seen)"); n != 1 || d < pause {
		t.Errorf("after it there were %d gaps, of %v in all: %+v", n, d, report.Groups)
	}
}

// A gap is after the statement that ran, whatever was prepared meanwhile.
func TestTap_PreparedStatements(t *testing.T) {
	app, ended := tappedApp(t, "")
	for name, sql := range map[string]string{"one": "select 1 as one", "two": "select 2 as two"} {
		if _, err := app.Prepare(t.Context(), name, sql); err != nil {
			t.Fatal(err)
		}
	}
	pgtest.Exec(t, app, "begin")
	pgtest.Exec(t, app, "one")
	time.Sleep(pause)
	pgtest.Exec(t, app, "two")
	time.Sleep(2 * pause)
	if _, err := app.Exec(t.Context(), "select $1::int as three", pgx.QueryExecModeExec, 3); err != nil { // by no name
		t.Fatal(err)
	}
	time.Sleep(3 * pause)
	pgtest.Exec(t, app, "one")
	time.Sleep(pause)
	pgtest.Exec(t, app, "commit")
	r := ended()
	for shape, want := range map[string]struct {
		d time.Duration
		n int
	}{"SELECT ? AS one": {2 * pause, 2}, "SELECT ? AS two": {2 * pause, 1}, "SELECT $1 :: int AS three": {3 * pause, 1}} {
		if d, n := after(r, shape); n != want.n || d < want.d {
			t.Errorf("after %q there were %d gaps, of %v in all; want %d, of at least %v: %+v", shape, n, d, want.n, want.d, r.Groups)
		}
	}
}

// What an application calls itself may change.
func TestTap_ApplicationName(t *testing.T) {
	app, ended := tappedApp(t, "")
	pgtest.Exec(t, app, "set application_name = 'another'")
	pgtest.Exec(t, app, "begin")
	time.Sleep(pause)
	pgtest.Exec(t, app, "commit")
	if r := ended(); len(r.Listed) != 1 || r.Listed[0].Application != "another" || r.Groups[0].Application != "another" {
		t.Errorf("transactions are %+v, want one of another", r.Listed)
	}
}

// It may do so for a transaction only.
func TestTap_ApplicationNameOfATransaction(t *testing.T) {
	app, ended := tappedApp(t, "")
	pgtest.Exec(t, app, "begin; set local application_name = 'checkout'")
	time.Sleep(pause)
	pgtest.Exec(t, app, "commit")
	if r := ended(); len(r.Listed) != 1 || r.Listed[0].Application != "checkout" || r.Groups[0].Application != "checkout" {
		t.Errorf("transactions are %+v, groups %+v, want one of checkout", r.Listed, r.Groups)
	}
}

func TestTap_Cancel(t *testing.T) {
	for _, more := range []string{"", "max_protocol_version=3.2"} {
		app, ended := tappedApp(t, more)
		ctx, cancel := context.WithCancel(t.Context())
		running := make(chan error, 1)
		go func() {
			_, err := app.Exec(context.WithoutCancel(ctx), "select pg_sleep(600)")
			running <- err
		}()
		// It is cancelled when it runs, which the server says.
		for other := connectNow(t, pgtestAddress(app)); ; {
			var n int
			if err := other.QueryRow(t.Context(), "select count(*) from pg_stat_activity where pid = $1 and state = 'active' and query like '%pg_sleep%'", app.PgConn().PID()).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n == 1 {
				other.Close(t.Context())
				break
			}
		}
		if err := app.PgConn().CancelRequest(t.Context()); err != nil {
			t.Fatal(err)
		}
		var pgErr *pgconn.PgError
		if err := <-running; !errors.As(err, &pgErr) || pgErr.Code != "57014" {
			t.Errorf("the statement ended with %v, want that it was cancelled", err)
		}
		cancel()
		ended()
	}
}

// pgtestAddress is the connection string of a connection.
func pgtestAddress(c *pgx.Conn) string {
	cc := c.Config()
	return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s sslmode=disable", cc.Host, cc.Port, cc.User, cc.Password, cc.Database)
}

func TestTap_Notifications(t *testing.T) {
	app, ended := tappedApp(t, "")
	other := connectNow(t, pgtestAddress(app))
	pgtest.Exec(t, app, "listen news")
	pgtest.Exec(t, other, "notify news, 'hello'")
	n, err := app.WaitForNotification(t.Context())
	if err != nil || n.Payload != "hello" {
		t.Errorf("got %+v, %v", n, err)
	}
	other.Close(t.Context())
	if r := ended(); r.Silent != 0 || r.Transactions != 0 {
		t.Errorf("a session that waits for a notification is silent in transaction for %v", time.Duration(r.Silent))
	}
}

// A replication connection passes, and is not counted.
func TestTap_Replication(t *testing.T) {
	app, ended := tappedApp(t, "replication=database")
	r, err := app.PgConn().Exec(t.Context(), "IDENTIFY_SYSTEM").ReadAll()
	if err != nil || len(r) != 1 || len(r[0].Rows) != 1 {
		t.Errorf("got %v, %v", r, err)
	}
	if r := ended(); r.SessionsAll != 0 {
		t.Errorf("%d sessions are counted, want none", r.SessionsAll)
	}
}

// Unix sockets work on both sides.
func TestTap_UnixSockets(t *testing.T) {
	dsn := pgtest.DSN(t)
	cc, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(folder, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	near := serve(t, cc, l)
	far := start(t, "host="+folder+" sslmode=disable")
	for _, app := range []string{
		fmt.Sprintf("host=%s user=%s password=%s dbname=%s", folder, cc.User, cc.Password, cc.Database), far.through(t, dsn),
	} {
		conn := pgtest.Connect(t, app, "app")
		pgtest.Exec(t, conn, "begin")
		time.Sleep(pause)
		pgtest.Exec(t, conn, "commit")
		conn.Close(t.Context())
	}
	far.Close()
	near.Close()
	if r := near.ledger.Report(time.Now()); r.Transactions != 2 || r.Listed[0].Address != "local" {
		t.Errorf("got %+v, want two transactions of local clients", r.Listed)
	}
}
