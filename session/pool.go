package session

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// Pool is where sessions get their connections. From and FromDB make one.
type Pool interface {
	Acquire(ctx context.Context) (Conn, error)
}

// Conn is a connection that is checked out from a Pool.
type Conn interface {
	Conn() *pgx.Conn
	Release()
}

// From makes a Pool of a *queuepool.Pool, a *pgxpool.Pool, or whatever else has
// an Acquire like theirs. Of a pool that has a method Holders(context.Context) []string,
// and of a *pgxpool.Pool with a tracer that has one, as pgxhold's have, a time-out is a
// *TimeoutError, which says who holds the connections. queuepool's error does so of
// itself.
func From[C Conn](pool interface {
	Acquire(context.Context) (C, error)
}) Pool {
	if v := reflect.ValueOf(pool); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		panic("session: From needs a pool, and got nil")
	}
	return acquirer[C]{pool.Acquire, pool}
}

type acquirer[C Conn] struct {
	acquire func(context.Context) (C, error)
	pool    any
}

func (a acquirer[C]) Acquire(ctx context.Context) (Conn, error) {
	c, err := a.acquire(ctx)
	if err != nil {
		from := a.pool
		if p, ok := from.(interface{ Config() *pgxpool.Config }); ok {
			from = p.Config().ConnConfig.Tracer
		}
		return nil, named(ctx, err, from) // not c: a nil pointer in an interface is not nil
	}
	return c, nil
}

// TimeoutError is returned by a statement for which its pool had no connection in
// time, where the pool's own error does not say who has them and somebody is known
// who does.
type TimeoutError struct {
	Err error // the pool's, often context.DeadlineExceeded
	// Holders says who held the connections at that moment, a line for each place, and
	// before these, whether the caller's own request held one: at most five lines.
	Holders []string
}

func (e *TimeoutError) Error() string { return e.Err.Error() + ": " + strings.Join(e.Holders, "; ") }

// Unwrap returns the pool's error.
func (e *TimeoutError) Unwrap() error { return e.Err }

// Timeout is true, as net.Error has it.
func (e *TimeoutError) Timeout() bool { return true }

// holding is what knows who holds a pool's connections.
type holding interface {
	Holders(context.Context) []string
}

// maxHolders is how many places a TimeoutError names.
const maxHolders = 5

// named adds to a time-out who holds the connections, where from knows it.
func named(ctx context.Context, err error, from any) error {
	var timeout interface{ Timeout() bool } // context.DeadlineExceeded has it too
	h, ok := from.(holding)
	if !ok || !errors.As(err, &timeout) || !timeout.Timeout() {
		return err
	}
	holders := h.Holders(ctx)
	if len(holders) == 0 {
		return err
	}
	return &TimeoutError{err, holders[:min(len(holders), maxHolders)]}
}

// ErrNotPgx is returned by the first statement of a session on a *sql.DB whose
// driver is not pgx's.
var ErrNotPgx = errors.New(`session: the *sql.DB does not use pgx's driver: open it with sql.Open("pgx", …) or stdlib.OpenDB`)

// FromDB makes a Pool of a *sql.DB that was opened with pgx's driver
// (github.com/jackc/pgx/v5/stdlib), also where that is wrapped, as by sqlhold, in
// what has a method Unwrap() driver.Conn. sqlhold does not see the statements of
// such a session: they count as silence.
//
// Where the wrapper has a method Holders(context.Context) []string, as sqlhold's has, a time-out is
// a *TimeoutError, once the Pool has had a connection.
func FromDB(db *sql.DB) Pool {
	if db == nil {
		panic("session: FromDB needs a *sql.DB, and got nil")
	}
	return &dbPool{db: db}
}

type dbPool struct {
	db     *sql.DB
	holder atomic.Pointer[holding] // a *sql.DB tells nothing of its driver's wrapper, but a connection does
}

// dbConn lends the pgx connection out of a sql.Conn. database/sql allows that
// only while a function given to Raw runs, so that function runs, in a
// goroutine of its own, for as long as the connection is checked out.
type dbConn struct {
	pgx     *pgx.Conn
	release chan struct{} // closed to end the function
	done    chan struct{} // closed when the connection is back
}

func (p *dbPool) Acquire(ctx context.Context) (Conn, error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		if h := p.holder.Load(); h != nil {
			err = named(ctx, err, *h)
		}
		return nil, err
	}
	c := &dbConn{release: make(chan struct{}), done: make(chan struct{})}
	lent := make(chan error, 1)
	go func() {
		defer close(c.done)
		defer conn.Close()
		err := conn.Raw(func(driverConn any) error {
			if h, ok := driverConn.(holding); ok {
				p.holder.Store(&h)
			}
			std, ok := unwrap(driverConn).(*stdlib.Conn)
			if !ok {
				return fmt.Errorf("%w (it is a %T)", ErrNotPgx, driverConn)
			}
			c.pgx = std.Conn()
			lent <- nil
			//pghold:ignore the connection is lent until this: whoever has it gives it back so
			<-c.release
			return nil // a connection that is closed, or in a transaction, pgx's driver itself refuses to reuse
		})
		if c.pgx == nil {
			lent <- err
		}
	}()
	if err := <-lent; err != nil {
		<-c.done
		return nil, err
	}
	return c, nil
}

// unwrap returns the driver's own connection.
func unwrap(driverConn any) any {
	for {
		w, ok := driverConn.(interface{ Unwrap() driver.Conn })
		if !ok {
			return driverConn
		}
		driverConn = w.Unwrap()
	}
}

func (c *dbConn) Conn() *pgx.Conn { return c.pgx }

func (c *dbConn) Release() {
	close(c.release)
	<-c.done
}
