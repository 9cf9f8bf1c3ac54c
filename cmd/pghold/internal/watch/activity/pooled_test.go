package activity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// Through a PgBouncer that gives each transaction whichever session is free, samples are
// taken over all of them, and leave no setting in any.
func TestSource_ThroughPgBouncer(t *testing.T) {
	dsn := pgtest.DSN(t)
	b, err := pgtemp.StartBouncer(t.Context(), pgtemp.BouncerConfig{DSN: dsn, PoolSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop() })
	exec := func(conn *pgx.Conn, sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	s := source(t, b.DSN())
	s.line(t)
	apps := [2]*pgx.Conn{pgtest.Connect(t, b.DSN(), "one"), pgtest.Connect(t, b.DSN(), "two")}
	for i := range 4 {
		exec(apps[0], "begin; select 1") // takes the session that was used last, and leaves the other
		s.samples(t, 2)
		if r := s.ledger.Report(time.Now()); r.InTransaction != 1 || r.LongestOpen <= 0 {
			t.Errorf("round %d: %d are idle in transaction, the longest for %v", i, r.InTransaction, r.LongestOpen)
		}
		exec(apps[0], "commit")
		s.samples(t, 1)
	}
	for _, app := range apps {
		exec(app, "begin") // one session each
		var limit string
		if err := app.QueryRow(t.Context(), "show statement_timeout", pgx.QueryExecModeSimpleProtocol).Scan(&limit); err != nil || limit != "0" {
			t.Errorf("an app has a statement_timeout of %s, %v", limit, err)
		}
	}
	for _, app := range apps {
		exec(app, "commit")
		app.Close(t.Context())
	}
	s.stop()
	if len(s.lines) > 0 {
		t.Errorf("it says %q", <-s.lines)
	}

	locks := besideATap(t, b.DSN(), func(*pgx.ConnConfig) {})
	<-locks.asked
	if line := <-locks.lines; !strings.Contains(line, "a pooler is between") {
		t.Errorf("who asks for locks says %q", line)
	}
}
