package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/session"
)

// A session's Tx does what pgx's does, with the same errors.
func TestTx_AsPgx(t *testing.T) {
	type script = func(context.Context, pgx.Tx, func(what string, values ...any))
	all := func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
		errs := methods(ctx, tx)
		names := make([]string, 0, len(errs))
		for name := range errs {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			say(name, errs[name])
		}
	}
	works := func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
		tag, err := tx.Exec(ctx, "insert into t values ($1), ($2)", 1, 2)
		say("Exec", tag, err)
		rows, err := tx.Query(ctx, "select n from t order by n")
		ns, collected := pgx.CollectRows(rows, pgx.RowTo[int])
		say("Query", ns, err, collected)
		var n int
		err = tx.QueryRow(ctx, "select sum(n) from t").Scan(&n)
		say("QueryRow", n, err)
		say("QueryRow without one", tx.QueryRow(ctx, "select 1 where false").Scan(&n))
		br := tx.SendBatch(ctx, queue("select 3", "insert into t values (4)"))
		err = br.QueryRow().Scan(&n)
		say("SendBatch", n, err, br.Close())
		copied, err := copyOne(ctx, tx)
		say("CopyFrom", copied, err)
		sd, err := tx.Prepare(ctx, "two", "select n + $1 from t where n = 2")
		say("Prepare", sd.Name, sd.ParamOIDs, err)
		err = tx.QueryRow(ctx, "two", 40).Scan(&n)
		say("what was prepared", n, err)
		var pid uint32
		err = tx.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid)
		say("Conn", pid == tx.Conn().PgConn().PID(), err)
	}
	fails := func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
		_, err := tx.Exec(ctx, "select 1/0")
		say("a statement that fails", sqlState(err))
		_, err = tx.Exec(ctx, "select 1")
		say("the next", sqlState(err))
	}
	nested := func(then func(context.Context, pgx.Tx) error, what script) script {
		return func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
			_, err := tx.Exec(ctx, "insert into t values (1000)")
			say("before", err)
			sp, err := tx.Begin(ctx)
			say("Begin", err)
			what(ctx, sp, say)
			say("the savepoint's end", then(ctx, sp), then(ctx, sp))
			all(ctx, sp, say)
			_, err = tx.Exec(ctx, "insert into t values (2000)")
			say("after", sqlState(err))
			say("Commit", tx.Commit(ctx))
			all(ctx, tx, say)
		}
	}
	commit := func(ctx context.Context, tx pgx.Tx) error { return tx.Commit(ctx) }
	rollback := func(ctx context.Context, tx pgx.Tx) error { return tx.Rollback(ctx) }
	fn := func(err error, what script) script {
		return func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
			got := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { what(ctx, tx, say); return err })
			say("BeginFunc", got)
			_, after := tx.Exec(ctx, "insert into t values (2000)")
			say("after", after)
			say("Commit", tx.Commit(ctx), tx.Rollback(ctx))
		}
	}
	own := errors.New("the function's own error")
	scripts := map[string]script{
		"commit": func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
			works(ctx, tx, say)
			say("Commit", tx.Commit(ctx))
			all(ctx, tx, say)
		},
		"rollback": func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
			works(ctx, tx, say)
			say("Rollback", tx.Rollback(ctx))
			all(ctx, tx, say)
		},
		"nothing, committed": func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
			say("", tx.Commit(ctx))
			all(ctx, tx, say)
		},
		"nothing, rolled back": func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
			say("", tx.Rollback(ctx))
			all(ctx, tx, say)
		},
		"a failure, committed": func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) {
			_, err := tx.Exec(ctx, "insert into t values (1)")
			say("before", err)
			fails(ctx, tx, say)
			say("Commit", tx.Commit(ctx))
			all(ctx, tx, say)
		},
		"a savepoint, committed":              nested(commit, works),
		"a savepoint, rolled back":            nested(rollback, works),
		"a savepoint's failure, rolled back":  nested(rollback, fails),
		"two savepoints":                      nested(commit, nested(commit, works)),
		"two, one rolled back":                nested(commit, nested(rollback, works)),
		"a function":                          fn(nil, works),
		"a function that returns an error":    fn(own, works),
		"a function's failure":                fn(own, fails),
		"a function that has ended it itself": fn(nil, func(ctx context.Context, tx pgx.Tx, say func(string, ...any)) { say("Rollback", tx.Rollback(ctx)) }),
	}
	run := func(t *testing.T, e *env, tx pgx.Tx, script script) string {
		var said strings.Builder
		script(t.Context(), tx, func(what string, values ...any) {
			// An error is what it is, or at least what it says.
			for i, v := range values {
				if err, ok := v.(error); ok && err == pgx.ErrTxClosed {
					values[i] = "pgx.ErrTxClosed itself"
				} else if ok && err == own {
					values[i] = "the function's error itself"
				} else if ok && errors.Is(err, pgx.ErrTxCommitRollback) {
					values[i] = "pgx.ErrTxCommitRollback"
				}
			}
			fmt.Fprintln(&said, what, values)
		})
		fmt.Fprintln(&said, e.count(t), "rows")
		return said.String()
	}
	onEveryPool(t, func(t *testing.T, e *env) {
		for name, script := range scripts {
			other, err := pgx.Connect(t.Context(), e.dsn)
			check(t, err)
			_, err = other.Exec(t.Context(), "truncate t")
			check(t, err)
			tx, err := other.Begin(t.Context())
			check(t, err)
			theirs := run(t, e, tx, script)
			check(t, other.Close(t.Context()))

			s := session.New(e, session.Options{})
			_, err = s.Exec(t.Context(), "truncate t")
			check(t, err)
			check(t, s.Commit(t.Context()))
			ours := run(t, e, s.Tx(), script)
			if ours != theirs {
				t.Errorf("%s:\n%s\npgx:\n%s", name, ours, theirs)
			}
			if s.Held() {
				t.Errorf("%s: the connection is held", name)
			}
			check(t, s.Close())
		}
	})
}

// pgx leaves the transaction failed where a savepoint cannot be released, and nothing to
// heal it with. A session undoes the savepoint, as it does a transaction.
func TestTx_CommitOfAFailedSavepointIsNotAsPgx(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), pgtest.DSN(t))
	check(t, err)
	defer conn.Close(context.Background())
	tx, err := conn.Begin(t.Context())
	check(t, err)
	sp, err := tx.Begin(t.Context())
	check(t, err)
	sp.Exec(t.Context(), "select 1/0")
	if err := sp.Commit(t.Context()); !isAborted(err) {
		t.Errorf("Commit: got %v, want pgx to say that the transaction has failed: what a session does instead is to be looked at again", err)
	}
	is(t, "Rollback", sp.Rollback(t.Context()), pgx.ErrTxClosed)
	if _, err := tx.Exec(t.Context(), "select 1"); !isAborted(err) {
		t.Errorf("a statement: got %v, want the transaction to have failed", err)
	}
}

// What takes a pgx.Tx, a session's statements and its savepoints are in one transaction,
// which Commit of either ends.
func TestTx_IsTheSessions(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		defer s.Close()
		tx := s.Tx()
		if s.Held() || e.acquired.Load() != 0 {
			t.Error("Tx took a connection")
		}
		_, err := tx.Exec(ctx, "insert into t values (1)")
		check(t, err)
		s.insert(10)
		sp := s.nest()
		_, err = tx.Exec(ctx, "insert into t values (100)") // in the savepoint, which is the innermost
		check(t, err)
		check(t, sp.Rollback(ctx))
		check(t, tx.Commit(ctx))
		if s.Held() || e.acquired.Load() != 1 {
			t.Errorf("after Commit the connection is held: %v; %d checkouts, want 1", s.Held(), e.acquired.Load())
		}
		s.there(11)

		// It is over, also for who asked for it before, and the next is another.
		s.insert(100)
		isEnded(t, tx)
		next := s.Tx()
		_, err = next.Exec(ctx, "insert into t values (1000)")
		check(t, err)
		isEnded(t, tx)
		s.committed(1111)
		if err := tx.Rollback(ctx); err != pgx.ErrTxClosed {
			t.Errorf("Rollback after Commit: got %v, want no more than pgx.ErrTxClosed", err)
		}
		err = next.Rollback(ctx)
		is(t, "Rollback after the session's Commit", err, pgx.ErrTxClosed)
		if !strings.Contains(err.Error(), "ended by the session") {
			t.Errorf("Rollback after the session's Commit: got %q, want it to say so", err)
		}
	})
}

// The first statement fails, and the transaction, as in a session.
func TestTx_AFirstStatementThatFails(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		defer s.Close()
		tx := s.Tx()
		_, first := tx.Exec(ctx, "select nonsense")
		_, err := tx.Exec(ctx, "select 1")
		is(t, "the next", err, session.ErrFailed, first)
		if _, again := tx.Exec(ctx, "select 1"); again == nil || again.Error() != err.Error() {
			t.Errorf("the one after: got %v, want the same as before, %v", again, err)
		}
		is(t, "Commit", tx.Commit(ctx), pgx.ErrTxCommitRollback, first)
		s.insert(1)
		s.committed(1)
	})
}

// Prepare comes first, and begins the transaction.
func TestTx_PrepareFirst(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		defer s.Close()
		tx := s.Tx()
		_, err := tx.Prepare(ctx, "put", "insert into t values ($1)")
		check(t, err)
		if tx.Conn() == nil || tx.Conn().PgConn().TxStatus() != 'T' {
			t.Error("it began no transaction")
		}
		_, err = tx.Exec(ctx, "put", 1)
		check(t, err)
		check(t, tx.Rollback(ctx))
		s.there(0)
		if _, err := s.Tx().Prepare(ctx, "", "select nonsense"); sqlState(err) != "42703" {
			t.Errorf("got %v, want undefined_column", err)
		}
		if _, err := s.Exec(ctx, "select 1"); !isAborted(err) {
			t.Errorf("the next: got %v, want an aborted transaction", err)
		}
		check(t, s.Rollback(ctx))
		s.insert(1)
		s.committed(1)

		fails := session.New(e, session.Options{Tx: pgx.TxOptions{BeginQuery: "begin nonsense"}})
		defer fails.Close()
		if _, err := fails.Tx().Prepare(ctx, "", "select 1"); sqlState(err) != "42601" {
			t.Errorf("BEGIN fails: got %v, want a syntax error", err)
		}
	})
}

// The connection is there for as long as the transaction has it, and no other's is.
func TestTx_Conn(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := newNesting(t, e)
		tx := s.Tx()
		if tx.Conn() != nil {
			t.Error("before the first statement there is a connection")
		}
		sp, err := tx.Begin(ctx)
		check(t, err)
		var pid uint32
		check(t, s.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid))
		for _, tx := range []pgx.Tx{tx, sp} {
			if c := tx.Conn(); c == nil || c.PgConn().PID() != pid {
				t.Error("it is not the session's connection")
			}
		}
		check(t, sp.Commit(ctx))
		if sp.Conn() != nil || tx.Conn() == nil {
			t.Error("the savepoint has a connection after its end, or the transaction has none")
		}
		check(t, s.Commit(ctx))
		s.insert(1)
		if tx.Conn() != nil {
			t.Error("after its end it has the connection of another transaction")
		}
		if s.Tx().Conn() == nil {
			t.Error("the next transaction has no connection")
		}
		tx = s.Tx()
		check(t, s.Close())
		if tx.Conn() != nil {
			t.Error("after Close it has a connection")
		}
	})
}
