package sqlhold_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
	"github.com/pghold/pghold/sqlhold"
)

// roundTrip is how long an answer of the first connection's takes in memory.
const roundTrip = time.Second

// inMemory opens one connection to a Postgres in memory. It is called in a bubble.
func inMemory(t *testing.T, r *pghold.Recorder) *sql.DB {
	t.Helper()
	network := &memnet.Network{}
	server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: roundTrip - time.Nanosecond})
	t.Cleanup(server.Close)
	cfg, err := pgx.ParseConfig(server.DSN())
	must(t, err)
	cfg.DialFunc = network.Dial
	db, err := sqlhold.OpenDB(stdlib.GetConnector(*cfg), r, "main")
	must(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// All of a hold's time is told apart.
func TestTx_Times(t *testing.T) { synctest.Test(t, txTimes) }

func txTimes(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	db := inMemory(t, r)
	ctx := pghold.WithRoute(t.Context(), "GET /")
	conn, err := db.Conn(ctx)
	must(t, err)
	time.Sleep(2 * time.Second)
	tx, err := conn.BeginTx(ctx, nil)
	must(t, err)
	time.Sleep(3 * time.Second)
	_, err = tx.ExecContext(ctx, "insert into visits (user_id) values ($1)", 1) // prepared on the way
	must(t, err)
	time.Sleep(4 * time.Second)
	rows, err := tx.QueryContext(ctx, "select 1")
	must(t, err)
	time.Sleep(5 * time.Second)
	must(t, rows.Close())
	must(t, tx.Commit())
	time.Sleep(6 * time.Second)
	must(t, conn.Close())
	all := sum(t, r)
	if all.Held.Count() != 1 || all.Statements != 4 || all.Busy != 6*roundTrip+5*time.Second || all.SilentInTransaction != 7*time.Second || all.Silent.Sum() != 15*time.Second {
		t.Errorf("%d holds, busy %v with %d statements, silent %v, of it %v in transaction; want one, 11 s with 4, 15 s, 7 s",
			all.Held.Count(), all.Busy, all.Statements, all.Silent.Sum(), all.SilentInTransaction)
	}
}

// database/sql's own error says nothing of who has the connections, and it does not
// say who waits: that somebody did is known from its Stats.
func TestDB_ShortageNamesTheHolders(t *testing.T) { synctest.Test(t, dbShortageNamesTheHolders) }

func dbShortageNamesTheHolders(t *testing.T) {
	told := make(chan pghold.Shortage, 1)
	r := pghold.NewRecorder(pghold.Config{LongWait: time.Minute, OnShortage: func(s pghold.Shortage) { told <- s }})
	db := inMemory(t, r)
	tx, err := db.BeginTx(pghold.WithRoute(t.Context(), "GET /slow"), nil)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	victim := make(chan error)
	go func() { victim <- db.PingContext(ctx) }()
	began := time.Now()
	var s pghold.Shortage
	select {
	case s = <-told:
	case <-time.After(time.Hour):
		t.Error("nobody was told within an hour")
	}
	if s.Pool != "main" || s.Waiting != 1 || s.Waited != time.Minute || len(s.Holders) != 1 || s.Holders[0].Route != "GET /slow" {
		t.Errorf("told of %+v, want one who has waited for a minute and who has the connection", s)
	}
	if passed := time.Since(began); passed != 2*time.Minute-roundTrip {
		t.Errorf("told after %v, want it at the second look, two minutes after the checkout, of which BEGIN took one second", passed)
	}
	cancel()
	if err := <-victim; !errors.Is(err, context.Canceled) {
		t.Errorf("the waiter got %v", err)
	}
	must(t, tx.Rollback())
}
