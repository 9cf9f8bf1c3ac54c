// Package pgtest gives each test a PostgreSQL database of its own. A package's
// tests share one throwaway cluster, which starts when the first test asks and
// ends with the test run:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		conn, err := pgx.Connect(t.Context(), pgtest.DSN(t))
//
// A test that leaves a session in its database fails. Roles and settings of the
// cluster are shared: the package does not undo what a test does to those. Without
// PostgreSQL on the machine tests fail; none is skipped. Its files, and the tests'
// own temporary ones, are kept in memory where there is room (see tmpfs).
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/tmpfs"
)

const (
	startLimit = 15 * time.Minute // a download may be part of it
	adminLimit = 30 * time.Second
	// maxConnections is for all tests of a package that run at the same time.
	maxConnections = 200
	// leaveLimit is how long a session that was closed may take to be gone: the
	// client does not wait for the server.
	leaveLimit = 5 * time.Second
)

var (
	underMain atomic.Bool // Main is there to stop what DSN starts
	databases atomic.Int64

	cluster struct {
		once   sync.Once
		server *pgtemp.Server
		err    error
	}
	templates sync.Map // from SQL to a func() (name string, err error)
)

// Main runs the tests, stops the cluster if one was started, and exits. The
// checks run last and fail the run with their error; one may be
//
//	func() error { return goleak.Find() }
func Main(m *testing.M, checks ...func() error) {
	underMain.Store(true)
	tmpfs.Use()
	code := m.Run()
	if cluster.server != nil {
		checks = append([]func() error{cluster.server.Stop}, checks...)
	}
	for _, check := range checks {
		if err := check(); err != nil {
			fmt.Fprintln(os.Stderr, "after the tests:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// DSN returns the address of an empty database for this test. It is dropped when
// the test and its later cleanups are done: close connections in those, or before.
func DSN(t testing.TB) string {
	t.Helper()
	return DSNWith(t, "")
}

// DSNWith is DSN for a database in which the SQL was run: once for all tests that
// give the same SQL. It may be many statements.
func DSNWith(t testing.TB, sql string) string {
	t.Helper()
	if !underMain.Load() {
		t.Fatal("pgtest: this package's tests need func TestMain(m *testing.M) { pgtest.Main(m) }, which stops the PostgreSQL")
	}
	cluster.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		cluster.server, cluster.err = pgtemp.Start(ctx, pgtemp.Config{
			MaxConnections: maxConnections,
			Log: func(sentence string) {
				if testing.Verbose() {
					fmt.Fprintln(os.Stderr, "pgtest:", sentence)
				}
			},
		})
	})
	if cluster.err != nil {
		t.Fatalf("pgtest: %v", cluster.err)
	}

	source := "template1"
	if sql != "" {
		made, _ := templates.LoadOrStore(sql, sync.OnceValues(func() (string, error) { return makeTemplate(sql) }))
		var err error
		if source, err = made.(func() (string, error))(); err != nil {
			t.Fatalf("pgtest: the template: %v", err)
		}
	}
	name, err := create(source)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { drop(t, name) })
	return address(name)
}

// Connect connects to a database under an application's name. The connection is closed
// with the test, if it is not before.
func Connect(t testing.TB, dsn, application string) *pgx.Conn {
	t.Helper()
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cc.RuntimeParams["application_name"] = application
	conn, err := pgx.ConnectConfig(t.Context(), cc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// Exec runs a statement that has to succeed.
func Exec(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func address(database string) string {
	u, err := url.Parse(cluster.server.DSN())
	if err != nil {
		panic(err)
	}
	u.Path = "/" + database
	return u.String()
}

// withoutPassword is for people to read.
func withoutPassword(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return "(an address that does not parse)"
	}
	u.User = url.User(u.User.Username())
	return u.String()
}

func makeTemplate(sql string) (string, error) {
	name, err := create("template1")
	if err != nil {
		return "", err
	}
	return name, in(name, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		return err
	})
}

func create(template string) (string, error) {
	name := fmt.Sprintf("test_%d", databases.Add(1))
	return name, in("postgres", func(ctx context.Context, conn *pgx.Conn) error {
		// PostgreSQL waits for sessions that are just leaving the template.
		_, err := conn.Exec(ctx, "create database "+name+" template "+template)
		return err
	})
}

func drop(t testing.TB, name string) {
	t.Helper()
	err := in("postgres", func(ctx context.Context, conn *pgx.Conn) error {
		left, err := leftSessions(ctx, conn, name)
		if len(left) > 0 {
			t.Errorf("pgtest: the test left sessions in its database:\n  %s", strings.Join(left, "\n  "))
		}
		_, dropErr := conn.Exec(ctx, "drop database if exists "+name+" with (force)")
		return errors.Join(err, dropErr)
	})
	if err != nil {
		t.Errorf("pgtest: drop the database: %v", err)
	}
	if t.Failed() {
		t.Logf("pgtest: the database of the failed test was %s", withoutPassword(address(name)))
	}
}

// leftSessions describes the clients that are still in the database after a while.
func leftSessions(ctx context.Context, conn *pgx.Conn, database string) ([]string, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(leaveLimit)
	for {
		rows, _ := conn.Query(ctx, `
			select format('application_name %L, %s, for %s s, last statement: %s',
				application_name, coalesce(state, 'starting'),
				round(extract(epoch from clock_timestamp() - coalesce(state_change, backend_start))::numeric, 1),
				coalesce(nullif(left(query, 200), ''), 'none'))
			from pg_stat_activity
			where datname = $1 and backend_type = 'client backend'
			order by backend_start`, database) // CollectRows returns the error
		left, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(left) == 0 {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-limit:
			return left, nil
		}
	}
}

// in calls f with a connection to the database, closed afterwards.
func in(database string, f func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), adminLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, address(database))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return f(ctx, conn)
}
