package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/session"
)

// A transaction that never began ends as any other, and takes no connection.
func TestTx_OfASessionThatDidNothing(t *testing.T) {
	ctx := t.Context()
	s := session.New(none{}, session.Options{})
	for name, end := range map[string]func(pgx.Tx) error{
		"Commit":   func(tx pgx.Tx) error { return tx.Commit(ctx) },
		"Rollback": func(tx pgx.Tx) error { return tx.Rollback(ctx) },
	} {
		tx := s.Tx()
		if tx.Conn() != nil {
			t.Error("it has a connection")
		}
		if err := end(tx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := tx.Rollback(ctx); err != pgx.ErrTxClosed {
			t.Errorf("Rollback after %s: got %v, want pgx.ErrTxClosed", name, err)
		}
		if _, err := tx.Exec(ctx, "select 1"); err != pgx.ErrTxClosed {
			t.Errorf("Exec after %s: got %v, want pgx.ErrTxClosed", name, err)
		}
	}
	tx := s.Tx()
	s.Close()
	for _, tx := range []pgx.Tx{tx, s.Tx()} {
		if err := tx.Rollback(ctx); !errors.Is(err, session.ErrClosed) || !errors.Is(err, pgx.ErrTxClosed) {
			t.Errorf("Rollback after Close: got %v, want ErrClosed and pgx.ErrTxClosed", err)
		}
	}
	if _, err := s.BeginNested(ctx); err != session.ErrClosed {
		t.Errorf("BeginNested after Close: got %v, want ErrClosed", err)
	}
}

// Without a transaction there is none to be lent, and nothing to save.
func TestTx_Autocommit(t *testing.T) {
	ctx := t.Context()
	s := session.New(none{}, session.Options{Autocommit: true})
	defer s.Close()
	tx := s.Tx()
	_, nested := s.BeginNested(ctx)
	_, begin := tx.Begin(ctx)
	_, exec := tx.Exec(ctx, "select 1")
	_, query := tx.Query(ctx, "select 1")
	_, prepare := tx.Prepare(ctx, "", "select 1")
	_, copied := tx.CopyFrom(ctx, nil, nil, pgx.CopyFromRows(nil))
	for name, err := range map[string]error{
		"BeginNested": nested, "Begin": begin, "Exec": exec, "Query": query, "Prepare": prepare, "CopyFrom": copied,
		"QueryRow":  tx.QueryRow(ctx, "select 1").Scan(nil),
		"SendBatch": tx.SendBatch(ctx, &pgx.Batch{}).Close(),
		"Commit":    tx.Commit(ctx), "Rollback": tx.Rollback(ctx),
	} {
		if err == nil || !strings.Contains(err.Error(), "Autocommit") {
			t.Errorf("%s: got the error %v, want it to name Autocommit", name, err)
		}
	}
	if tx.Conn() != nil {
		t.Error("it has a connection")
	}
}

// LargeObjects has no error to return, and pgx's are of use in its own transactions alone.
func TestTx_LargeObjects(t *testing.T) {
	defer func() {
		if said, _ := recover().(string); !strings.HasPrefix(said, "session: LargeObjects: ") {
			t.Errorf("got the panic %q, want it to name the method", said)
		}
	}()
	session.New(none{}, session.Options{}).Tx().LargeObjects()
}
