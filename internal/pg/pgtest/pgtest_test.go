package pgtest_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/pghold/pghold/internal/pg/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func() error { return goleak.Find() })
}

func TestDSN_ownDatabase(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2 {
		conn := connect(t, pgtest.DSN(t))
		if _, err := conn.Exec(t.Context(), "create table things (id int)"); err != nil {
			t.Errorf("another test's table is in the way: %v", err)
		}
		seen[conn.Config().Database] = true
	}
	if len(seen) != 2 {
		t.Errorf("two calls gave the databases %v, want two", seen)
	}
}

func TestDSN_dropped(t *testing.T) {
	t.Parallel()
	var dsn string
	t.Run("inner", func(t *testing.T) {
		dsn = pgtest.DSN(t)
		connect(t, dsn)
	})
	var left int
	err := connect(t, pgtest.DSN(t)).QueryRow(t.Context(),
		"select count(*) from pg_database where datname = $1", database(t, dsn)).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("the database of a finished test: got %d, %v, want none", left, err)
	}
}

func TestDSNWith(t *testing.T) {
	t.Parallel()
	// In a shared sequence of statements a second run would fail.
	const schema = `create table users (id int primary key); insert into users values (1), (2)`
	var tests sync.WaitGroup
	for range 4 {
		dsn := pgtest.DSNWith(t, schema)
		conn := connect(t, dsn)
		tests.Go(func() {
			var n int
			err := conn.QueryRow(t.Context(), "with gone as (delete from users where id = 1) select count(*) from users").Scan(&n)
			if err != nil || n != 2 {
				t.Errorf("users: got %d, %v, want the 2 of the template", n, err)
			}
		})
	}
	tests.Wait()
}

func TestDSNWith_badSQL(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	r.run(func() { pgtest.DSNWith(r, "create tabel") })
	if !strings.Contains(r.text(), "tabel") || !r.Failed() {
		t.Errorf("got %q, want a failure that tells the error in the SQL", r.text())
	}
}

func TestDSN_sessionLeft(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	var conn *pgx.Conn
	var dsn string
	r.run(func() {
		dsn = pgtest.DSN(r)
		cfg, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		cfg.RuntimeParams["application_name"] = "forgetful"
		if conn, err = pgx.ConnectConfig(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "begin"); err != nil {
			t.Fatal(err)
		}
	})
	for _, want := range []string{"'forgetful'", "idle in transaction", "begin", "/" + database(t, dsn)} {
		if !strings.Contains(r.text(), want) {
			t.Errorf("the failure does not tell %s:\n%s", want, r.text())
		}
	}
	if !r.Failed() {
		t.Error("a test that leaves a session did not fail")
	}
	if u, _ := url.Parse(dsn); strings.Contains(r.text(), password(u)) {
		t.Errorf("the password is told:\n%s", r.text())
	}
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("the session that was left still works")
	}
	conn.Close(t.Context())
}

// Without PostgreSQL a package is fine as long as no test asks for it; one that
// does fails and is not skipped.
func TestDSN_noPostgres(t *testing.T) {
	t.Parallel()
	run := func(pattern string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run", pattern)
		cmd.Env = append(os.Environ(), "PGHOLD_PG_BIN=/no/such/folder")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("^$"); err != nil {
		t.Errorf("no test asks: %v:\n%s", err, out)
	}
	if out, err := run("^TestDSN_ownDatabase$"); err == nil || !strings.Contains(out, "/no/such/folder") {
		t.Errorf("a test asks: %v, want a failure that names the folder:\n%s", err, out)
	}
}

// One database, from made to dropped.
func BenchmarkDSN(b *testing.B) {
	for b.Loop() {
		r := &recorder{TB: b}
		r.run(func() { pgtest.DSN(r) })
		if r.Failed() {
			b.Fatal(r.text())
		}
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func database(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

func password(u *url.URL) string {
	p, _ := u.User.Password()
	return p
}

// recorder is a test that may fail without failing the test that looks at it.
type recorder struct {
	testing.TB
	failed   bool
	told     []string
	cleanups []func()
}

// run is what the testing package does with a test.
func (r *recorder) run(test func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for len(r.cleanups) > 0 {
				last := len(r.cleanups) - 1
				f := r.cleanups[last]
				r.cleanups = r.cleanups[:last]
				f()
			}
		}()
		test()
	}()
	<-done
}

func (r *recorder) text() string                   { return strings.Join(r.told, "\n") }
func (r *recorder) Helper()                        {}
func (r *recorder) Failed() bool                   { return r.failed }
func (r *recorder) Cleanup(f func())               { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Logf(format string, a ...any)   { r.told = append(r.told, fmt.Sprintf(format, a...)) }
func (r *recorder) Errorf(format string, a ...any) { r.failed = true; r.Logf(format, a...) }
func (r *recorder) Fatalf(format string, a ...any) { r.Errorf(format, a...); runtime.Goexit() }
