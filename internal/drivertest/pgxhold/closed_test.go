package pgxhold_test

import (
	"runtime"
	"testing"
	"time"
)

// A library that hijacks a connection does not call Released. The hold ends when nobody
// has the connection any more. That of a connection that was closed and not released
// goes on: its pool has no other in its place.
func TestTracer_HijackedAndForgotten(t *testing.T) {
	pool, r := open(t, nil)
	stays, err := pool.Acquire(t.Context())
	must(t, err)
	defer stays.Release()
	must(t, stays.Conn().Close(t.Context()))
	func() {
		conn, err := pool.Acquire(t.Context())
		must(t, err)
		must(t, conn.Hijack().Close(t.Context()))
	}()
	for giveUp := time.After(time.Minute); len(r.Snapshot().Open) > 1; runtime.GC() { // its hold ends in a goroutine of the runtime's
		select {
		case <-giveUp:
			t.Fatalf("after a minute the holds are still %+v", r.Snapshot().Open)
		default:
		}
	}
	if s := r.Snapshot(); len(s.Open) != 1 || s.Pools[0].Used() != 1 {
		t.Errorf("%d holds are open, and the pool's are %+v; want the one that was not released", len(s.Open), s.Pools[0])
	}
	stays.Release()
	if all := sum(t, r); all.Held.Count() != 2 {
		t.Errorf("%d holds, want 2", all.Held.Count())
	}
}

// pgx closes a connection whose session has ended. There is no transaction on it any
// more, though its handler has not given it back.
func TestTracer_ClosedIsNotInTransaction(t *testing.T) {
	pool, r := open(t, nil)
	tx, err := pool.Begin(t.Context())
	must(t, err)
	defer tx.Rollback(t.Context())
	var ended bool
	must(t, pool.QueryRow(t.Context(), "select pg_terminate_backend($1, 60000)", tx.Conn().PgConn().PID()).Scan(&ended))
	if _, err := tx.Exec(t.Context(), "select 1"); err == nil || !ended || !tx.Conn().IsClosed() {
		t.Fatalf("got %v, want an error and a connection that was closed", err)
	}
	if got := goesTo(t, r); got != "silence" {
		t.Errorf("its time goes to %s, want silence, in no transaction", got)
	}
	before := r.Snapshot().Open[0]
	tx.Rollback(t.Context())
	if all := sum(t, r); all.Held.Count() != 2 || all.SilentInTransaction != before.SilentInTransaction {
		t.Errorf("%d holds, %v silent in transaction; want two, and %v", all.Held.Count(), all.SilentInTransaction, before.SilentInTransaction)
	}
}
