package sqlhold

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/pghold/pghold"
)

// conn is a connection. Its methods are for those below, which are what
// database/sql sees: of these combineConn puts together what the driver's has.
// database/sql calls all of them, and those of the connection's statements, rows
// and transactions, under one lock.
type conn struct {
	inner driver.Conn
	pool  *pghold.Pool

	hold    *pghold.Checkout // nil while nobody has the connection
	inTx    bool
	skipped bool // a statement has begun that the driver wants prepared first
	closed  bool
}

func (c *conn) release() {
	if c.hold != nil {
		c.hold.Release()
	}
	c.hold, c.inTx, c.skipped = nil, false, false
}

// begin begins a statement and, on a connection that was opened for nobody, the
// hold. What it returns is for end.
func (c *conn) begin(ctx context.Context) *pghold.Checkout {
	if c.hold == nil {
		if c.closed {
			return nil
		}
		c.hold = c.pool.Checkout(ctx)
	}
	if !c.skipped {
		c.hold.BeginStatement()
	}
	c.skipped = false
	return c.hold
}

// end ends a statement. The hold it began in may be over by now.
func (c *conn) end(hold *pghold.Checkout) {
	if hold != nil {
		hold.EndStatement(c.inTx)
	}
}

// skips reports whether the driver wants the statement prepared first. It then
// goes on: database/sql prepares it next.
func (c *conn) skips(err error) bool {
	c.skipped = err == driver.ErrSkip
	return c.skipped
}

// executed ends a statement that leaves nothing to be closed.
func (c *conn) executed(hold *pghold.Checkout, does effect, err error) {
	c.follow(does, err)
	c.end(hold)
}

// queried lets a statement go on until its rows are closed.
func (c *conn) queried(hold *pghold.Checkout, does effect, r driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		c.executed(hold, does, err)
		return nil, err
	}
	c.follow(does, nil)
	return combineRows(rows{r, c, hold}, rowsInterfaces(r)), nil
}

func (c *conn) prepared(hold *pghold.Checkout, query string, s driver.Stmt, err error) (driver.Stmt, error) {
	c.end(hold)
	if err != nil {
		return nil, err
	}
	return combineStmt(&stmt{s, c, effectOf(query)}, stmtInterfaces(s)), nil
}

func (c *conn) began(hold *pghold.Checkout, inner driver.Tx, err error) (driver.Tx, error) {
	c.executed(hold, begins, err)
	if err != nil {
		return nil, err
	}
	return tx{inner, c}, nil
}

// base is what every connection has. It is embedded in each combination and so has
// no method but the interfaces', and two for those who get it from sql.Conn's Raw.
type base struct{ c *conn }

// Unwrap returns the driver's own connection.
func (b base) Unwrap() driver.Conn { return b.c.inner }

// Holders says who holds the pool's connections now, a line for each place; those
// with the most connections come first. session puts it into its TimeoutError.
func (b base) Holders() []string {
	var lines []string
	for _, h := range b.c.pool.Holders() {
		lines = append(lines, h.String())
	}
	return lines
}

// ResetSession is called when a connection that was kept is checked out.
func (b base) ResetSession(ctx context.Context) error {
	b.c.release()
	var err error
	if r, ok := b.c.inner.(driver.SessionResetter); ok {
		err = r.ResetSession(ctx)
	}
	if !errors.Is(err, driver.ErrBadConn) { // other errors are ignored by database/sql
		b.c.hold = b.c.pool.Checkout(ctx)
	}
	return err
}

// IsValid is called when the connection is given back.
func (b base) IsValid() bool {
	b.c.release()
	v, ok := b.c.inner.(driver.Validator)
	return !ok || v.IsValid()
}

func (b base) Close() error {
	b.c.release()
	b.c.closed = true
	return b.c.inner.Close()
}

func (b base) Prepare(query string) (driver.Stmt, error) {
	hold := b.c.begin(context.Background())
	s, err := b.c.inner.Prepare(query)
	return b.c.prepared(hold, query, s, err)
}

func (b base) Begin() (driver.Tx, error) {
	hold := b.c.begin(context.Background())
	//lint:ignore SA1019 database/sql calls it where there is nothing else
	inner, err := b.c.inner.Begin()
	return b.c.began(hold, inner, err)
}

// The optional interfaces follow. Each type is one.
type (
	pinger          struct{ c *conn }
	execer          struct{ c *conn }
	execerContext   struct{ c *conn }
	queryer         struct{ c *conn }
	queryerContext  struct{ c *conn }
	preparerContext struct{ c *conn }
	txBeginner      struct{ c *conn }
	valueChecker    struct{ c *conn }
)

func (p pinger) Ping(ctx context.Context) error {
	hold := p.c.begin(ctx)
	err := p.c.inner.(driver.Pinger).Ping(ctx)
	p.c.end(hold)
	return err
}

func (e execer) Exec(query string, args []driver.Value) (driver.Result, error) {
	hold := e.c.begin(context.Background())
	//lint:ignore SA1019 database/sql calls it where there is nothing else
	result, err := e.c.inner.(driver.Execer).Exec(query, args)
	if !e.c.skips(err) {
		e.c.executed(hold, effectOf(query), err)
	}
	return result, err
}

func (e execerContext) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	hold := e.c.begin(ctx)
	result, err := e.c.inner.(driver.ExecerContext).ExecContext(ctx, query, args)
	if !e.c.skips(err) {
		e.c.executed(hold, effectOf(query), err)
	}
	return result, err
}

func (q queryer) Query(query string, args []driver.Value) (driver.Rows, error) {
	hold := q.c.begin(context.Background())
	//lint:ignore SA1019 database/sql calls it where there is nothing else
	r, err := q.c.inner.(driver.Queryer).Query(query, args)
	if q.c.skips(err) {
		return nil, err
	}
	return q.c.queried(hold, effectOf(query), r, err)
}

func (q queryerContext) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	hold := q.c.begin(ctx)
	r, err := q.c.inner.(driver.QueryerContext).QueryContext(ctx, query, args)
	if q.c.skips(err) {
		return nil, err
	}
	return q.c.queried(hold, effectOf(query), r, err)
}

func (p preparerContext) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	hold := p.c.begin(ctx)
	s, err := p.c.inner.(driver.ConnPrepareContext).PrepareContext(ctx, query)
	return p.c.prepared(hold, query, s, err)
}

func (b txBeginner) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	hold := b.c.begin(ctx)
	inner, err := b.c.inner.(driver.ConnBeginTx).BeginTx(ctx, opts)
	return b.c.began(hold, inner, err)
}

func (v valueChecker) CheckNamedValue(value *driver.NamedValue) error {
	return v.c.inner.(driver.NamedValueChecker).CheckNamedValue(value)
}
