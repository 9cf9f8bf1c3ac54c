package session_test

import (
	"context"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/session"
)

// calls are the ways to run a statement that fails as it runs, on a table whose 1 is
// taken: a division by zero, or a violated key.
var calls = map[string]struct {
	code string
	run  func(context.Context, *session.Session) error
}{
	"Exec": {"23505", func(ctx context.Context, s *session.Session) error {
		_, err := s.Exec(ctx, "insert into t values ($1)", 1)
		return err
	}},
	"Exec of several": {"23505", func(ctx context.Context, s *session.Session) error {
		_, err := s.Exec(ctx, "select 1; insert into t values (1)")
		return err
	}},
	"Query": {"22012", func(ctx context.Context, s *session.Session) error {
		rows, err := s.Query(ctx, "select 1 / (2 - n) from generate_series(1, 3) n")
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return rows.Err()
	}},
	"Query, closed": {"22012", func(ctx context.Context, s *session.Session) error {
		rows, err := s.Query(ctx, "select 1 / (2 - n) from generate_series(1, 3) n")
		if err != nil {
			return err
		}
		rows.Close()
		return rows.Err()
	}},
	"QueryRow": {"22012", func(ctx context.Context, s *session.Session) error {
		return s.QueryRow(ctx, "select 1 / (n - n) from generate_series(1, 3) n").Scan(new(int))
	}},
	"SendBatch": {"23505", func(ctx context.Context, s *session.Session) error {
		return s.SendBatch(ctx, queue("select 1", "insert into t values (1)")).Close()
	}},
	"CopyFrom": {"23505", func(ctx context.Context, s *session.Session) error {
		_, err := s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}}))
		return err
	}},
}

// The server's error comes through, whatever the call, first statement or not; and the
// transaction is over, but its connection is not.
func TestSession_ErrorsComeThrough(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		pid := func() (pid int) {
			t.Helper()
			err := session.Local(ctx, e, session.Options{}, func(s *session.Session) error {
				return s.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid)
			})
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		s := session.New(e, session.Options{})
		defer s.Close()
		for _, sql := range []string{"alter table t add primary key (n)", "insert into t values (1)"} {
			if _, err := s.Exec(ctx, sql); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		connection := pid()
		for name, call := range calls {
			for _, first := range []bool{true, false} {
				if !first {
					if _, err := s.Exec(ctx, "select 1"); err != nil {
						t.Fatal(err)
					}
				}
				if err := call.run(ctx, s); sqlState(err) != call.code {
					t.Errorf("%s (first: %v): got %v, want %s", name, first, err, call.code)
				}
				if _, err := s.Exec(ctx, "select 1"); !isAborted(err) {
					t.Errorf("%s (first: %v): the next statement: %v, want an aborted transaction", name, first, err)
				}
				if err := s.Rollback(ctx); err != nil {
					t.Errorf("%s (first: %v): Rollback: %v", name, first, err)
				}
			}
		}
		// pgxpool drops a connection that is in a transaction when it is released, and
		// database/sql one that cannot be reset: after Rollback it is in none.
		if now := pid(); now != connection {
			t.Errorf("the connection was replaced")
		}
	})
}

// Where BEGIN itself fails, whatever was to follow fails with it, and the connection is
// fit for the next.
func TestSession_BeginFails(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		pid := func() (pid int) {
			err := session.Local(ctx, e, session.Options{}, func(s *session.Session) error {
				return s.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid)
			})
			if err != nil {
				t.Error(err)
			}
			return pid
		}
		connection := pid()
		for name, call := range calls {
			if name == "Exec of several" { // whose text is one with BEGIN
				continue
			}
			s := session.New(e, session.Options{Tx: pgx.TxOptions{BeginQuery: "begin nonsense"}})
			if err := call.run(ctx, s); sqlState(err) != "42601" {
				t.Errorf("%s: got %v, want a syntax error", name, err)
			}
			if err := s.Rollback(ctx); err != nil {
				t.Errorf("%s: Rollback: %v", name, err)
			}
			if err := call.run(ctx, s); sqlState(err) != "42601" {
				t.Errorf("%s, again: got %v, want a syntax error", name, err)
			}
			s.Close()
		}
		if now := pid(); now != connection {
			t.Error("the connection was replaced")
		}
		s := session.New(e, session.Options{})
		s.Close()
		for name, call := range calls {
			if err := call.run(ctx, s); err != session.ErrClosed {
				t.Errorf("%s of a closed session: got %v, want ErrClosed", name, err)
			}
		}
	})
}

// A connection may be lost when the rows of the first query have all come, and BEGIN's
// batch has not ended: that the rows end with it is an error, or what was read in a
// transaction would seem to have been.
func TestSession_LostAtTheEndOfTheFirstQuery(t *testing.T) {
	cc, err := pgx.ParseConfig("postgres://u@127.0.0.1/db?sslmode=disable&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	cfg := queuepool.NewConfig(cc)
	cfg.ConnConfig.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			b := pgproto3.NewBackend(server, server)
			if _, err := b.ReceiveStartupMessage(); err != nil {
				return
			}
			b.Send(&pgproto3.AuthenticationOk{})
			b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
			b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			if b.Flush() != nil {
				return
			}
			if _, err := b.Receive(); err != nil {
				return
			}
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("BEGIN")})
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("n"), DataTypeOID: pgtype.Int4OID, DataTypeSize: 4}}})
			b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("7")}})
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
			b.Flush() // and it is gone
		}()
		return client, nil
	}
	pool, err := queuepool.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	s := session.New(session.From(pool), session.Options{})
	defer s.Close()
	rows, err := s.Query(t.Context(), "select 7")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); n != 1 || err == nil {
		t.Errorf("%d rows and %v, want one and an error", n, err)
	}
	if err := s.Commit(t.Context()); err == nil {
		t.Error("it was committed on a connection that is lost")
	}
}
