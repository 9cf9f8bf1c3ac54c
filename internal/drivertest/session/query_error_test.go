package session_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/session"
)

// Query's rows carry its error, as pgx's do, so that the error can be left to
// whoever reads them.
func TestSession_QueryRowsCarryTheError(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		s := session.New(e.Pool, session.Options{})
		defer s.Close()
		collect := func(sql string) error {
			rows, queryErr := s.Query(t.Context(), sql)
			if rows == nil {
				t.Fatalf("%s: rows are nil beside %v", sql, queryErr)
			}
			_, err := pgx.CollectRows(rows, pgx.RowTo[int])
			if !errors.Is(err, queryErr) {
				t.Errorf("%s: the rows' error is %v, Query's is %v", sql, err, queryErr)
			}
			return err
		}
		if err := collect("select no_such_column"); err == nil {
			t.Error("first statement: no error")
		}
		check(t, s.Rollback(t.Context()))
		_, err := s.Exec(t.Context(), "select 1")
		check(t, err)
		if err := collect("select no_such_column"); err == nil {
			t.Error("second statement: no error")
		}
		check(t, s.Close())
		if err := collect("select 1"); !errors.Is(err, session.ErrClosed) {
			t.Errorf("closed session: got %v, want ErrClosed", err)
		}
	})
}
