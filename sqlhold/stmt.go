package sqlhold

import (
	"context"
	"database/sql/driver"
)

// stmt is a prepared statement with what every one has; it is put together like a
// connection. Its executions belong to the hold that its connection has then.
type stmt struct {
	driver.Stmt
	c    *conn
	does effect
}

func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	hold := s.c.begin(context.Background())
	//lint:ignore SA1019 database/sql calls it where there is nothing else
	result, err := s.Stmt.Exec(args)
	s.c.executed(hold, s.does, err)
	return result, err
}

func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	hold := s.c.begin(context.Background())
	//lint:ignore SA1019 database/sql calls it where there is nothing else
	r, err := s.Stmt.Query(args)
	return s.c.queried(hold, s.does, r, err)
}

// The optional interfaces follow. Each type is one.
type (
	stmtExecer    struct{ s *stmt }
	stmtQueryer   struct{ s *stmt }
	stmtChecker   struct{ s *stmt }
	stmtConverter struct{ s *stmt }
)

func (e stmtExecer) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	hold := e.s.c.begin(ctx)
	result, err := e.s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	e.s.c.executed(hold, e.s.does, err)
	return result, err
}

func (q stmtQueryer) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	hold := q.s.c.begin(ctx)
	r, err := q.s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	return q.s.c.queried(hold, q.s.does, r, err)
}

func (c stmtChecker) CheckNamedValue(value *driver.NamedValue) error {
	return c.s.Stmt.(driver.NamedValueChecker).CheckNamedValue(value)
}

func (c stmtConverter) ColumnConverter(i int) driver.ValueConverter {
	//lint:ignore SA1019 database/sql calls it where there is nothing else
	return c.s.Stmt.(driver.ColumnConverter).ColumnConverter(i)
}
