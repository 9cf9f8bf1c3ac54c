package lab_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// admin runs SQL on a connection of its own, outside of the test's time.
func admin(t *testing.T, dsn, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// labRole makes a role that may run the lab in dsn's database, and returns its name
// and dsn with it.
func labRole(t *testing.T, dsn string) (role, with string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(u.Path, "/")
	role = "role_of_" + database
	admin(t, dsn, fmt.Sprintf("create role %s login password 'secret'; grant create on database %s to %[1]s", role, database))
	t.Cleanup(func() { admin(t, dsn, fmt.Sprintf("drop owned by %s; drop role %[1]s", role)) })
	u.User = url.UserPassword(role, "secret")
	return role, u.String()
}

// quickly is a load that takes about two seconds a route.
func quickly() experiment.Settings {
	s := experiment.Defaults()
	s.Rate, s.Duration, s.Speed = 50, time.Second, 20
	return s
}

func TestOpenDatabase_CountsEveryLimitOnConnections(t *testing.T) {
	const need = 15
	dsn := pgtest.DSN(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(u.Path, "/")
	role, limited := labRole(t, dsn)
	watcher, err := pgx.Connect(t.Context(), strings.Replace(dsn, "/"+database, "/postgres", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close(t.Context())
	sessions := 0 // in the database
	open := func(dsn string) string {
		t.Helper()
		for left := -1; left != sessions; { // one that was closed is there for a moment longer
			if err := watcher.QueryRow(t.Context(), "select count(*) from pg_stat_activity where datname = $1", database).Scan(&left); err != nil {
				t.Fatal(err)
			}
		}
		db, err := lab.OpenDatabase(t.Context(), dsn, need)
		if err != nil {
			return err.Error()
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		return ""
	}
	roleLimit := func(n int) { admin(t, dsn, fmt.Sprintf("alter role %s connection limit %d", role, n)) }
	databaseLimit := func(n int) { admin(t, dsn, fmt.Sprintf("alter database %s connection limit %d", database, n)) }
	wants := func(what, got string, words ...string) {
		t.Helper()
		if len(words) == 0 && got != "" {
			t.Errorf("%s: got %q, want no error", what, got)
		}
		for _, w := range words {
			if !strings.Contains(got, w) || strings.Contains(got, "secret") {
				t.Errorf("%s: got %q, want %q in it and no password", what, got, w)
			}
		}
	}

	wants("no limit", open(limited))
	roleLimit(4) // the one that asks is in use
	wants("a role with too few", open(limited), role, "room for 3 more connections", "needs 17", "alter role", "--pool-size")
	roleLimit(need + 3)
	wants("a role with as many as it needs", open(limited))
	other, err := pgx.Connect(t.Context(), limited)
	if err != nil {
		t.Fatal(err)
	}
	sessions = 1
	wants("a role with another session", open(limited), role, "room for 16 more")
	databaseLimit(need + 1)
	wants("a database with too few", open(limited), database, "room for 14 more", "alter database")
	wants("a superuser, who has no limit but the server's", open(dsn))
	if err := other.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// What is refused in the middle of a run is not what the experiment is about.
func TestRun_RefusedConnectionsAreNotValid(t *testing.T) {
	t.Parallel()
	for _, pool := range experiment.Pools {
		t.Run(pool, func(t *testing.T) {
			dsn := pgtest.DSN(t)
			role, limited := labRole(t, dsn)
			s := patient(quickly())
			s.Pool = pool
			db := openDatabase(t, limited, s)
			admin(t, dsn, "alter role "+role+" connection limit 4")
			defer admin(t, dsn, "alter role "+role+" connection limit -1") // to clean up
			res, err := lab.Run(t.Context(), db, lab.Options{Settings: s, Cases: seedCases(s)[3:], Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			r := res.Routes[0]
			want := ` of 50 requests failed for a reason that is not the experiment's own: FATAL: too many connections for role "` + role + `" (SQLSTATE 53300).`
			if !strings.HasSuffix(r.NotValid, want) || r.Outcomes.Error == 0 {
				t.Errorf("%+v, %q; want the end %q", r.Outcomes, r.NotValid, want)
			}
			if got := strings.Join(res.Warnings, "\n"); !strings.Contains(got, asyncInside+" is not valid. "+r.NotValid) {
				t.Errorf("no warning says so: %q", got)
			}
			if got, want := res.NotValid(), asyncInside+": "+r.NotValid; got != want {
				t.Errorf("the result says %q, want %q", got, want)
			}
		})
	}
}

// Behind a PgBouncer nobody is told: its clients wait for the connections that it has.
func TestRun_RefusedBehindPgBouncerIsNotValid(t *testing.T) {
	t.Parallel()
	requireBouncer(t)
	dsn := pgtest.DSN(t)
	role, limited := labRole(t, dsn)
	s := quickly()
	s.PgBouncer = 12
	db := openDatabase(t, limited, s)
	start := bouncer(limited)
	res, err := lab.Run(t.Context(), db, lab.Options{
		Settings: s, Cases: seedCases(s)[3:], Dir: t.TempDir(),
		Bouncer: func(ctx context.Context, connections int) (*lab.Bouncer, error) {
			b, err := start(ctx, connections)
			admin(t, dsn, "alter role "+role+" connection limit 5") // from here on
			return b, err
		},
	})
	admin(t, dsn, "alter role "+role+" connection limit -1") // to clean up
	if err != nil {
		t.Fatal(err)
	}
	r := res.Routes[0]
	if want := `for a reason that is not the experiment's own: FATAL: too many connections for role "` + role + `".`; !strings.HasSuffix(r.NotValid, want) {
		t.Errorf("%+v, %q; want the end %q", r.Outcomes, r.NotValid, want)
	}
}

// Handlers whose session is ended while they make their call answer as if nothing had
// happened.
func TestRun_KilledConnectionsAreNotValid(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	s := quickly()
	s.Speed = 5
	s = patient(s)
	db := openDatabase(t, dsn, s)
	killed := false
	res, err := lab.Run(t.Context(), db, lab.Options{
		Settings: s, Cases: seedCases(s)[3:], Dir: t.TempDir(),
		Progress: func(p lab.Progress) {
			for _, session := range p.Sessions.Sessions {
				if session.State.InTransaction() && !killed {
					admin(t, dsn, fmt.Sprintf("select pg_terminate_backend(%d)", session.PID))
					killed = true
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := res.Routes[0].NotValid; !killed || !strings.Contains(got, "terminating connection due to administrator command (SQLSTATE 57P01)") {
		t.Errorf("a session was killed (%v), and the result says %q", killed, got)
	}
}

// A worker of the outbox answers nobody, so that no client sees it fail.
func TestRun_WorkersThatFailAreNotValid(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	s := patient(quickly())
	db := openDatabase(t, dsn, s)
	admin(t, dsn, `do $do$ declare lab text := (select nspname from pg_namespace where nspname like 'pghold\_lab\_%'); begin
		execute format($sql$
			create sequence %1$I.payments_made;
			create function %1$I.first_fails() returns trigger language plpgsql as $$ begin
				if nextval('%1$I.payments_made') = 1 then raise 'the first one fails'; end if;
				return new;
			end $$;
			create trigger first_fails before insert on %1$I.payments for each row execute function %1$I.first_fails()
		$sql$, lab); end $do$`)
	routes, err := experiment.FindRoutes([]string{"update_outbox"})
	if err != nil {
		t.Fatal(err)
	}
	res, err := lab.Run(t.Context(), db, lab.Options{Settings: s, Cases: experiment.CasesOf(routes, s), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	want := "The outbox's workers failed once for a reason that is not the experiment's own: ERROR: the first one fails (SQLSTATE P0001)."
	if r := res.Routes[0]; r.NotValid != want || r.Outcomes.OK != r.Requests {
		t.Errorf("%+v were answered, and the result says %q, want %q", r.Outcomes, r.NotValid, want)
	}
}

// What was finished before an error is kept, as after Ctrl-C.
func TestRun_AnErrorInALateRouteKeepsTheOthers(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(t *testing.T, pg *pgtemp.Server, dir string){
		"the server is gone": func(_ *testing.T, pg *pgtemp.Server, _ string) { pg.Stop() },
		"the file cannot be made": func(t *testing.T, _ *pgtemp.Server, dir string) {
			block(t, dir, func(f string) error { return os.Mkdir(f, 0o777) })
		},
		"the disk is full": func(t *testing.T, _ *pgtemp.Server, dir string) {
			block(t, dir, func(f string) error { return os.Symlink("/dev/full", f) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat("/dev/full"); err != nil && name == "the disk is full" {
				t.Skip("NOT TESTED: this system has no /dev/full")
			}
			pg, err := pgtemp.Start(t.Context(), pgtemp.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer pg.Stop()
			s := quickly()
			db, err := lab.OpenDatabase(t.Context(), pg.DSN(), s.Connections())
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			res, err := lab.Run(t.Context(), db, lab.Options{
				Settings: s, Cases: seedCases(s)[2:], Dir: dir,
				Progress: func(p lab.Progress) {
					if p.Done != nil && p.Number == 1 {
						stop(t, pg, dir)
					}
				},
			})
			if err == nil || res == nil || len(res.Routes) != 1 || res.Routes[0].Name != asyncOutside {
				t.Fatalf("got %+v, %v; want the first route and an error", res, err)
			}
			if !res.Interrupted || res.Failed != err.Error() || !strings.HasPrefix(res.Failed, asyncInside+": ") {
				t.Errorf("interrupted %v, failed %q; want the error %q", res.Interrupted, res.Failed, err)
			}
			if got := strings.Join(res.Warnings, "\n"); !strings.Contains(got, "The run failed: 1 of 2 routes were finished") {
				t.Errorf("no warning says so: %q", got)
			}
			for _, f := range filesOf(t, dir) {
				if !strings.HasPrefix(f, asyncOutside+".") {
					t.Errorf("%s was left of the route that failed", f)
				}
			}
			checkFiles(t, dir, &res.Routes[0])
		})
	}
}

// block has something in the way of the file with the requests of the second route.
func block(t *testing.T, dir string, with func(string) error) {
	if err := with(filepath.Join(dir, asyncInside+".bin")); err != nil {
		t.Error(err)
	}
}

func filesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
