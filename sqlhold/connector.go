package sqlhold

import (
	"context"
	"database/sql/driver"
	"io"
	"runtime"

	"github.com/pghold/pghold"
)

// Connector wraps a connector for those who call sql.OpenDB themselves. What
// sql.DB's Stats knows the pool then does not: that is for its SetStat. It panics
// where there is no connector or no pool, or one that is wrapped already.
func Connector(c driver.Connector, pool *pghold.Pool) driver.Connector {
	switch {
	case c == nil:
		panic("sqlhold: Connector without a connector")
	case pool == nil:
		panic("sqlhold: Connector without a pool: get one with a Recorder's Pool")
	case wrapped(c):
		panic(errWrapped.Error())
	}
	if closer, ok := c.(io.Closer); ok { // database/sql closes those that are
		return closingConnector{&connector{c, pool}, closer}
	}
	return &connector{c, pool}
}

func wrapped(c driver.Connector) bool {
	switch c.(type) {
	case *connector, closingConnector:
		return true
	}
	return false
}

// connector has the original's Driver.
type connector struct {
	driver.Connector
	pool *pghold.Pool
}

type closingConnector struct {
	*connector
	io.Closer
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn := &conn{inner: inner, pool: c.pool}
	if inCaller() {
		conn.hold = c.pool.Checkout(ctx)
	}
	return combineConn(base{conn}, connInterfaces(inner)), nil
}

// inCaller reports whether Connect is called by who wants a connection, and not
// by the goroutine that opens them in the background. Only the stack tells.
func inCaller() bool {
	var pcs [32]uintptr // deep enough for other wrappers in between
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function == "database/sql.(*DB).conn" {
			return true
		}
		if !more {
			return false
		}
	}
}
