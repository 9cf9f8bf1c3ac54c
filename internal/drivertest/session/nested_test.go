package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/session"
)

// nesting is a test's session, with what it does often.
type nesting struct {
	*session.Session
	t *testing.T
	e *env
}

func newNesting(t *testing.T, e *env) nesting {
	return nesting{session.New(e, session.Options{}), t, e}
}

func (s nesting) insert(n int) {
	s.t.Helper()
	_, err := s.Exec(s.t.Context(), "insert into t values ($1)", n)
	check(s.t, err)
}

func (s nesting) nest() pgx.Tx {
	s.t.Helper()
	sp, err := s.BeginNested(s.t.Context())
	check(s.t, err)
	return sp
}

// committed commits and asks for the sum of the rows: each has a value that says which.
func (s nesting) committed(want int) {
	s.t.Helper()
	check(s.t, s.Commit(s.t.Context()))
	s.there(want)
}

func (s nesting) there(want int) {
	s.t.Helper()
	var sum int
	check(s.t, session.Local(s.t.Context(), s.e.Pool, session.Options{}, func(s *session.Session) error {
		return s.QueryRow(context.Background(), "select coalesce(sum(n), 0) from t").Scan(&sum)
	}))
	if sum != want {
		s.t.Errorf("the rows that are there have the sum %d, want %d", sum, want)
	}
}

// is asks for an error of each kind.
func is(t *testing.T, what string, err error, kinds ...error) {
	t.Helper()
	for _, kind := range kinds {
		if !errors.Is(err, kind) {
			t.Errorf("%s: got %v, want %v", what, err, kind)
		}
	}
}

// isEnded asks all methods of a transaction that has ended.
func isEnded(t *testing.T, tx pgx.Tx, kinds ...error) {
	t.Helper()
	for name, err := range methods(t.Context(), tx) {
		is(t, name+" after its end", err, append(kinds, pgx.ErrTxClosed)...)
	}
	if tx.Conn() != nil {
		t.Error("it has a connection after its end")
	}
}

// methods calls them all, and tells their errors.
func methods(ctx context.Context, tx pgx.Tx) map[string]error {
	_, exec := tx.Exec(ctx, "select 1")
	rows, query := tx.Query(ctx, "select 1")
	rows.Close()
	_, copied := copyOne(ctx, tx)
	_, prepare := tx.Prepare(ctx, "", "select 1")
	_, begin := tx.Begin(ctx)
	batch := tx.SendBatch(ctx, queue("select 1"))
	return map[string]error{
		"Exec": exec, "Query": query, "Query's rows": rows.Err(), "QueryRow": tx.QueryRow(ctx, "select 1").Scan(new(int)),
		"SendBatch": batch.Close(), "CopyFrom": copied, "Prepare": prepare, "Begin": begin,
		"Commit": tx.Commit(ctx), "Rollback": tx.Rollback(ctx),
	}
}

func TestNested_IsASavepoint(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		defer s.Close()
		sp := s.nest()
		s.insert(1)
		check(t, sp.Commit(ctx))
		sp = s.nest()
		s.insert(10)
		check(t, sp.Rollback(ctx))
		s.insert(100)
		check(t, s.Commit(ctx))
		const insert = "insert into t values ($1)"
		want := strings.Join([]string{
			"begin;\nsavepoint session_1", insert, "release savepoint session_1",
			"savepoint session_1", insert, "rollback to savepoint session_1; release savepoint session_1",
			insert, "commit"}, "; ")
		if got := e.statements.take(); got != want {
			t.Errorf("sent %q\nwant %q", got, want)
		}
		if e.acquired.Load() != 1 {
			t.Errorf("%d checkouts, want 1", e.acquired.Load())
		}
		s.there(101)
	})
}

// BEGIN travels with the savepoint, and is the session's own.
func TestNested_Begins(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		e.count(t) // connect
		s := session.New(e, session.Options{Tx: pgx.TxOptions{IsoLevel: pgx.RepeatableRead}})
		defer s.Close()
		before := e.trips.Load()
		_, err := s.BeginNested(ctx)
		check(t, err)
		if trips := e.trips.Load() - before; trips != 1 {
			t.Errorf("BEGIN and SAVEPOINT took %d round trips, want 1", trips)
		}
		var level string
		if err := s.QueryRow(ctx, "show transaction_isolation").Scan(&level); err != nil || level != "repeatable read" {
			t.Errorf("the transaction is %q, %v", level, err)
		}
		check(t, s.Rollback(ctx))

		fails := session.New(e, session.Options{Tx: pgx.TxOptions{BeginQuery: "begin nonsense"}})
		defer fails.Close()
		if _, err := fails.BeginNested(ctx); sqlState(err) != "42601" {
			t.Errorf("BEGIN fails: got %v, want a syntax error", err)
		}
		_, err = fails.BeginNested(ctx)
		is(t, "the next", err, session.ErrFailed)
	})
}

// A statement that fails in a savepoint, whatever it is, is undone with it, and the
// session goes on: by Rollback, and by Commit, which says that it could not.
func TestNested_HealsWhatFailed(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		defer s.Close()
		_, err := s.Exec(ctx, "alter table t add primary key (n)")
		check(t, err)
		s.insert(1)
		s.committed(1)
		for name, call := range calls {
			for _, commit := range []bool{false, true} {
				s.insert(10)
				outer := s.nest()
				s.insert(100)
				inner := s.nest()
				s.insert(1000)
				if err := call.run(ctx, s.Session); sqlState(err) != call.code {
					t.Errorf("%s: got %v, want %s", name, err, call.code)
				}
				if _, err := s.BeginNested(ctx); !isAborted(err) {
					t.Errorf("%s: BeginNested in a transaction that has failed: got %v, want the server's error", name, err)
				}
				if commit {
					is(t, name+", Commit", inner.Commit(ctx), pgx.ErrTxCommitRollback)
				} else if err := inner.Rollback(ctx); err != nil {
					t.Errorf("%s, Rollback: %v", name, err)
				}
				isEnded(t, inner)
				s.insert(10000)
				check(t, outer.Commit(ctx))
				s.committed(10111)
				_, err := s.Exec(ctx, "delete from t where n > 1")
				check(t, err)
				check(t, s.Commit(ctx))
			}
		}
	})
}

func TestNested_InNested(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		defer s.Close()
		for want, end := range map[int]func(pgx.Tx) error{
			1111: func(tx pgx.Tx) error { return tx.Commit(ctx) },
			1001: func(tx pgx.Tx) error { return tx.Rollback(ctx) },
		} {
			s.insert(1)
			outer := s.nest()
			s.insert(10)
			sibling := s.nest()
			check(t, sibling.Commit(ctx))
			inner, err := outer.Begin(ctx)
			check(t, err)
			s.insert(100)
			check(t, end(outer))
			isEnded(t, outer)
			isEnded(t, inner)
			for who, tx := range map[string]pgx.Tx{"its own end": outer, "an end before": sibling} {
				if err := tx.Rollback(ctx); err != pgx.ErrTxClosed {
					t.Errorf("Rollback after %s: got %v, want no more than pgx.ErrTxClosed", who, err)
				}
			}
			if err := inner.Rollback(ctx); !strings.Contains(err.Error(), "outer savepoint") {
				t.Errorf("Rollback after the outer's end: got %v, want it to say so", err)
			}
			// Names are those of the depth, and a savepoint that has ended is no longer there.
			next := s.nest()
			s.insert(1000)
			check(t, next.Commit(ctx))
			s.committed(want)
			_, err = s.Exec(ctx, "delete from t")
			check(t, err)
			check(t, s.Commit(ctx))
		}
	})
}

// A savepoint that was rolled back is not kept: the next would be nested in it, and so on.
func TestNested_RollbackLeavesNone(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		s := newNesting(t, e)
		defer s.Close()
		check(t, s.nest().Rollback(t.Context()))
		if _, err := s.Exec(t.Context(), "release savepoint session_1"); sqlState(err) != "3B001" {
			t.Errorf("releasing it again: got %v, want that there is none", err)
		}
	})
}

// What ends the session's transaction ends its savepoints, and the session's next
// transaction is not theirs.
func TestNested_EndsWithTheTransaction(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		for name, end := range map[string]struct {
			end  func(*session.Session) error
			rows int
		}{
			"Commit":            {func(s *session.Session) error { return s.Commit(ctx) }, 111},
			"Rollback":          {func(s *session.Session) error { return s.Rollback(ctx) }, 0},
			"Close":             {func(s *session.Session) error { return s.Close() }, 0},
			"the Tx's Commit":   {func(s *session.Session) error { return s.Tx().Commit(ctx) }, 111},
			"the Tx's Rollback": {func(s *session.Session) error { return s.Tx().Rollback(ctx) }, 0},
			"Outside": {func(s *session.Session) error {
				return s.Outside(ctx, func(context.Context) error {
					_, err := s.BeginNested(ctx)
					is(t, "BeginNested inside of Outside", err, session.ErrOutside)
					for name, err := range methods(ctx, s.Tx()) {
						is(t, name+" of a Tx inside of Outside", err, session.ErrOutside)
					}
					return nil
				})
			}, 111},
		} {
			t.Run(name, func(t *testing.T) {
				s := newNesting(t, e)
				defer s.Close()
				s.insert(1)
				whole, outer := s.Tx(), s.nest()
				s.insert(10)
				inner := s.nest()
				s.insert(100)
				check(t, end.end(s.Session))
				var also []error
				if name == "Close" {
					also = append(also, session.ErrClosed)
				}
				for _, tx := range []pgx.Tx{whole, outer, inner} {
					isEnded(t, tx, also...)
				}
				if s.Held() {
					t.Error("the connection is held")
				}
				s.there(end.rows)
				if name != "Close" {
					s.insert(1000)
					isEnded(t, outer)
					isEnded(t, whole)
					s.committed(end.rows + 1000)
					_, err := s.Exec(ctx, "delete from t")
					check(t, err)
					check(t, s.Commit(ctx))
				}
			})
		}
	})
}

// While rows are open a savepoint can neither be made nor end, and stays as it is.
func TestNested_WhileRowsAreOpen(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		defer s.Close()
		whole, sp := s.Tx(), s.nest()
		s.insert(1)
		rows, err := sp.Query(ctx, "select generate_series(1, 3)")
		check(t, err)
		_, nested := s.BeginNested(ctx)
		is(t, "BeginNested", nested, session.ErrInUse)
		for name, tx := range map[string]pgx.Tx{"the savepoint's ": sp, "the transaction's ": whole} {
			for method, err := range methods(ctx, tx) {
				is(t, name+method, err, session.ErrInUse)
			}
		}
		rows.Close()
		check(t, sp.Rollback(ctx))
		s.insert(10)
		check(t, whole.Commit(ctx))
		s.there(10)
	})
}

// With an ended context the savepoint is undone, by Commit as by Rollback.
func TestNested_AfterItsContextEnded(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		s := newNesting(t, e)
		defer s.Close()
		s.insert(1)
		sp := s.nest()
		s.insert(10)
		is(t, "Commit", sp.Commit(over), context.Canceled)
		isEnded(t, sp)
		sp = s.nest()
		s.insert(100)
		check(t, sp.Rollback(over))
		if _, err := s.BeginNested(over); !errors.Is(err, context.Canceled) {
			t.Errorf("BeginNested: got %v, want the context's error", err)
		}
		s.insert(1000)
		s.committed(1001)
	})
}

// With its connection the transaction is lost, and all savepoints: no end of one heals
// that, and the session says so until it is rolled back.
func TestNested_OnALostConnection(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		defer s.Close()
		end := map[string]func(pgx.Tx) error{
			"Rollback": func(tx pgx.Tx) error { return tx.Rollback(ctx) },
			"Commit":   func(tx pgx.Tx) error { return tx.Commit(ctx) },
		}
		for name, end := range end {
			whole := s.Tx()
			s.insert(1)
			outer, inner := s.nest(), s.nest()
			_, lost := inner.Exec(ctx, "select pg_terminate_backend(pg_backend_pid())")
			for _, tx := range []pgx.Tx{inner, outer} {
				is(t, name, end(tx), session.ErrFailed, lost, pgx.ErrTxClosed)
			}
			_, err := whole.Exec(ctx, "select 1")
			is(t, "a statement", err, session.ErrFailed, lost)
			_, err = s.BeginNested(ctx)
			is(t, "BeginNested", err, session.ErrFailed, lost)
			if name == "Commit" {
				is(t, "the transaction's Commit", whole.Commit(ctx), pgx.ErrTxCommitRollback, lost)
			} else {
				check(t, whole.Rollback(ctx))
			}
			isEnded(t, whole)
		}
		s.insert(10)
		s.committed(10)
	})
}

// Where a savepoint can neither be released nor rolled back to, the transaction is not
// what it seems, and nothing of it is kept.
func TestNested_ThatCannotEnd(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		defer s.Close()
		for name, end := range map[string]func(pgx.Tx) error{
			"Rollback": func(tx pgx.Tx) error { return tx.Rollback(ctx) },
			"Commit":   func(tx pgx.Tx) error { return tx.Commit(ctx) },
		} {
			s.insert(1)
			sp := s.nest()
			_, err := s.Exec(ctx, "release savepoint session_1")
			check(t, err)
			if err := end(sp); sqlState(err) != "3B001" {
				t.Errorf("%s: got %v, want that there is none", name, err)
			}
			is(t, "Commit of the session", s.Commit(ctx), pgx.ErrTxCommitRollback)
			s.there(0)

			sp = s.nest()
			s.insert(1)
			rows, err := sp.Conn().Query(ctx, "select 1") // which the session does not see
			check(t, err)
			if err := end(sp); err == nil {
				t.Errorf("%s on a connection that pgx has locked: no error", name)
			}
			rows.Close()
			is(t, "Commit of the session", s.Commit(ctx), pgx.ErrTxCommitRollback)
			s.there(0)
		}
	})
}

// The savepoint's own statements may panic as any other.
func TestNested_APanic(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		panicking := panics{ctx, func() { panic("panics") }}
		for name, call := range map[string]func(sp pgx.Tx){
			"BeginNested": func(pgx.Tx) { s.BeginNested(panicking) },
			"Commit":      func(sp pgx.Tx) { sp.Commit(panicking) },
			"Prepare":     func(sp pgx.Tx) { sp.Prepare(panicking, "", "select 1") },
		} {
			s.insert(1)
			sp, returned := s.nest(), false
			ended(func() { call(sp); returned = true })
			if returned {
				t.Error(name, "did not panic")
			}
			is(t, "Rollback after "+name, sp.Rollback(ctx), pgx.ErrTxClosed)
			_, err := s.Exec(ctx, "select 1")
			is(t, "a statement after "+name, err, session.ErrFailed)
			check(t, s.Rollback(ctx))
			s.there(0)
		}
		check(t, s.Close())
	})
}
