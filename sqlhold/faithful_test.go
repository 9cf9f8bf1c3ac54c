package sqlhold_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/sqlhold"
)

// With sqlhold in place a driver is called as without it, method by method, whichever
// optional interfaces it has, and callers see the same. The drivers here note each call
// and do what the text of the statement says; internal/ormtest does the same with real ones.
func TestConnector_IsFaithful(t *testing.T) {
	for name, conn := range fakes {
		for script, run := range scripts {
			t.Run(name+"/"+script, func(t *testing.T) {
				traced := func(open func(driver.Connector) *sql.DB) (lines []string) {
					synctest.Test(t, func(t *testing.T) {
						f := &fake{conn: conn}
						s := &scripted{f, open(f)}
						s.DB.SetMaxOpenConns(1)
						run(t.Context(), s)
						synctest.Wait()
						f.note("stats: %d open, %d idle, %d in use", s.DB.Stats().OpenConnections, s.DB.Stats().Idle, s.DB.Stats().InUse)
						f.note("close: %v", s.DB.Close())
						if lines = f.lines; f.unordered {
							slices.Sort(lines)
						}
					})
					return lines
				}
				bare := traced(sql.OpenDB)
				with := traced(func(c driver.Connector) *sql.DB {
					db, err := sqlhold.OpenDB(c, pghold.NewRecorder(pghold.Config{}), "main")
					if err != nil {
						t.Fatal(err)
					}
					return db
				})
				if !slices.Equal(bare, with) {
					t.Errorf("without sqlhold:\n\t%s\nwith it:\n\t%s", strings.Join(bare, "\n\t"), strings.Join(with, "\n\t"))
				}
				if len(bare) < 4 {
					t.Errorf("this compares nothing: %q", bare)
				}
			})
		}
	}
}

type scripted struct {
	*fake
	DB *sql.DB
}

// cancelling is a context that a fake ends when it is told to by a statement's text.
func (s *scripted) cancelling(ctx context.Context) context.Context {
	ctx, s.cancel = context.WithCancel(ctx)
	return ctx
}

func (s *scripted) rows(rows *sql.Rows, err error) {
	if s.note("rows: %v", err); err != nil {
		return
	}
	types, err := rows.ColumnTypes()
	for _, c := range types {
		length, hasLength := c.Length()
		nullable, hasNullable := c.Nullable()
		precision, scale, hasScale := c.DecimalSize()
		s.note("column: %q %v %d %t %t %t %d %d %t", c.DatabaseTypeName(), c.ScanType(), length, hasLength, nullable, hasNullable, precision, scale, hasScale)
	}
	s.note("types: %v", err)
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			var n int
			s.note("scan: %v %d", rows.Scan(&n), n)
		}
	}
	s.note("rows end: %v, %v", rows.Err(), rows.Close())
}

var texts = []string{"ok", "skip", "fail", "bad", "failing rows"}

var scripts = map[string]func(context.Context, *scripted){
	"statements": func(ctx context.Context, s *scripted) {
		for range 2 {
			s.note("ping: %v", s.DB.PingContext(ctx))
			for _, text := range texts {
				_, err := s.DB.ExecContext(ctx, text)
				s.note("exec: %v", err)
				s.rows(s.DB.QueryContext(ctx, text))
			}
		}
	},
	"arguments": func(ctx context.Context, s *scripted) {
		stmt, err := s.DB.PrepareContext(ctx, "arg")
		s.note("prepare: %v", err)
		for _, text := range []string{"arg", "skip arg"} {
			for _, arg := range []any{1, int8(1), "x", struct{ odd int }{1}, driver.ErrRemoveArgument, sql.Named("n", 1), sql.Named("odd", struct{}{}), sql.NullInt64{}, func() {}} {
				_, err := s.DB.ExecContext(ctx, text, arg)
				s.note("exec: %v", err)
				s.rows(s.DB.QueryContext(ctx, text, arg))
				_, err = stmt.ExecContext(ctx, arg)
				s.note("stmt exec: %v", err)
				s.rows(stmt.QueryContext(ctx, arg))
			}
		}
		s.note("close: %v", stmt.Close())
	},
	"prepared": func(ctx context.Context, s *scripted) {
		for _, text := range texts {
			stmt, err := s.DB.PrepareContext(ctx, text)
			if s.note("prepare: %v", err); err != nil {
				continue
			}
			_, err = stmt.ExecContext(ctx)
			s.note("exec: %v", err)
			s.rows(stmt.QueryContext(ctx))
			s.note("close: %v", stmt.Close())
		}
	},
	"transactions": func(ctx context.Context, s *scripted) {
		parent, err := s.DB.PrepareContext(ctx, "ok")
		s.note("prepare: %v", err)
		for _, opts := range []*sql.TxOptions{nil, {ReadOnly: true}, {Isolation: sql.LevelSerializable}} {
			for _, end := range []string{"", "end fails", "end is bad"} {
				for _, finish := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
					tx, err := s.DB.BeginTx(ctx, opts)
					if s.note("begin: %v", err); err != nil {
						continue
					}
					_, err = tx.ExecContext(ctx, end)
					s.note("exec: %v", err)
					_, err = tx.PrepareContext(ctx, "ok")
					s.note("prepare: %v", err)
					_, err = tx.StmtContext(ctx, parent).ExecContext(ctx)
					s.note("stmt: %v", err)
					s.note("finish: %v", finish(tx))
				}
			}
		}
		s.note("close: %v", parent.Close())
	},
	"cancelled transactions": func(ctx context.Context, s *scripted) {
		parent, err := s.DB.PrepareContext(ctx, "ok")
		s.note("prepare: %v", err)
		for _, end := range []string{"", "end fails", "end is bad"} {
			tx, err := s.DB.BeginTx(s.cancelling(ctx), nil)
			s.note("begin: %v", err)
			_, err = tx.ExecContext(ctx, end)
			s.note("exec: %v", err)
			own, err := tx.PrepareContext(ctx, "ok")
			s.note("prepare: %v", err)
			_, err = tx.StmtContext(ctx, parent).ExecContext(ctx)
			s.note("stmt: %v", err)
			rows, err := tx.QueryContext(ctx, "ok")
			s.note("query: %v, %t", err, rows.Next())
			s.cancel()
			synctest.Wait()
			s.note("rows: %t, %v", rows.Next(), rows.Err())
			_, err = own.ExecContext(ctx)
			s.note("stmt: %v", err)
			s.note("commit: %v, rollback: %v", tx.Commit(), tx.Rollback())
			_, err = s.DB.ExecContext(ctx, "ok")
			s.note("exec: %v", err)
		}
		s.note("close: %v", parent.Close())
		synctest.Wait() // its statements are closed, or not
	},
	"cancelled transaction, rolled back by the caller": func(ctx context.Context, s *scripted) {
		tx, err := s.DB.BeginTx(s.cancelling(ctx), nil)
		s.note("begin: %v", err)
		s.atRollback = s.cancel // the caller's is on its way then
		s.note("rollback: %v", tx.Rollback())
		synctest.Wait()
		_, err = s.DB.ExecContext(ctx, "ok")
		s.note("exec: %v", err)
	},
	"cancelled transaction of a Conn": func(ctx context.Context, s *scripted) {
		conn, err := s.DB.Conn(ctx)
		s.note("conn: %v", err)
		tx, err := conn.BeginTx(s.cancelling(ctx), nil)
		s.note("begin: %v", err)
		_, err = tx.PrepareContext(ctx, "ok")
		s.note("prepare: %v", err)
		s.cancel()
		synctest.Wait()
		_, err = conn.ExecContext(ctx, "ok")
		s.note("exec: %v", err)
		s.note("close: %v", conn.Close())
		s.note("ping: %v", s.DB.PingContext(ctx))
	},
	"cancelled while the driver works": func(ctx context.Context, s *scripted) {
		for _, text := range []string{"cancel", "skip cancel"} {
			_, err := s.DB.ExecContext(s.cancelling(ctx), text, 1)
			s.note("exec: %v", err)
			rows, err := s.DB.QueryContext(s.cancelling(ctx), text, 1)
			synctest.Wait()
			s.rows(rows, err)
			stmt, err := s.DB.PrepareContext(s.cancelling(ctx), text)
			if s.note("prepare: %v", err); err == nil {
				s.note("close: %v", stmt.Close())
			}
		}
		s.atBegin = true
		_, err := s.DB.BeginTx(s.cancelling(ctx), nil)
		synctest.Wait()
		s.note("begin: %v", err)
	},
	"reset and validation": func(ctx context.Context, s *scripted) {
		for _, s.reset = range []error{nil, errors.New("reset fails"), driver.ErrBadConn} {
			for _, s.invalid = range []bool{false, true} {
				for range 3 {
					_, err := s.DB.ExecContext(ctx, "ok")
					s.note("exec: %v", err)
				}
			}
		}
	},
	"raw": func(ctx context.Context, s *scripted) {
		for _, result := range []error{nil, io.EOF, driver.ErrBadConn} {
			conn, err := s.DB.Conn(ctx)
			s.note("conn: %v", err)
			s.note("raw: %v", conn.Raw(func(c any) error {
				s.note("%T", sqlhold.Unwrap(c))
				return result
			}))
			s.note("close: %v", conn.Close())
		}
	},
	"opened in the background": func(ctx context.Context, s *scripted) {
		s.unordered = true // one connection is closed while another is opened
		conn, err := s.DB.Conn(ctx)
		s.note("conn: %v", err)
		go func() { s.note("exec: %v", s.DB.PingContext(ctx)) }()
		synctest.Wait()
		s.note("raw: %v", conn.Raw(func(any) error { return driver.ErrBadConn }))
		synctest.Wait()
	},
}
