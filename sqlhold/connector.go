package sqlhold

import (
	"context"
	"database/sql/driver"
	"io"
	"runtime"
	"sync/atomic"

	"github.com/pghold/pghold"
)

// Connector wraps a connector for those who call sql.OpenDB themselves. What
// sql.DB's Stats knows the pool then does not: that is for its SetStat. It panics
// where there is no connector or no pool, or one that is wrapped already.
func Connector(c driver.Connector, pool *pghold.Pool) driver.Connector {
	switch {
	case c == nil:
		panic("sqlhold: Connector needs a connector, and got nil")
	case pool == nil:
		panic("sqlhold: Connector needs a pool, and got nil: get one with a Recorder's Pool")
	case wrapped(c):
		panic(errWrapped.Error())
	}
	return &connector{Connector: c, pool: pool}
}

func wrapped(c driver.Connector) bool {
	_, ok := c.(*connector)
	return ok
}

// connector has the original's Driver.
type connector struct {
	driver.Connector
	pool   *pghold.Pool
	closed atomic.Bool
}

// Close is called by database/sql when the pool is closed.
func (c *connector) Close() error {
	c.closed.Store(true)
	if closer, ok := c.Connector.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	conn := newConn(inner, c.pool)
	// Otherwise it is the goroutine that opens connections in the background.
	if calledBy("database/sql.(*DB).conn") {
		conn.hold = c.pool.Checkout(ctx)
	}
	return conn, nil
}

// calledBy reports whether a function is on the stack above the caller. database/sql
// tells its driver in no other way what it calls it for.
func calledBy(function string) bool {
	var pcs [32]uintptr // deep enough for other wrappers in between
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function == function {
			return true
		}
		if !more {
			return false
		}
	}
}
