package sqlhold_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/sqlhold"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// drivers are those that the tests run with: two real ones, and pgx's with nothing
// but what every driver has to have.
var drivers = map[string]func(*testing.T, *pghold.Recorder) *sql.DB{
	"pgx":   func(t *testing.T, r *pghold.Recorder) *sql.DB { return opened(t, "pgx", r) },
	"pq":    func(t *testing.T, r *pghold.Recorder) *sql.DB { return opened(t, "postgres", r) },
	"plain": func(t *testing.T, r *pghold.Recorder) *sql.DB { return connected(t, r, plain) },
	"skips": func(t *testing.T, r *pghold.Recorder) *sql.DB { return connected(t, r, skips) },
}

func opened(t *testing.T, driver string, r *pghold.Recorder) *sql.DB {
	t.Helper()
	db, err := sqlhold.Open(driver, pgtest.DSN(t), r, "main")
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

func connected(t *testing.T, r *pghold.Recorder, change func(driver.Conn) driver.Conn) *sql.DB {
	t.Helper()
	cfg, err := pgx.ParseConfig(pgtest.DSN(t))
	must(t, err)
	db, err := sqlhold.OpenDB(changed{stdlib.GetConnector(*cfg), change}, r, "main")
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

type changed struct {
	driver.Connector
	change func(driver.Conn) driver.Conn
}

func (c changed) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return c.change(conn), nil
}

func plain(c driver.Conn) driver.Conn { return struct{ driver.Conn }{c} }

func skips(c driver.Conn) driver.Conn { return skipper{c} }

// skipper wants everything prepared.
type skipper struct{ driver.Conn }

func (skipper) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, driver.ErrSkip
}

func (skipper) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return nil, driver.ErrSkip
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// goesTo is what the time of the one open hold goes to now: all that passes between two
// looks at it, however long that is.
func goesTo(t *testing.T, r *pghold.Recorder) string {
	t.Helper()
	look := func() pghold.Hold {
		open := r.Snapshot().Open
		if len(open) != 1 || open[0].Route != "GET /" {
			t.Fatalf("the open holds are %+v, want one of GET /", open)
		}
		return open[0]
	}
	a := look()
	b := look()
	for b.Held == a.Held { // until the clock has moved
		b = look()
	}
	switch b.Held - a.Held {
	case b.Busy - a.Busy:
		return "a statement"
	case b.SilentInTransaction - a.SilentInTransaction:
		return "silence in a transaction"
	case b.Silent() - a.Silent():
		return "silence"
	}
	return "several things"
}

// until waits for what database/sql does in a goroutine of its own.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	giveUp := time.After(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-giveUp:
			t.Fatalf("did not happen within a minute: %s", what)
		}
	}
}

// sum adds the series up, in which no hold may be open.
func sum(t *testing.T, r *pghold.Recorder) (all pghold.Series) {
	t.Helper()
	s := r.Snapshot()
	if len(s.Open) != 0 {
		t.Errorf("%d holds are still open: %+v", len(s.Open), s.Open)
	}
	for _, p := range s.Pools {
		if p.Checkouts != p.Releases {
			t.Errorf("pool %+v: every checkout should have its release", p)
		}
	}
	for _, series := range s.Series {
		all.Held.Merge(&series.Held)
		all.Wait.Merge(&series.Wait)
		all.Silent.Merge(&series.Silent)
		all.Statements += series.Statements
		all.Busy += series.Busy
		all.SilentInTransaction += series.SilentInTransaction
		if !strings.HasSuffix(series.Site.File, "_test.go") {
			t.Errorf("a hold was taken at %+v, want a line of this test", series.Site)
		}
		if series.Route != "GET /" {
			t.Errorf("a hold has the route %q, want GET /", series.Route)
		}
	}
	return all
}

func withDrivers(t *testing.T, test func(*testing.T, context.Context, *sql.DB, *pghold.Recorder)) {
	for name, open := range drivers {
		t.Run(name, func(t *testing.T) {
			r := pghold.NewRecorder(pghold.Config{})
			test(t, pghold.WithRoute(t.Context(), "GET /"), open(t, r), r)
		})
	}
}

func TestDB_EachCallIsAHold(t *testing.T) {
	withDrivers(t, func(t *testing.T, ctx context.Context, db *sql.DB, r *pghold.Recorder) {
		_, err := db.ExecContext(ctx, "create table t (n int)")
		must(t, err)
		_, err = db.ExecContext(ctx, "insert into t values ($1)", 7)
		must(t, err)
		var n int
		must(t, db.QueryRowContext(ctx, "select n from t where n = $1", 7).Scan(&n))
		if n != 7 {
			t.Errorf("read %d, want 7", n)
		}
		_, err = db.ExecContext(ctx, "select broken")
		if err == nil {
			t.Error("an error of the server's is lost")
		}
		all := sum(t, r)
		if all.Held.Count() != 4 || all.Statements < 4 || all.SilentInTransaction != 0 || all.Busy <= 0 || all.Busy > all.Held.Sum() {
			t.Errorf("%d holds, %d statements, %v silent in transaction, busy %v of %v; want 4 holds of a statement or two each",
				all.Held.Count(), all.Statements, all.SilentInTransaction, all.Busy, all.Held.Sum())
		}
		if all.Wait.Count() != 0 {
			t.Error("waits were counted, of which nothing is known")
		}
		if p := r.Snapshot().Pools[0]; p.Open != 1 || p.Max != 0 {
			t.Errorf("the pool says of itself %+v, want one connection and no limit", p)
		}
	})
}

func TestTx_IsOneHoldAndSilentBetweenItsStatements(t *testing.T) {
	for _, end := range []string{"commit", "rollback", "failed commit", "cancelled"} {
		t.Run(end, func(t *testing.T) {
			withDrivers(t, func(t *testing.T, ctx context.Context, db *sql.DB, r *pghold.Recorder) {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				begin := ctx
				if end != "cancelled" {
					begin = context.WithoutCancel(ctx)
				}
				tx, err := db.BeginTx(begin, nil)
				must(t, err)
				silent := func(after string) {
					t.Helper()
					if got := goesTo(t, r); got != "silence in a transaction" {
						t.Errorf("after %s the time goes to %s, want silence in a transaction", after, got)
					}
				}
				silent("BEGIN")
				_, err = tx.ExecContext(context.WithoutCancel(ctx), "select 1")
				must(t, err)
				silent("a statement")
				switch end {
				case "commit":
					must(t, tx.Commit())
				case "rollback":
					must(t, tx.Rollback())
				case "failed commit":
					_, err = tx.ExecContext(ctx, "select broken")
					if err == nil {
						t.Fatal("no error")
					}
					silent("an error")
					if err := tx.Commit(); err == nil {
						t.Log("this driver commits what has failed without an error")
					}
				case "cancelled": // database/sql rolls back in a goroutine of its own
					cancel()
					until(t, "the transaction is rolled back", func() bool { return len(r.Snapshot().Open) == 0 })
				}
				all := sum(t, r)
				if all.Held.Count() != 1 || all.Statements < 3 || all.SilentInTransaction <= 0 || all.SilentInTransaction > all.Silent.Sum() {
					t.Errorf("%d holds, %d statements, %v silent in transaction of %v; want one hold of 3 statements or more, silent in it",
						all.Held.Count(), all.Statements, all.SilentInTransaction, all.Silent.Sum())
				}
			})
		})
	}
}

func TestConn_BeginAndCommitAsText(t *testing.T) {
	withDrivers(t, func(t *testing.T, ctx context.Context, db *sql.DB, r *pghold.Recorder) {
		conn, err := db.Conn(ctx)
		must(t, err)
		for _, after := range []struct{ text, want string }{{"begin", "silence in a transaction"}, {"select 1", "silence in a transaction"}, {"commit", "silence"}} {
			_, err = conn.ExecContext(ctx, after.text)
			must(t, err)
			if got := goesTo(t, r); got != after.want {
				t.Errorf("after %s the time goes to %s, want %s", after.text, got, after.want)
			}
		}
		must(t, conn.Close())
		sum(t, r)
	})
}

// A transaction that is left open is the server's or the driver's to end. Here it is
// not followed into the next hold.
func TestConn_LeftInATransaction(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	db := connected(t, r, plain)
	db.SetMaxOpenConns(1)
	ctx := pghold.WithRoute(t.Context(), "GET /")
	for _, after := range []struct{ text, want string }{{"begin", "silence in a transaction"}, {"select 1", "silence"}} {
		conn, err := db.Conn(ctx)
		must(t, err)
		_, err = conn.ExecContext(ctx, after.text)
		must(t, err)
		if got := goesTo(t, r); got != after.want {
			t.Errorf("after %s, in a hold of its own, the time goes to %s, want %s", after.text, got, after.want)
		}
		must(t, conn.Close())
	}
	sum(t, r)
}

// A query lasts until its rows are closed: the server still has work with it.
func TestRows_AreBusyUntilTheyAreClosed(t *testing.T) {
	withDrivers(t, func(t *testing.T, ctx context.Context, db *sql.DB, r *pghold.Recorder) {
		conn, err := db.Conn(ctx)
		must(t, err)
		rows, err := conn.QueryContext(ctx, "select generate_series(1, 3)")
		must(t, err)
		if got := goesTo(t, r); got != "a statement" {
			t.Errorf("with open rows the time goes to %s, want a statement", got)
		}
		n := 0
		for rows.Next() {
			n++
		}
		must(t, rows.Err())
		must(t, rows.Close())
		if got := goesTo(t, r); got != "silence" {
			t.Errorf("without them it goes to %s, want silence", got)
		}
		must(t, conn.Close())
		if all := sum(t, r); n != 3 || all.Held.Count() != 1 {
			t.Errorf("%d rows in %d holds; want 3 in one", n, all.Held.Count())
		}
	})
}

// A statement that is prepared once is executed in holds of its own.
func TestStmt(t *testing.T) {
	withDrivers(t, func(t *testing.T, ctx context.Context, db *sql.DB, r *pghold.Recorder) {
		stmt, err := db.PrepareContext(ctx, "select $1::int")
		must(t, err)
		var n int
		for want := range 3 {
			must(t, stmt.QueryRowContext(ctx, want).Scan(&n))
			if n != want {
				t.Errorf("read %d, want %d", n, want)
			}
		}
		_, err = stmt.ExecContext(ctx, 1)
		must(t, err)
		must(t, stmt.Close())
		all := sum(t, r)
		if all.Held.Count() != 5 || all.Statements != 5 {
			t.Errorf("%d holds with %d statements, want 5 with one each", all.Held.Count(), all.Statements)
		}
	})
}

func TestConn_ThatBreaks(t *testing.T) {
	withDrivers(t, func(t *testing.T, ctx context.Context, db *sql.DB, r *pghold.Recorder) {
		conn, err := db.Conn(ctx)
		must(t, err)
		if _, err = conn.ExecContext(ctx, "select pg_terminate_backend(pg_backend_pid())"); err == nil {
			t.Error("no error")
		}
		conn.Close()
		must(t, db.PingContext(ctx))
		if all := sum(t, r); all.Held.Count() < 2 {
			t.Errorf("%d holds, want that of the connection that broke and that of the next", all.Held.Count())
		}
	})
}

type badReset struct{ driver.Conn }

func (badReset) ResetSession(context.Context) error { return driver.ErrBadConn }

// A kept connection that its driver no longer wants is nobody's hold.
func TestConn_ThatItsDriverFindsBroken(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	db := connected(t, r, func(c driver.Conn) driver.Conn { return badReset{c} })
	for range 2 {
		_, err := db.ExecContext(pghold.WithRoute(t.Context(), "GET /"), "select 1")
		must(t, err)
	}
	if all := sum(t, r); all.Held.Count() != 2 {
		t.Errorf("%d holds, want 2, of a new connection each", all.Held.Count())
	}
}

// A connection that is opened in the background is opened for nobody: its hold
// begins when somebody uses it.
func TestConn_OpenedInTheBackground(t *testing.T) {
	withDrivers(t, func(t *testing.T, ctx context.Context, db *sql.DB, r *pghold.Recorder) {
		db.SetMaxOpenConns(1)
		first, err := db.Conn(ctx)
		must(t, err)
		got := make(chan *sql.Conn)
		go func() {
			second, err := db.Conn(ctx)
			if err != nil {
				t.Error(err)
			}
			got <- second
		}()
		until(t, "the second waits", func() bool { return db.Stats().WaitCount > 0 })
		if err := first.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
			t.Errorf("got %v, want the error that makes database/sql give the connection up", err)
		}
		second := <-got
		if open := r.Snapshot().Open; len(open) != 0 {
			t.Errorf("open are %+v: a hold began in the background, or the first did not end", open)
		}
		_, err = second.ExecContext(ctx, "select 1")
		must(t, err)
		if open := r.Snapshot().Open; len(open) != 1 || open[0].Route != "GET /" || !strings.HasSuffix(open[0].Site.File, "sqlhold_test.go") {
			t.Errorf("open are %+v, want one that began with its first use, in the context of that", open)
		}
		must(t, second.Close())
		if p := r.Snapshot().Pools[0]; p.Checkouts != 2 || p.Releases != 2 {
			t.Errorf("%d checkouts and %d releases, want 2 of each", p.Checkouts, p.Releases)
		}
	})
}

func TestConn_UnwrapsToTheDriversOwn(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	db := opened(t, "pgx", r)
	conn, err := db.Conn(t.Context())
	must(t, err)
	defer conn.Close()
	must(t, conn.Raw(func(c any) error {
		own, ok := c.(interface{ Unwrap() driver.Conn }).Unwrap().(*stdlib.Conn)
		if !ok {
			t.Errorf("Unwrap does not lead to pgx's own connection")
			return nil
		}
		return own.Conn().Ping(t.Context())
	}))
}

func TestOpen_Refuses(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	if _, err := sqlhold.Open("nosuch", "", r, "main"); err == nil || !strings.Contains(err.Error(), "import its package") {
		t.Errorf("an unknown driver: %v", err)
	}
	if _, err := sqlhold.Open("pgx", "host=127.0.0.1", nil, "main"); err == nil {
		t.Error("no recorder: no error")
	}
	if _, err := sqlhold.OpenDB(nil, r, "main"); err == nil {
		t.Error("no connector: no error")
	}
	cfg, err := pgx.ParseConfig("host=127.0.0.1")
	must(t, err)
	wrapped := sqlhold.Connector(stdlib.GetConnector(*cfg), r.Pool("main"))
	if _, err := sqlhold.OpenDB(wrapped, r, "main"); err == nil {
		t.Error("wrapped twice: no error")
	}
	for what, f := range map[string]func(){
		"no connector":  func() { sqlhold.Connector(nil, r.Pool("main")) },
		"no pool":       func() { sqlhold.Connector(stdlib.GetConnector(*cfg), nil) },
		"wrapped twice": func() { sqlhold.Connector(wrapped, r.Pool("main")) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Connector, %s: no panic", what)
				}
			}()
			f()
		}()
	}
}

// raceDetector is true where it makes allocations of its own.
var raceDetector bool

// A hold with one statement costs at most two allocations.
func TestOpen_Allocations(t *testing.T) {
	allocations := func(open func(dsn string) (*sql.DB, error)) float64 {
		db, err := open(pgtest.DSN(t))
		must(t, err)
		defer db.Close()
		ctx := pghold.WithRoute(t.Context(), "GET /")
		ask := func() {
			var n int
			must(t, db.QueryRowContext(ctx, "select $1::int", 1).Scan(&n))
		}
		for range 100 { // connects, prepares, and fills what the drivers keep for later
			ask()
		}
		const runs = 2000
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			ask()
		}
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs-before.Mallocs) / runs
	}
	for _, driver := range []string{"pgx", "postgres"} {
		r := pghold.NewRecorder(pghold.Config{})
		without := allocations(func(dsn string) (*sql.DB, error) { return sql.Open(driver, dsn) })
		with := allocations(func(dsn string) (*sql.DB, error) { return sqlhold.Open(driver, dsn, r, "main") })
		t.Logf("%s: %.2f allocations with it, %.2f without", driver, with, without)
		if with >= without+2.5 && !raceDetector {
			t.Errorf("%s: a SELECT makes %.2f allocations, and %.2f without a recorder; want 2 more", driver, with, without)
		}
		if n := r.Snapshot().Pools[0].Checkouts; n < 200 {
			t.Errorf("%s: only %d holds were recorded", driver, n)
		}
	}
}

// Two pools that were given one name are told apart while both are open.
func TestOpen_TwoPoolsOfOneName(t *testing.T) {
	var told []string
	r := pghold.NewRecorder(pghold.Config{OnHint: func(hint string) { told = append(told, hint) }})
	first, second := opened(t, "pgx", r), opened(t, "pgx", r)
	must(t, first.Ping())
	must(t, second.Ping())
	if s := r.Snapshot(); len(s.Pools) != 2 || s.Pools[1].Name != "main (2)" || s.Pools[0].Checkouts != 1 || s.Pools[1].Checkouts != 1 || len(told) != 1 {
		t.Errorf("the pools are %+v, and told of %q", s.Pools, told)
	}
	must(t, first.Close())
	must(t, opened(t, "pgx", r).Ping())
	if s := r.Snapshot(); len(s.Pools) != 2 || s.Pools[0].Checkouts != 2 {
		t.Errorf("the pools are %+v, want that the third is called as the one that was closed", s.Pools)
	}
}
