package session_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/session"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestSession_TakesItsConnectionAtTheFirstStatement(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{})
		if e.acquired.Load() != 0 || s.Held() {
			t.Error("a new session holds a connection")
		}
		for _, end := range []func() error{func() error { return s.Commit(ctx) }, func() error { return s.Rollback(ctx) }} {
			if err := end(); err != nil {
				t.Errorf("ending a session that did nothing: %v", err)
			}
		}
		if got := e.statements.take(); got != "" {
			t.Errorf("it sent %q, want nothing", got)
		}
		if _, err := s.Exec(ctx, "insert into t values (1)"); err != nil {
			t.Fatal(err)
		}
		if !s.Held() || e.acquired.Load() != 1 {
			t.Error("after its first statement the session holds no connection")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if s.Held() {
			t.Error("after Close the session holds a connection")
		}
	})
}

func TestSession_EndsItsTransaction(t *testing.T) {
	ends := map[string]struct {
		end  func(context.Context, *session.Session) error
		sent string
		rows int
	}{
		"Commit":   {func(ctx context.Context, s *session.Session) error { return s.Commit(ctx) }, "commit", 2},
		"Rollback": {func(ctx context.Context, s *session.Session) error { return s.Rollback(ctx) }, "rollback", 0},
		"Close":    {func(_ context.Context, s *session.Session) error { return s.Close() }, "rollback", 0},
	}
	for name, want := range ends {
		t.Run(name, func(t *testing.T) {
			onEveryPool(t, func(t *testing.T, e *env) {
				s := session.New(e, session.Options{})
				defer s.Close()
				for range 2 {
					if _, err := s.Exec(t.Context(), "insert into t values ($1)", 1); err != nil {
						t.Fatal(err)
					}
				}
				if err := want.end(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				insert := "insert into t values ($1)"
				if got, want := e.statements.take(), "begin; "+insert+"; "+insert+"; "+want.sent; got != want {
					t.Errorf("sent %q\nwant %q", got, want)
				}
				if s.Held() {
					t.Error("the connection is still held")
				}
				if got := e.count(t); got != want.rows {
					t.Errorf("%d rows are there, want %d", got, want.rows)
				}
			})
		})
	}
}

func TestSession_BeginsAnewAfterCommit(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		s := session.New(e, session.Options{})
		for range 2 {
			if _, err := s.Exec(t.Context(), "insert into t values (1)"); err != nil {
				t.Fatal(err)
			}
			if err := s.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		if e.acquired.Load() != 2 || e.count(t) != 2 {
			t.Errorf("%d checkouts, want one for each transaction", e.acquired.Load())
		}
	})
}

func TestSession_BeginTravelsWithTheFirstStatement(t *testing.T) {
	firsts := map[string]func(context.Context, *session.Session) error{
		"Exec": func(ctx context.Context, s *session.Session) error {
			_, err := s.Exec(ctx, "select $1::int", 1)
			return err
		},
		"QueryRow": func(ctx context.Context, s *session.Session) error {
			var n int
			err := s.QueryRow(ctx, "select $1::int", 1).Scan(&n)
			if err == nil && n != 1 {
				err = errors.New("wrong value")
			}
			return err
		},
		"Query": func(ctx context.Context, s *session.Session) error {
			rows, err := s.Query(ctx, "select generate_series(1, $1::int)", 3)
			if err != nil {
				return err
			}
			ns, err := pgx.CollectRows(rows, pgx.RowTo[int])
			if err == nil && len(ns) != 3 {
				err = errors.New("wrong rows")
			}
			return err
		},
		"SendBatch": func(ctx context.Context, s *session.Session) error {
			b := &pgx.Batch{}
			b.Queue("select 1")
			b.Queue("select 2")
			br := s.SendBatch(ctx, b)
			var one, two int
			return errors.Join(br.QueryRow().Scan(&one), br.QueryRow().Scan(&two), br.Close())
		},
	}
	for name, first := range firsts {
		t.Run(name, func(t *testing.T) {
			onEveryPool(t, func(t *testing.T, e *env) {
				ctx := t.Context()
				for range 2 { // the first time each statement is prepared
					s := session.New(e, session.Options{})
					before := e.trips.Load()
					if err := first(ctx, s); err != nil {
						t.Fatal(err)
					}
					inside := e.trips.Load() - before
					if err := s.Commit(ctx); err != nil {
						t.Fatal(err)
					}
					all := e.trips.Load() - before
					s.Close()
					if e.acquired.Load() == 2 && (inside != 1 || all != 2) {
						t.Errorf("%d round trips for BEGIN and the statement, %d with COMMIT; want 1 and 2", inside, all)
					}
				}
			})
		})
	}
}

func TestSession_StatementsThatCannotShareTheRoundTrip(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		s := session.New(e, session.Options{})
		defer s.Close()
		var n int
		if err := s.QueryRow(t.Context(), "select $1::int", pgx.QueryExecModeExec, 7).Scan(&n); err != nil || n != 7 {
			t.Errorf("with a query option: %d, %v; want 7", n, err)
		}
		if err := s.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		copied, err := s.CopyFrom(t.Context(), pgx.Identifier{"t"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}, {2}, {3}}))
		if err != nil || copied != 3 {
			t.Errorf("CopyFrom: %d rows, %v; want 3", copied, err)
		}
		if err := s.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := e.count(t); got != 0 {
			t.Errorf("after the rollback %d rows are there: the copy was not in a transaction", got)
		}
	})
}

func TestSession_AStatementThatFails(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{})
		defer s.Close()
		var pgErr *pgconn.PgError
		if _, err := s.Exec(ctx, "select nonsense"); !errors.As(err, &pgErr) || pgErr.Code != "42703" {
			t.Errorf("got %v, want undefined_column", err)
		}
		// The first statement failed before its transaction began.
		if _, err := s.Exec(ctx, "insert into t values (1)"); !errors.Is(err, session.ErrFailed) {
			t.Errorf("after it: got %v, want ErrFailed", err)
		}
		s.Rollback(ctx)

		s.Exec(ctx, "insert into t values (1)")
		s.Exec(ctx, "select 1/0")
		if _, err := s.Exec(ctx, "select 1"); !errors.As(err, &pgErr) || pgErr.Code != "25P02" {
			t.Errorf("after an error: got %v, want in_failed_sql_transaction", err)
		}
		if err := s.Commit(ctx); !errors.Is(err, pgx.ErrTxCommitRollback) {
			t.Errorf("Commit after an error: got %v, want ErrTxCommitRollback", err)
		}
		if s.Held() || e.count(t) != 0 {
			t.Error("a failed transaction left its connection held, or rows behind")
		}
		if _, err := s.Exec(ctx, "insert into t values (1)"); err != nil {
			t.Errorf("the next transaction: %v", err)
		}
	})
}

func TestSession_Autocommit(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{Autocommit: true})
		defer s.Close()
		if _, err := s.Exec(ctx, "insert into t values (1)"); err != nil {
			t.Fatal(err)
		}
		if !s.Held() {
			t.Error("the connection should be held although no transaction is open")
		}
		if err := s.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
		if got, want := e.statements.take(), "insert into t values (1)"; got != want {
			t.Errorf("sent %q, want only %q", got, want)
		}
		if e.count(t) != 1 {
			t.Error("the statement was not committed by itself")
		}
	})
}

func TestSession_TransactionOptions(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{Tx: pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead}})
		defer s.Close()
		var level, readOnly string
		err := s.QueryRow(ctx, "select current_setting('transaction_isolation'), current_setting('transaction_read_only')").Scan(&level, &readOnly)
		if err != nil || level != "repeatable read" || readOnly != "on" {
			t.Errorf("got %s, read only %s, %v; want repeatable read, on", level, readOnly, err)
		}
		var pgErr *pgconn.PgError
		if _, err := s.Exec(ctx, "insert into t values (1)"); !errors.As(err, &pgErr) || pgErr.Code != "25006" {
			t.Errorf("writing: got %v, want read_only_sql_transaction", err)
		}

		both := session.New(e, session.Options{Autocommit: true, Tx: pgx.TxOptions{AccessMode: pgx.ReadOnly}})
		defer both.Close()
		if _, err := both.Exec(ctx, "select 1"); err == nil {
			t.Error("Autocommit and Tx together: no error")
		}
	})
}

func TestSession_Misuse(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{})
		rows, err := s.Query(ctx, "select generate_series(1, 3)")
		if err != nil {
			t.Fatal(err)
		}
		rows.Next()
		if _, err := s.Exec(ctx, "select 1"); !errors.Is(err, session.ErrInUse) {
			t.Errorf("a statement while rows are open: got %v, want ErrInUse", err)
		}
		if err := s.QueryRow(ctx, "select 1").Scan(nil); !errors.Is(err, session.ErrInUse) {
			t.Errorf("QueryRow while rows are open: got %v, want ErrInUse", err)
		}
		if err := s.Commit(ctx); !errors.Is(err, session.ErrInUse) {
			t.Errorf("Commit while rows are open: got %v, want ErrInUse", err)
		}
		rows.Close()
		if _, err := s.Exec(ctx, "select 1"); err != nil {
			t.Errorf("after closing the rows: %v", err)
		}
		s.Close()
		if err := s.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
		_, queryErr := s.Query(ctx, "select 1")
		_, execErr := s.Exec(ctx, "select 1")
		for name, err := range map[string]error{
			"Query": queryErr, "Exec": execErr, "QueryRow": s.QueryRow(ctx, "select 1").Scan(nil),
			"Commit": s.Commit(ctx), "Rollback": s.Rollback(ctx), "SendBatch": s.SendBatch(ctx, &pgx.Batch{}).Close(),
		} {
			if !errors.Is(err, session.ErrClosed) {
				t.Errorf("%s after Close: got %v, want ErrClosed", name, err)
			}
		}
	})
}

func TestSession_CloseEndsWhatIsOpen(t *testing.T) {
	open := map[string]func(context.Context, *session.Session){
		"rows":    func(ctx context.Context, s *session.Session) { s.Query(ctx, "select generate_series(1, 3)") },
		"a row":   func(ctx context.Context, s *session.Session) { s.QueryRow(ctx, "select 1") },
		"a batch": func(ctx context.Context, s *session.Session) { s.SendBatch(ctx, queue("select 1")) },
	}
	for name, leave := range open {
		for _, second := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				onEveryPool(t, func(t *testing.T, e *env) {
					s := session.New(e, session.Options{})
					if second {
						s.Exec(t.Context(), "select 1")
					}
					leave(t.Context(), s)
					if err := s.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
					if s.Held() {
						t.Error("the connection is still held")
					}
					e.count(t) // the connection works
				})
			})
		}
	}
}

func TestSession_WhatIsOpenIsAskedAgainAndAgain(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		s := session.New(e, session.Options{})
		rows, err := s.Query(t.Context(), "select generate_series(1, 3)")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; rows.Next(); n++ {
			if err := rows.Err(); err != nil {
				t.Error(err)
			}
		}
		if n != 3 || rows.Err() != nil || rows.Err() != nil {
			t.Errorf("%d rows, %v", n, rows.Err())
		}
		batch := s.SendBatch(t.Context(), queue("select 7", "select 'x'", "select 1"))
		var seven, x int
		if err := batch.QueryRow().Scan(&seven); err != nil || seven != 7 {
			t.Errorf("the first row of a batch is %d, %v", seven, err)
		}
		if err := batch.QueryRow().Scan(&x); err == nil {
			t.Error("a text was read as a number")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for range 2 {
			if _, err := batch.Exec(); !errors.Is(err, session.ErrClosed) {
				t.Errorf("a batch of a closed session: got %v, want ErrClosed", err)
			}
			if err := batch.QueryRow().Scan(&x); !errors.Is(err, session.ErrClosed) {
				t.Errorf("a row of a batch of a closed session: got %v, want ErrClosed", err)
			}
		}
	})
}

func queue(statements ...string) *pgx.Batch {
	b := &pgx.Batch{}
	for _, sql := range statements {
		b.Queue(sql)
	}
	return b
}

func TestSession_ClosedWhileAnotherGoroutineUsesIt(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		blocker, err := pgx.Connect(ctx, e.dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer blocker.Close(ctx)
		if _, err := blocker.Exec(ctx, "select pg_advisory_lock(1)"); err != nil {
			t.Fatal(err)
		}
		s := session.New(e, session.Options{})
		done := make(chan error, 1)
		go func() {
			_, err := s.Exec(ctx, "select pg_advisory_lock($1)", 1)
			done <- err
		}()
		<-e.statements.locking
		if _, err := s.Exec(ctx, "select 1"); !errors.Is(err, session.ErrInUse) {
			t.Errorf("a statement beside another: got %v, want ErrInUse", err)
		}
		if err := s.Close(); !errors.Is(err, session.ErrInUse) {
			t.Errorf("Close: got %v, want ErrInUse", err)
		}
		if !s.Held() {
			t.Error("Close took the connection away from under a statement")
		}
		if _, err := blocker.Exec(ctx, "select pg_advisory_unlock(1)"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("the other's statement: %v", err)
		}
		if s.Held() {
			t.Error("the goroutine that ran last did not release the connection")
		}
		// A lock of the session outlives its transaction: the connection is kept.
		if err := session.Local(ctx, e.Pool, session.Options{Autocommit: true}, func(s *session.Session) error {
			_, err := s.Exec(ctx, "select pg_advisory_unlock_all()")
			return err
		}); err != nil {
			t.Error(err)
		}
	})
}

func TestSession_RollsBackAfterItsContextEnded(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx, cancel := context.WithCancel(t.Context())
		s := session.New(e, session.Options{})
		defer s.Close()
		if _, err := s.Exec(ctx, "insert into t values (1)"); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := s.Commit(ctx); err == nil {
			t.Error("Commit with an ended context: no error")
		}
		if s.Held() || e.count(t) != 0 {
			t.Error("the connection is held, or the row is there")
		}
		s.Exec(t.Context(), "insert into t values (1)")
		if err := s.Rollback(ctx); err != nil {
			t.Errorf("Rollback with an ended context: %v", err)
		}
		if s.Held() || e.count(t) != 0 {
			t.Error("the connection is held, or the row is there")
		}
	})
}

func TestSession_CommitOnALostConnectionIsAnError(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		s := session.New(e, session.Options{})
		defer s.Close()
		s.Exec(t.Context(), "insert into t values (1)")
		s.Exec(t.Context(), "select pg_terminate_backend(pg_backend_pid())")
		if err := s.Commit(t.Context()); err == nil {
			t.Error("Commit after the connection was lost: no error")
		}
		if got := e.count(t); got != 0 {
			t.Errorf("%d rows are there, want none", got)
		}
	})
}

func TestLocal(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		failed := errors.New("failed")
		insert := func(s *session.Session) {
			if _, err := s.Exec(ctx, "insert into t values (1)"); err != nil {
				t.Fatal(err)
			}
		}
		if err := session.Local(ctx, e, session.Options{}, func(s *session.Session) error { insert(s); return failed }); err != failed {
			t.Errorf("got %v, want the function's own error", err)
		}
		func() {
			defer func() {
				if recover() != "panic" {
					t.Error("the panic did not get through")
				}
			}()
			session.Local(ctx, e, session.Options{}, func(s *session.Session) error { insert(s); panic("panic") })
		}()
		if got := e.count(t); got != 0 {
			t.Errorf("after an error and a panic %d rows are there, want none", got)
		}
		if err := session.Local(ctx, e, session.Options{}, func(s *session.Session) error { insert(s); return nil }); err != nil {
			t.Error(err)
		}
		if got := e.count(t); got != 1 {
			t.Errorf("after a success %d rows are there, want 1", got)
		}
	})
}

func TestSession_Outside(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{})
		defer s.Close()
		insert := func() {
			t.Helper()
			if _, err := s.Exec(ctx, "insert into t values (1)"); err != nil {
				t.Fatal(err)
			}
		}
		insert()
		called := errors.New("the call's own error")
		err := s.Outside(ctx, func(ctx context.Context) error {
			if s.Held() {
				t.Error("the connection is held during the slow call")
			}
			if n := e.count(t); n != 1 {
				t.Errorf("%d rows are seen by others during the slow call, want the 1 from before it", n)
			}
			if _, err := s.Exec(ctx, "insert into t values (2)"); !errors.Is(err, session.ErrOutside) {
				t.Errorf("a statement inside: %v, want ErrOutside", err)
			}
			if err := s.Outside(ctx, func(context.Context) error { return nil }); !errors.Is(err, session.ErrOutside) {
				t.Errorf("Outside inside of itself: %v, want ErrOutside", err)
			}
			return called
		})
		if err != called {
			t.Errorf("got %v, want the function's error", err)
		}
		insert()
		if err := s.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		if n := e.count(t); n != 2 {
			t.Errorf("%d rows, want one from before the call and one from after it", n)
		}

		insert()
		s.Exec(ctx, "nonsense")
		err = s.Outside(ctx, func(context.Context) error {
			t.Error("the call was made although what was done before it could not be committed")
			return nil
		})
		if !errors.Is(err, pgx.ErrTxCommitRollback) {
			t.Errorf("got %v, want ErrTxCommitRollback", err)
		}
		func() {
			defer func() { recover() }()
			s.Outside(ctx, func(context.Context) error { panic("in the call") })
		}()
		insert() // works again after a panic
	})
}

func TestPerRequest(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		handler := session.PerRequest(e, session.Options{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := session.FromContext(r.Context())
			if _, err := s.Exec(r.Context(), "insert into t values (1)"); err != nil {
				t.Error(err)
			}
			if !s.Held() {
				t.Error("the session does not hold its connection through the handler")
			}
			switch r.URL.Path {
			case "/commit":
				s.Commit(r.Context())
			case "/panic":
				panic(http.ErrAbortHandler)
			}
		}))
		server := httptest.NewServer(handler)
		defer server.Close()
		for _, path := range []string{"/commit", "/nothing", "/panic"} {
			if res, err := http.Get(server.URL + path); err == nil {
				res.Body.Close()
			}
		}
		if got := e.count(t); got != 1 {
			t.Errorf("%d rows are there, want the one that was committed", got)
		}
	})
	defer func() {
		if recover() == nil {
			t.Error("FromContext without PerRequest does not panic")
		}
	}()
	session.FromContext(t.Context())
}

func TestFromDB_RefusesOtherDrivers(t *testing.T) {
	db := sql.OpenDB(otherDriver{})
	defer db.Close()
	s := session.New(session.FromDB(db), session.Options{})
	defer s.Close()
	if _, err := s.Exec(t.Context(), "select 1"); !errors.Is(err, session.ErrNotPgx) {
		t.Errorf("got %v, want ErrNotPgx", err)
	}
	if n := db.Stats().InUse; n != 0 {
		t.Errorf("%d connections are in use", n)
	}
}

func TestSession_AnErrorOfThePoolComesThrough(t *testing.T) {
	cc, err := pgx.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg := queuepool.NewConfig(cc)
	cfg.Size, cfg.MaxOverflow, cfg.Timeout = 1, 0, time.Millisecond
	p, err := queuepool.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	holder := session.New(session.From(p), session.Options{})
	defer holder.Close()
	holder.Exec(t.Context(), "select 1")
	var timeout *queuepool.TimeoutError
	s := session.New(session.From(p), session.Options{})
	if _, err := s.Exec(t.Context(), "select 1"); !errors.As(err, &timeout) {
		t.Errorf("got %v, want the pool's TimeoutError", err)
	}
	if err := s.Close(); err != nil || s.Held() {
		t.Errorf("closing it: %v", err)
	}
}
