package sqlhold

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/pghold/pghold"
)

// conn is a connection as database/sql sees it. It has every optional interface of a
// connection; where the driver's connection does not have one, the method does what
// database/sql does without it.
//
// database/sql calls all methods of a connection, and those of its statements, rows
// and transactions, under one lock.
type conn struct {
	inner driver.Conn
	pool  *pghold.Pool

	execs, queries bool // the driver has Exec and Query on connections
	keeps          bool // database/sql would keep inner after a cancelled transaction

	hold    *pghold.Checkout // nil while nobody has the connection
	inTx    bool
	skipped bool // a statement has begun that the driver wants prepared first
	closed  bool
}

func newConn(inner driver.Conn, pool *pghold.Pool) *conn {
	c := &conn{inner: inner, pool: pool}
	_, execsContext := inner.(driver.ExecerContext)
	_, queriesContext := inner.(driver.QueryerContext)
	//lint:ignore SA1019 drivers may have it
	_, execs := inner.(driver.Execer)
	//lint:ignore SA1019 drivers may have it
	_, queries := inner.(driver.Queryer)
	c.execs, c.queries = execsContext || execs, queriesContext || queries
	_, resets := inner.(driver.SessionResetter)
	_, validates := inner.(driver.Validator)
	c.keeps = resets && validates
	return c
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
	return newRows(r, c, hold), nil
}

// Unwrap returns the driver's own connection.
func (c *conn) Unwrap() driver.Conn { return c.inner }

// Holders says who holds the pool's connections now, as pghold's HolderLines does.
// session puts it into its TimeoutError.
func (c *conn) Holders(ctx context.Context) []string { return c.pool.HolderLines(ctx) }

// ResetSession is called when a connection that was kept is checked out.
func (c *conn) ResetSession(ctx context.Context) error {
	c.release()
	var err error
	if r, ok := c.inner.(driver.SessionResetter); ok {
		err = r.ResetSession(ctx)
	}
	if !errors.Is(err, driver.ErrBadConn) { // other errors are ignored by database/sql
		c.hold = c.pool.Checkout(ctx)
	}
	return err
}

// IsValid is called when the connection is given back.
func (c *conn) IsValid() bool {
	c.release()
	v, ok := c.inner.(driver.Validator)
	return !ok || v.IsValid()
}

func (c *conn) Close() error {
	c.release()
	c.closed = true
	return c.inner.Close()
}

func (c *conn) Ping(ctx context.Context) error {
	p, ok := c.inner.(driver.Pinger)
	if !ok {
		return nil
	}
	hold := c.begin(ctx)
	err := p.Ping(ctx)
	c.end(hold)
	return err
}

// Prepare is not called by database/sql, which calls PrepareContext.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	hold := c.begin(ctx)
	s, err := prepare(ctx, c.inner, query)
	c.end(hold)
	if err != nil {
		return nil, err
	}
	return newStmt(s, c, effectOf(query)), nil
}

// Begin is not called by database/sql, which calls BeginTx.
func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := supported(c.inner, opts); err != nil {
		return nil, err
	}
	hold := c.begin(ctx)
	inner, err := begin(ctx, c.inner, opts)
	c.executed(hold, begins, err)
	if err != nil {
		return nil, err
	}
	return &tx{inner, c, ctx}, nil
}

// ExecContext leaves the statement to database/sql's preparation where the driver has
// no Exec on connections.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if !c.execs {
		return nil, driver.ErrSkip
	}
	args, err := c.checked(args, c.queries)
	if err != nil {
		return nil, err
	}
	if e, ok := c.inner.(driver.ExecerContext); ok {
		hold := c.begin(ctx)
		result, err := e.ExecContext(ctx, query, args)
		if !c.skips(err) {
			c.executed(hold, effectOf(query), err)
		}
		return result, err
	}
	values, err := values(ctx, args)
	if err != nil {
		return nil, err
	}
	hold := c.begin(ctx)
	//lint:ignore SA1019 the driver has nothing else
	result, err := c.inner.(driver.Execer).Exec(query, values)
	if !c.skips(err) {
		c.executed(hold, effectOf(query), err)
	}
	return result, err
}

// QueryContext leaves the statement to database/sql's preparation where the driver
// has no Query on connections.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !c.queries {
		return nil, driver.ErrSkip
	}
	args, err := c.checked(args, c.execs)
	if err != nil {
		return nil, err
	}
	if q, ok := c.inner.(driver.QueryerContext); ok {
		hold := c.begin(ctx)
		r, err := q.QueryContext(ctx, query, args)
		if c.skips(err) {
			return nil, err
		}
		return c.queried(hold, effectOf(query), r, err)
	}
	values, err := values(ctx, args)
	if err != nil {
		return nil, err
	}
	hold := c.begin(ctx)
	//lint:ignore SA1019 the driver has nothing else
	r, err := c.inner.(driver.Queryer).Query(query, values)
	if c.skips(err) {
		return nil, err
	}
	return c.queried(hold, effectOf(query), r, err)
}

// CheckNamedValue is called for the arguments of ExecContext and QueryContext only,
// since each statement has a CheckNamedValue of its own. Arguments that a statement
// will check have to reach it as they are: where the driver has neither Exec nor
// Query on connections, nothing is done with them here; where it has one of the two,
// it is not known yet which is called, and checked does it.
func (c *conn) CheckNamedValue(value *driver.NamedValue) error {
	if !c.execs || !c.queries {
		return nil
	}
	return check(c.inner, value)
}

// checked returns the arguments as database/sql passes them to the driver. They are
// checked already where the driver has the other of Exec and Query as well.
func (c *conn) checked(args []driver.NamedValue, already bool) ([]driver.NamedValue, error) {
	if already {
		return args, nil
	}
	kept := make([]driver.NamedValue, 0, len(args))
	for _, arg := range args {
		arg.Ordinal = len(kept) + 1
		err := check(c.inner, &arg)
		if err == driver.ErrSkip {
			arg.Value, err = driver.DefaultParameterConverter.ConvertValue(arg.Value)
		}
		switch {
		case err == driver.ErrRemoveArgument:
		case err != nil && arg.Name != "":
			return nil, fmt.Errorf("sql: converting argument with name %q type: %w", arg.Name, err)
		case err != nil:
			return nil, fmt.Errorf("sql: converting argument $%d type: %w", arg.Ordinal, err)
		default:
			kept = append(kept, arg)
		}
	}
	return kept, nil
}

// check asks a connection or a statement; ErrSkip makes database/sql go on as it does
// without anybody to ask.
func check(of any, value *driver.NamedValue) error {
	if checker, ok := of.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(value)
	}
	return driver.ErrSkip
}
