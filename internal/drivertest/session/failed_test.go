package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/session"
)

// block takes the advisory lock 1 and returns what gives it back.
func block(t *testing.T, e *env) (unblock func()) {
	t.Helper()
	blocker, err := pgx.Connect(t.Context(), e.dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blocker.Exec(t.Context(), "select pg_advisory_lock(1)"); err != nil {
		t.Fatal(err)
	}
	return func() { blocker.Close(context.WithoutCancel(t.Context())) }
}

// A first statement that fails is not forgotten, whether it failed before BEGIN was sent
// or took the connection with it: what follows belongs to the same transaction, and that
// cannot be committed.
func TestSession_AFirstStatementThatFails(t *testing.T) {
	failures := map[string]func(t *testing.T, e *env, s *session.Session) error{
		"preparing": func(t *testing.T, _ *env, s *session.Session) error {
			_, err := s.Exec(t.Context(), "insert into nowhere values ($1)", 1)
			return err
		},
		"an argument": func(t *testing.T, _ *env, s *session.Session) error {
			_, err := s.Exec(t.Context(), "insert into t values ($1)", struct{}{})
			return err
		},
		"a query": func(t *testing.T, _ *env, s *session.Session) error {
			_, err := s.Query(t.Context(), "select nonsense")
			return err
		},
		"a row": func(t *testing.T, _ *env, s *session.Session) error {
			return s.QueryRow(t.Context(), "select nonsense").Scan(new(int))
		},
		"a batch": func(t *testing.T, _ *env, s *session.Session) error {
			return s.SendBatch(t.Context(), queue("select nonsense")).Close()
		},
		"one of several": func(t *testing.T, _ *env, s *session.Session) error {
			_, err := s.Exec(t.Context(), "insert into t values (1); insert into nowhere values (1)")
			return err
		},
		"its time-out": func(t *testing.T, e *env, s *session.Session) error {
			defer block(t, e)()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-e.statements.locking
				cancel()
			}()
			_, err := s.Exec(ctx, "select pg_advisory_lock($1)", 1)
			return err
		},
	}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			onEveryPool(t, func(t *testing.T, e *env) {
				ctx := t.Context()
				s := session.New(e, session.Options{})
				defer s.Close()
				first := fail(t, e, s)
				if first == nil {
					t.Fatal("it did not fail")
				}
				var _, err = s.Exec(ctx, "insert into t values (1)")
				aborted := isAborted(err) // where BEGIN was sent, the server says so itself
				if !aborted && (!errors.Is(err, session.ErrFailed) || !errors.Is(err, first)) {
					t.Errorf("the next statement: got %v, want ErrFailed and %v", err, first)
				}
				if err := s.Commit(ctx); !errors.Is(err, pgx.ErrTxCommitRollback) || !aborted && !errors.Is(err, first) {
					t.Errorf("Commit: got %v, want ErrTxCommitRollback and %v", err, first)
				}
				if s.Held() || e.count(t) != 0 {
					t.Error("a connection is held, or rows were left behind")
				}
				for range 2 {
					if _, err := s.Exec(ctx, "insert into t values (1)"); err != nil {
						t.Errorf("the next transaction: %v", err)
					}
				}
				if err := s.Commit(ctx); err != nil || e.count(t) != 2 {
					t.Errorf("its commit: %v, and %d rows", err, e.count(t))
				}
			})
		})
	}
}

func isAborted(err error) bool { return sqlState(err) == "25P02" }

func sqlState(err error) string {
	var e interface{ SQLState() string }
	if !errors.As(err, &e) {
		return ""
	}
	return e.SQLState()
}

// Rollback ends the failed state, too, and is no error.
func TestSession_RollbackAfterAFirstStatementThatFailed(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{})
		defer s.Close()
		s.Exec(ctx, "select nonsense")
		if err := s.Rollback(ctx); err != nil || s.Held() {
			t.Errorf("Rollback: %v, held: %v", err, s.Held())
		}
		if _, err := s.Exec(ctx, "insert into t values (1)"); err != nil {
			t.Errorf("after it: %v", err)
		}
	})
}

// Without a transaction each statement stands for itself.
func TestSession_AutocommitForgetsWhatFailed(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{Autocommit: true})
		defer s.Close()
		s.Exec(ctx, "select nonsense")
		if _, err := s.Exec(ctx, "insert into t values (1)"); err != nil {
			t.Errorf("the next: %v", err)
		}
		if err := s.Commit(ctx); err != nil {
			t.Errorf("Commit: %v", err)
		}
	})
}

// A text of several statements does the same wherever it stands in its transaction.
func TestSession_SeveralStatementsInOneText(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{Tx: pgx.TxOptions{IsoLevel: pgx.RepeatableRead}})
		defer s.Close()
		for i := range 2 {
			e.statements.take()
			tag, err := s.Exec(ctx, "-- two\ninsert into t values (1); insert into t values (2), (3);\n")
			if err != nil || tag.String() != "INSERT 0 2" {
				t.Errorf("text %d: %q, %v; want the tag of the last", i+1, tag, err)
			}
			if n := len(e.statements.texts); n != 1 {
				t.Errorf("text %d was sent as %q, want it as one, with BEGIN", i+1, e.statements.texts)
			}
		}
		var level string
		if err := s.QueryRow(ctx, "show transaction_isolation").Scan(&level); err != nil || level != "repeatable read" {
			t.Errorf("the transaction is %q, %v", level, err)
		}
		if err := s.Rollback(ctx); err != nil || e.count(t) != 0 {
			t.Errorf("after the rollback: %v, %d rows", err, e.count(t))
		}
	})
}
