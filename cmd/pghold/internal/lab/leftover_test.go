package lab_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// hasSchema reports whether there is a schema of that name.
func hasSchema(t *testing.T, conn *pgx.Conn, name string) (has bool) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "select exists (select from pg_namespace where nspname = $1)", name).Scan(&has); err != nil {
		t.Fatal(err)
	}
	return has
}

// end ends a session, and returns when the server has none any more.
func end(t *testing.T, conn *pgx.Conn, pid uint32) {
	t.Helper()
	var ended bool
	if err := conn.QueryRow(t.Context(), "select pg_terminate_backend($1, 60000)", pid).Scan(&ended); err != nil || !ended {
		t.Fatalf("session %d has not ended within a minute: %v", pid, err)
	}
}

// openAgain is the next run on the server; it returns what that says it has swept.
func openAgain(t *testing.T, dsn string) []string {
	t.Helper()
	db, err := lab.OpenDatabase(t.Context(), dsn, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.Swept
}

// killed is a run that has ended without dropping its schema.
func killed(t *testing.T, admin *pgx.Conn, dsn string) *lab.Database {
	t.Helper()
	db, err := lab.OpenDatabase(t.Context(), dsn, 1)
	if err != nil {
		t.Fatal(err)
	}
	end(t, admin, db.Keeper())
	return db
}

func TestOpenDatabase_DropsWhatKilledRunsLeft(t *testing.T) {
	dsn := pgtest.DSN(t)
	admin := pgtest.Connect(t, dsn, "test")
	var want []string
	for range 2 {
		db := killed(t, admin, dsn)
		t.Log(db.Schema())
		want = append(want, db.Schema())
		if len(want) == 1 { // or the second would drop the first
			pgtest.Exec(t, admin, "alter schema "+want[0]+" rename to kept")
		}
	}
	pgtest.Exec(t, admin, "alter schema kept rename to "+want[0])
	said := openAgain(t, dsn)
	for _, schema := range want {
		if hasSchema(t, admin, schema) || !slices.Contains(said, "Dropped the schema "+schema+", left by a run that was killed.") {
			t.Errorf("%s is there, or nothing is said of it: %q", schema, said)
		}
	}
	if said := openAgain(t, dsn); len(said) != 0 {
		t.Errorf("then it said %q", said)
	}
}

func TestOpenDatabase_DropsNothingElse(t *testing.T) {
	for name, c := range map[string]struct {
		// left leaves a schema and returns its name.
		left func(t *testing.T, admin *pgx.Conn, dsn string) string
		says string // nothing, where that is right
	}{
		"a run that lives": {left: func(t *testing.T, _ *pgx.Conn, dsn string) string {
			db, err := lab.OpenDatabase(t.Context(), dsn, 1)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db.Schema()
		}},
		"its lock is held": {left: func(t *testing.T, admin *pgx.Conn, dsn string) string {
			db := killed(t, admin, dsn)
			class, key := db.LockKey()
			pgtest.Exec(t, admin, "select pg_advisory_lock($1, $2)", class, key)
			return db.Schema()
		}},
		"a session of it is there": {left: func(t *testing.T, admin *pgx.Conn, dsn string) string {
			pgtest.Connect(t, dsn, "pghold watch")
			return killed(t, admin, dsn).Schema()
		}},
		"no comment": {left: func(t *testing.T, admin *pgx.Conn, dsn string) string {
			pgtest.Exec(t, admin, "create schema pghold_lab_0123abcd")
			return "pghold_lab_0123abcd"
		}},
		"another comment": {left: func(t *testing.T, admin *pgx.Conn, dsn string) string {
			schema := killed(t, admin, dsn).Schema()
			pgtest.Exec(t, admin, "comment on schema "+schema+" is 'mine now'")
			return schema
		}},
		"another name": {left: func(t *testing.T, admin *pgx.Conn, dsn string) string {
			pgtest.Exec(t, admin, "alter schema "+killed(t, admin, dsn).Schema()+" rename to pghold_lab_results")
			return "pghold_lab_results"
		}},
		"a table of somebody's": {says: "Could not drop", left: func(t *testing.T, admin *pgx.Conn, dsn string) string {
			schema := killed(t, admin, dsn).Schema()
			pgtest.Exec(t, admin, "create table "+schema+".notes (note text)")
			return schema
		}},
		"a view of somebody's": {says: "Could not drop", left: func(t *testing.T, admin *pgx.Conn, dsn string) string {
			schema := killed(t, admin, dsn).Schema()
			pgtest.Exec(t, admin, "create view public.who as select * from "+schema+".users")
			return schema
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := pgtest.DSN(t)
			admin := pgtest.Connect(t, dsn, "test")
			schema := c.left(t, admin, dsn)
			said := strings.Join(openAgain(t, dsn), "\n")
			if !strings.HasPrefix(said, c.says) || c.says == "" && said != "" {
				t.Errorf("said %q, want %q", said, c.says)
			}
			if !hasSchema(t, admin, schema) {
				t.Errorf("%s was dropped", schema)
			}
		})
	}
}

// Through a pooler, the next run may get the session that the first one locked with.
func TestOpenDatabase_ThroughAPooler(t *testing.T) {
	dsn := pgtest.DSN(t)
	bouncer, err := pgtemp.StartBouncer(t.Context(), pgtemp.BouncerConfig{DSN: dsn, PoolSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bouncer.Stop() })
	through := bouncer.DSN() + "&default_query_exec_mode=exec" // nothing prepared, which would be another session's
	first, err := lab.OpenDatabase(t.Context(), through, 1)
	if err != nil {
		t.Fatal(err)
	}
	if said := openAgain(t, through); len(said) != 0 {
		t.Errorf("said %q", said)
	}
	if err := first.Close(); err != nil {
		t.Errorf("the first run cannot drop its schema: %v", err)
	}
}

// A role that has another's leftover before it does nothing with it.
func TestOpenDatabase_LeavesAnotherRolesAlone(t *testing.T) {
	dsn := pgtest.DSN(t)
	admin := pgtest.Connect(t, dsn, "test")
	schema := killed(t, admin, dsn).Schema()
	other := roleWithoutCreate(t, dsn)
	u, err := url.Parse(other)
	if err != nil {
		t.Fatal(err)
	}
	grant := fmt.Sprintf("create on database %s", admin.Config().Database)
	pgtest.Exec(t, admin, "grant "+grant+" to "+u.User.Username())
	defer pgtest.Exec(t, admin, "revoke "+grant+" from "+u.User.Username())
	if said := openAgain(t, other); len(said) != 0 || !hasSchema(t, admin, schema) {
		t.Errorf("said %q; the schema is there: %v", said, hasSchema(t, admin, schema))
	}
}

// A run whose kept connection was ended can still drop its schema.
func TestDatabase_CloseWithoutItsKeptConnection(t *testing.T) {
	dsn := pgtest.DSN(t)
	admin := pgtest.Connect(t, dsn, "test")
	db := killed(t, admin, dsn)
	if err := db.Close(); err != nil || hasSchema(t, admin, db.Schema()) {
		t.Errorf("%v; the schema is there: %v", err, hasSchema(t, admin, db.Schema()))
	}
}
