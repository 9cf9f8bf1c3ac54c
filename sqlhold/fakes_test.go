package sqlhold_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
)

// fakes have different optional interfaces each.
var fakes = map[string]func(fakeConn) driver.Conn{
	"the required only": func(c fakeConn) driver.Conn { return c },
	"resets": func(c fakeConn) driver.Conn {
		return struct {
			fakeConn
			resetter
			pinger
			beginner
			preparer
			execer
			queryer
			checker
		}{c, resetter{c}, pinger{c}, beginner{c}, preparer{c, 1}, execer{c}, queryer{c}, checker{c}}
	},
	"validates": func(c fakeConn) driver.Conn {
		return struct {
			fakeConn
			validator
			execer
			queryer
		}{c, validator{c}, execer{c}, queryer{c}}
	},
	"has all": func(c fakeConn) driver.Conn {
		return struct {
			fakeConn
			resetter
			validator
			pinger
			beginner
			preparer
			execer
			queryer
			checker
		}{c, resetter{c}, validator{c}, pinger{c}, beginner{c}, preparer{c, 2}, execer{c}, queryer{c}, checker{c}}
	},
	"is old": func(c fakeConn) driver.Conn {
		return struct {
			fakeConn
			oldExecer
			oldQueryer
		}{c, oldExecer{c}, oldQueryer{c}}
	},
	"converts": func(c fakeConn) driver.Conn {
		return struct {
			fakeConn
			resetter
			validator
			preparer
		}{c, resetter{c}, validator{c}, preparer{c, 3}}
	},
	"checks, converts": func(c fakeConn) driver.Conn {
		return struct {
			fakeConn
			preparer
			checker
		}{c, preparer{c, 4}, checker{c}}
	},
	"checks, prepares": func(c fakeConn) driver.Conn {
		return struct {
			fakeConn
			preparer
			checker
		}{c, preparer{c, 2}, checker{c}}
	},
	"only executes": func(c fakeConn) driver.Conn {
		return struct {
			fakeConn
			execer
			preparer
		}{c, execer{c}, preparer{c, 3}}
	},
	"only queries": func(c fakeConn) driver.Conn {
		return struct {
			fakeConn
			oldQueryer
			preparer
			checker
		}{c, oldQueryer{c}, preparer{c, 1}, checker{c}}
	},
}

// fake is a driver's connector.
type fake struct {
	conn  func(fakeConn) driver.Conn
	conns int

	mu        sync.Mutex
	lines     []string
	unordered bool

	cancel     func()
	atRollback func()
	atBegin    bool
	end        error // of the transaction
	reset      error
	invalid    bool
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = append(f.lines, fmt.Sprintf(format, args...))
}

func (f *fake) Connect(context.Context) (driver.Conn, error) {
	f.conns++
	f.note("connect %d", f.conns)
	return f.conn(fakeConn{f, f.conns}), nil
}

func (f *fake) Driver() driver.Driver { return nil }

func (f *fake) Close() error {
	f.note("connector.Close")
	return errors.New("close fails")
}

type fakeConn struct {
	*fake
	n int
}

// does what a statement's text says.
func (c fakeConn) does(what, text string, args any) error {
	c.note("%d.%s(%q, %v)", c.n, what, text, args)
	direct := strings.HasPrefix(what, "Exec") || strings.HasPrefix(what, "Query")
	switch {
	case strings.HasPrefix(text, "skip") && direct:
		return driver.ErrSkip
	case text == "fail":
		return errors.New("it fails")
	case text == "bad":
		return driver.ErrBadConn
	case text == "end fails":
		c.end = errors.New("the end fails")
	case text == "end is bad":
		c.end = fmt.Errorf("the end: %w", driver.ErrBadConn)
	case strings.HasSuffix(text, "cancel"):
		c.cancel()
	}
	return nil
}

func (c fakeConn) result(what, text string, args any) (driver.Result, error) {
	if err := c.does(what, text, args); err != nil {
		return nil, err
	}
	return driver.RowsAffected(1), nil
}

func (c fakeConn) rows(what, text string, args any) (driver.Rows, error) {
	if err := c.does(what, text, args); err != nil {
		return nil, err
	}
	r := &fakeRows{c: c, fails: text == "failing rows"}
	if c.n%2 == 0 { // connections differ, so that each driver has both
		return fullRows{r}, nil
	}
	return r, nil
}

func (c fakeConn) Prepare(query string) (driver.Stmt, error) {
	s := fakeStmt{c, query}
	return s, c.does("Prepare", query, nil)
}

func (c fakeConn) Close() error {
	c.note("%d.Close", c.n)
	return nil
}

func (c fakeConn) Begin() (driver.Tx, error) { return c.begin("Begin", driver.TxOptions{}) }

func (c fakeConn) begin(what string, opts driver.TxOptions) (driver.Tx, error) {
	c.note("%d.%s %v", c.n, what, opts)
	c.end = nil
	if c.atBegin {
		c.cancel()
	}
	return fakeTx{c}, nil
}

type fakeTx struct{ c fakeConn }

func (t fakeTx) Commit() error {
	t.c.note("%d.Commit", t.c.n)
	return t.c.end
}

func (t fakeTx) Rollback() error {
	t.c.note("%d.Rollback", t.c.n)
	if t.c.atRollback != nil {
		t.c.atRollback()
	}
	return t.c.end
}

type (
	resetter   struct{ c fakeConn }
	validator  struct{ c fakeConn }
	pinger     struct{ c fakeConn }
	beginner   struct{ c fakeConn }
	execer     struct{ c fakeConn }
	queryer    struct{ c fakeConn }
	oldExecer  struct{ c fakeConn }
	oldQueryer struct{ c fakeConn }
	checker    struct{ c fakeConn }
	preparer   struct {
		c    fakeConn
		kind int
	}
)

func (r resetter) ResetSession(context.Context) error {
	r.c.note("%d.ResetSession", r.c.n)
	return r.c.reset
}

func (v validator) IsValid() bool {
	v.c.note("%d.IsValid", v.c.n)
	return !v.c.invalid
}

func (p pinger) Ping(context.Context) error { return p.c.does("Ping", "", nil) }

func (b beginner) BeginTx(_ context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return b.c.begin("BeginTx", opts)
}

func (e execer) ExecContext(_ context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	return e.c.result("ExecContext", q, args)
}

func (e queryer) QueryContext(_ context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	return e.c.rows("QueryContext", q, args)
}

func (e oldExecer) Exec(q string, args []driver.Value) (driver.Result, error) {
	return e.c.result("Exec", q, args)
}

func (e oldQueryer) Query(q string, args []driver.Value) (driver.Rows, error) {
	return e.c.rows("Query", q, args)
}

// CheckNamedValue takes odd values as they are, refuses functions, and drops some.
func (c checker) CheckNamedValue(v *driver.NamedValue) error {
	c.c.note("%d.CheckNamedValue(%s %d %T)", c.c.n, v.Name, v.Ordinal, v.Value)
	switch reflect.ValueOf(v.Value).Kind() {
	case reflect.Struct:
		return nil
	case reflect.Pointer:
		return driver.ErrRemoveArgument
	case reflect.Func:
		return errors.New("a function")
	}
	return driver.ErrSkip
}

func (p preparer) PrepareContext(_ context.Context, q string) (driver.Stmt, error) {
	s := fakeStmt{p.c, q}
	if err := p.c.does("PrepareContext", q, nil); err != nil {
		return nil, err
	}
	switch p.kind {
	case 1:
		return struct {
			fakeStmt
			stmtContext
		}{s, stmtContext{s}}, nil
	case 2:
		return struct {
			fakeStmt
			stmtContext
			checker
		}{s, stmtContext{s}, checker{p.c}}, nil
	case 3:
		return struct {
			fakeStmt
			converter
		}{s, converter{p.c}}, nil
	}
	return struct {
		fakeStmt
		converter
		checker
	}{s, converter{p.c}, checker{p.c}}, nil
}

type fakeStmt struct {
	c    fakeConn
	text string
}

func (s fakeStmt) Close() error {
	s.c.note("%d.stmt.Close %q", s.c.n, s.text)
	return nil
}

func (s fakeStmt) NumInput() int {
	if strings.HasSuffix(s.text, "arg") {
		return 1
	}
	return -1
}

func (s fakeStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.c.result("stmt.Exec", s.text, args)
}

func (s fakeStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.c.rows("stmt.Query", s.text, args)
}

type stmtContext struct{ s fakeStmt }

func (s stmtContext) ExecContext(_ context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.s.c.result("stmt.ExecContext", s.s.text, args)
}

func (s stmtContext) QueryContext(_ context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.s.c.rows("stmt.QueryContext", s.s.text, args)
}

type converter struct{ c fakeConn }

func (c converter) ColumnConverter(i int) driver.ValueConverter {
	c.c.note("%d.ColumnConverter(%d)", c.c.n, i)
	return driver.String
}

// fakeRows are one row, or two with an error after the first.
type fakeRows struct {
	c     fakeConn
	row   int
	sets  int
	fails bool
}

func (r *fakeRows) Columns() []string { return []string{"n"} }

func (r *fakeRows) Close() error {
	r.c.note("%d.rows.Close", r.c.n)
	return nil
}

func (r *fakeRows) Next(dest []driver.Value) error {
	r.c.note("%d.rows.Next", r.c.n)
	if r.row++; r.row > 1 {
		if r.fails {
			return errors.New("the rows fail")
		}
		return io.EOF
	}
	dest[0] = int64(r.row)
	return nil
}

// fullRows have everything, two result sets among it.
type fullRows struct{ *fakeRows }

func (r fullRows) HasNextResultSet() bool { return r.sets == 0 }

func (r fullRows) NextResultSet() error {
	r.c.note("%d.rows.NextResultSet", r.c.n)
	if r.sets++; r.sets > 1 {
		return io.EOF
	}
	r.row = 0
	return nil
}

func (fullRows) ColumnTypeScanType(int) reflect.Type               { return reflect.TypeFor[int64]() }
func (fullRows) ColumnTypeDatabaseTypeName(int) string             { return "INT8" }
func (fullRows) ColumnTypeLength(int) (int64, bool)                { return 8, true }
func (fullRows) ColumnTypeNullable(int) (bool, bool)               { return true, true }
func (fullRows) ColumnTypePrecisionScale(int) (int64, int64, bool) { return 3, 4, true }
