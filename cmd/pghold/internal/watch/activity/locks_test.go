package activity_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// besideTap is a tap in front of a database, how an app connects to it, and what asks the
// server beside it as the same role or as another.
type besideTap struct {
	ledger  *watch.Ledger
	through string
	answers chan []uint32 // who waits, each time that the server was asked
	lines   chan string
	asked   chan struct{} // closed when nobody asks any more
}

func besideATap(t *testing.T, dsn string, change func(*pgx.ConnConfig)) *besideTap {
	t.Helper()
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &besideTap{ledger: watch.New(time.Now()), answers: make(chan []uint32), lines: make(chan string, 10), asked: make(chan struct{})}
	b.through = fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s dbname=%s sslmode=disable", l.Addr().(*net.TCPAddr).Port, cc.User, cc.Password, cc.Database)
	between := tap.New(tap.Config{Server: &cc.Config, Ledger: b.ledger})
	served := make(chan error, 1)
	go func() { served <- between.Serve(l) }()
	asking := cc.Copy()
	change(asking)
	locks := activity.NewLocks(activity.Config{
		Server: asking, Ledger: b.ledger, Interval: time.Millisecond, Log: func(line string) { b.lines <- line },
	})
	ctx, cancel := context.WithCancel(context.Background())
	locks.OnAnswer(func(waiting []uint32) {
		select {
		case b.answers <- waiting:
		case <-ctx.Done():
		}
	})
	go func() {
		defer close(b.asked)
		locks.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-b.asked
		between.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return b
}

// A statement that waits for a lock is told from one that runs, by who asks the server.
func TestLocks(t *testing.T) {
	dsn := pgtest.DSN(t)
	pgtest.Exec(t, pgtest.Connect(t, dsn, "setup"), "create table t (n int primary key); insert into t values (1)")
	b := besideATap(t, dsn, func(*pgx.ConnConfig) {})
	holder, waiter := pgtest.Connect(t, b.through, "holder"), pgtest.Connect(t, b.through, "waiter")
	pgtest.Exec(t, holder, "begin")
	pgtest.Exec(t, holder, "select * from t for update")
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		_, err := waiter.Exec(t.Context(), "begin; select * from t for update; select pg_sleep(0)", pgx.QueryExecModeSimpleProtocol)
		done <- err
	}()
	for found := 0; found < 2; { // between the two it surely waited
		waiting := <-b.answers
		if slices.Contains(waiting, holder.PgConn().PID()) {
			t.Error("who has the lock waits for it")
		}
		if slices.Contains(waiting, waiter.PgConn().PID()) {
			found++
		}
	}
	pgtest.Exec(t, holder, "commit")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	most := time.Since(began)
	pgtest.Exec(t, waiter, "commit")
	r := b.ledger.Report(time.Now())
	for _, tx := range r.Listed {
		switch tx.Application {
		case "holder":
			if tx.LockWait != 0 {
				t.Errorf("who had the lock waited for it: %+v", tx.Sums)
			}
		case "waiter":
			if got := time.Duration(tx.LockWait); got <= 0 || got > most || tx.Total() != time.Duration(tx.S) {
				t.Errorf("it waited for %v, want some of %v; %+v", got, most, tx)
			}
		}
	}
	if len(r.Listed) != 2 || len(b.lines) > 0 {
		t.Errorf("got %+v, and %d lines", r.Listed, len(b.lines))
	}
}

// Who may not see it says so once, with what would help. Who is not let in says so, and
// does not try again.
func TestLocks_Roles(t *testing.T) {
	dsn := pgtest.DSN(t)
	other, _ := role(t, dsn, "other")
	asOther := func(cc *pgx.ConnConfig) { cc.User, cc.Password = other, "x" }
	b := besideATap(t, dsn, asOther)
	holder, app := pgtest.Connect(t, dsn, "holder"), pgtest.Connect(t, b.through, "app")
	pgtest.Exec(t, holder, "create table t (n int)")
	pgtest.Exec(t, holder, "begin; lock table t")
	done := make(chan struct{})
	go func() {
		defer close(done)
		app.Exec(t.Context(), "select * from t")
	}()
	for range 2 {
		if waiting := <-b.answers; len(waiting) > 0 {
			t.Errorf("%v wait for a lock", waiting)
		}
	}
	line := <-b.lines
	if !strings.Contains(line, fmt.Sprintf("role %q is not allowed to see", other)) || !strings.Contains(line, "GRANT pg_read_all_stats TO "+pgx.Identifier{other}.Sanitize()) || len(b.lines) > 0 {
		t.Errorf("got %q, and %d lines more", line, len(b.lines))
	}

	pgtest.Exec(t, holder, "commit")
	<-done

	b = besideATap(t, dsn, func(cc *pgx.ConnConfig) { cc.Database = "nowhere" })
	<-b.asked
	if line := <-b.lines; !strings.HasPrefix(line, "who waits for a lock is not known, and counts as busy: ") || !strings.Contains(line, "nowhere") || strings.Contains(line, "\n") || len(b.lines) > 0 {
		t.Errorf("got %q, and %d lines more", line, len(b.lines))
	}
}
