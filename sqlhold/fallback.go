package sqlhold

import (
	"context"
	"database/sql/driver"
	"errors"
)

// The functions here do what database/sql's own do with a driver that lacks the
// interfaces with a context, errors included.

func prepare(ctx context.Context, c driver.Conn, query string) (driver.Stmt, error) {
	if p, ok := c.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	s, err := c.Prepare(query)
	if err == nil && ctx.Err() != nil {
		s.Close()
		return nil, ctx.Err()
	}
	return s, err
}

// supported says no to a transaction that the driver cannot begin.
func supported(c driver.Conn, opts driver.TxOptions) error {
	if _, ok := c.(driver.ConnBeginTx); ok {
		return nil
	}
	if opts.Isolation != 0 { // the default
		return errors.New("sql: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return errors.New("sql: driver does not support read-only transactions")
	}
	return nil
}

func begin(ctx context.Context, c driver.Conn, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := c.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	//lint:ignore SA1019 the driver has nothing else
	t, err := c.Begin()
	if err == nil && ctx.Err() != nil {
		t.Rollback()
		return nil, ctx.Err()
	}
	return t, err
}

// values are the arguments of a method without a context, which is not called when
// that is over.
func values(ctx context.Context, args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = arg.Value
	}
	return values, ctx.Err()
}
