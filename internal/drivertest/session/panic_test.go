package session_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/session"
)

// panics is what pgx calls during a statement: the arguments' rewriter, a destination, a
// batch's callback, a context.
type panics struct {
	context.Context
	with func()
}

func (p panics) RewriteQuery(context.Context, *pgx.Conn, string, []any) (string, []any, error) {
	p.with()
	return "", nil, nil
}
func (p panics) Scan(any) error        { p.with(); return nil }
func (p panics) Row(pgx.Row) error     { p.with(); return nil }
func (p panics) Done() <-chan struct{} { p.with(); return nil }

// ended runs a call in a goroutine of its own, which it may end.
func ended(call func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { recover() }()
		call()
	}()
	<-done
}

// A statement that panics is over, and its connection is not given to anybody, in
// whatever state pgx was left: the session says that it has failed, and ends as one that
// has, and the pool has its place back.
func TestSession_AStatementThatPanics(t *testing.T) {
	calls := map[string]func(context.Context, *session.Session, panics){
		"Exec":     func(ctx context.Context, s *session.Session, p panics) { s.Exec(ctx, "select $1::int", p, 1) },
		"Query":    func(ctx context.Context, s *session.Session, p panics) { s.Query(ctx, "select $1::int", p, 1) },
		"QueryRow": func(ctx context.Context, s *session.Session, p panics) { s.QueryRow(ctx, "select $1::int", p, 1) },
		"SendBatch": func(ctx context.Context, s *session.Session, p panics) {
			b := &pgx.Batch{}
			b.Queue("select $1::int", p, 1)
			s.SendBatch(ctx, b)
		},
		"a row's Scan": func(ctx context.Context, s *session.Session, p panics) {
			s.QueryRow(ctx, "select n, n from generate_series(1, 3) n").Scan(new(int), &p)
		},
		"a batch's Close": func(ctx context.Context, s *session.Session, p panics) {
			b := queue("select 1")
			b.Queue("select 1").QueryRow(p.Row)
			b.Queue("select 1")
			s.SendBatch(ctx, b).Close()
		},
		// What pgx has locked its connection for.
		"Exec's context":     func(_ context.Context, s *session.Session, p panics) { s.Exec(p, "select 1") },
		"CopyFrom's context": func(_ context.Context, s *session.Session, p panics) { copyOne(p, s) },
	}
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{})
		ends := []func() error{
			func() error { return s.Rollback(ctx) },
			func() error {
				if err := s.Commit(ctx); !errors.Is(err, pgx.ErrTxCommitRollback) {
					t.Errorf("Commit: got %v, want ErrTxCommitRollback", err)
				}
				return nil
			},
			func() error { defer func() { s = session.New(e, session.Options{}) }(); return s.Close() },
		}
		n := 0
		for name, call := range calls {
			for how, with := range map[string]func(){"panic": func() { panic("panics") }, "Goexit": runtime.Goexit} {
				for _, first := range []bool{true, false} {
					if first && strings.HasSuffix(name, "context") {
						continue // the pool would be asked with it
					}
					what := fmt.Sprintf("%s (first: %v), %s", name, first, how)
					if !first {
						_, err := s.Exec(ctx, "insert into t values (1)")
						check(t, err)
					}
					returned := false
					ended(func() { call(ctx, s, panics{ctx, with}); returned = true })
					if returned {
						t.Fatal(what, "did not panic")
					}
					if _, err := s.Exec(ctx, "select 1"); !errors.Is(err, session.ErrFailed) {
						t.Errorf("%s: the next statement: got %v, want ErrFailed", what, err)
					}
					was := s
					if err := ends[n%len(ends)](); err != nil {
						t.Errorf("%s: the session's end: %v", what, err)
					}
					if n++; was.Held() {
						t.Fatal(what, "the connection is held")
					}
					if rows := e.count(t); rows != 0 { // on the pool's one connection
						t.Errorf("%s: %d rows were left behind", what, rows)
					}
				}
			}
		}
	})
}

// Rows outlive a panic in the call that reads them, and end with the session; also where
// it was closed meanwhile, and the call is what has to end them.
func TestSession_APanicBetweenRows(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		for _, closes := range []bool{false, true} {
			s := session.New(e, session.Options{})
			ended(func() {
				rows, err := s.Query(ctx, "select generate_series(1, 3)")
				if err != nil || !rows.Next() {
					t.Error("there is no row", err)
				}
				rows.Scan(&panics{with: func() {
					if closes {
						if err := s.Close(); !errors.Is(err, session.ErrInUse) {
							t.Errorf("Close: got %v, want ErrInUse", err)
						}
					}
					panic("panics")
				}})
			})
			if !closes {
				check(t, s.Close())
			}
			if s.Held() {
				t.Fatal("the connection is held")
			}
			e.count(t)
		}
	})
}

func copyOne(ctx context.Context, s interface {
	CopyFrom(context.Context, pgx.Identifier, []string, pgx.CopyFromSource) (int64, error)
}) (int64, error) {
	return s.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"n"}, pgx.CopyFromRows([][]any{{1}}))
}
