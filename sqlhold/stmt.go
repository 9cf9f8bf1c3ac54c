package sqlhold

import (
	"context"
	"database/sql/driver"
)

// stmt is a prepared statement. Like conn it has every optional interface but
// ColumnConverter. Its executions belong to the hold that its connection has then.
type stmt struct {
	driver.Stmt
	c    *conn
	does effect
}

// convertingStmt is a statement whose driver has a ColumnConverter. It is a type of
// its own because database/sql does without its own conversion then.
type convertingStmt struct {
	stmt
	//lint:ignore SA1019 drivers may have it
	converter driver.ColumnConverter
}

func newStmt(inner driver.Stmt, c *conn, does effect) driver.Stmt {
	//lint:ignore SA1019 drivers may have it
	if converter, ok := inner.(driver.ColumnConverter); ok {
		return &convertingStmt{stmt{inner, c, does}, converter}
	}
	return &stmt{inner, c, does}
}

func (s *convertingStmt) ColumnConverter(i int) driver.ValueConverter {
	return s.converter.ColumnConverter(i)
}

// CheckNamedValue asks the statement and, as database/sql does, the connection where
// the statement cannot say.
func (s *stmt) CheckNamedValue(value *driver.NamedValue) error {
	if _, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return check(s.Stmt, value)
	}
	return check(s.c.inner, value)
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if e, ok := s.Stmt.(driver.StmtExecContext); ok {
		hold := s.c.begin(ctx)
		result, err := e.ExecContext(ctx, args)
		s.c.executed(hold, s.does, err)
		return result, err
	}
	values, err := values(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.exec(ctx, values)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if q, ok := s.Stmt.(driver.StmtQueryContext); ok {
		hold := s.c.begin(ctx)
		r, err := q.QueryContext(ctx, args)
		return s.c.queried(hold, s.does, r, err)
	}
	values, err := values(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.query(ctx, values)
}

// Exec is not called by database/sql, which calls ExecContext.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.exec(context.Background(), args)
}

// Query is not called by database/sql, which calls QueryContext.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.query(context.Background(), args)
}

func (s *stmt) exec(ctx context.Context, args []driver.Value) (driver.Result, error) {
	hold := s.c.begin(ctx)
	//lint:ignore SA1019 the driver has nothing else
	result, err := s.Stmt.Exec(args)
	s.c.executed(hold, s.does, err)
	return result, err
}

func (s *stmt) query(ctx context.Context, args []driver.Value) (driver.Rows, error) {
	hold := s.c.begin(ctx)
	//lint:ignore SA1019 the driver has nothing else
	r, err := s.Stmt.Query(args)
	return s.c.queried(hold, s.does, r, err)
}
