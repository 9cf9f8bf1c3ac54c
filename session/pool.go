package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
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
// an Acquire like theirs.
func From[C Conn](pool interface {
	Acquire(context.Context) (C, error)
}) Pool {
	return acquirer[C](pool.Acquire)
}

type acquirer[C Conn] func(context.Context) (C, error)

func (a acquirer[C]) Acquire(ctx context.Context) (Conn, error) {
	c, err := a(ctx)
	if err != nil {
		return nil, err // not c: a nil pointer in an interface is not nil
	}
	return c, nil
}

// ErrNotPgx is returned by the first statement of a session on a *sql.DB whose
// driver is not pgx's.
var ErrNotPgx = errors.New(`session: the *sql.DB does not use pgx's driver: open it with sql.Open("pgx", …) or stdlib.OpenDB`)

// FromDB makes a Pool of a *sql.DB that was opened with pgx's driver
// (github.com/jackc/pgx/v5/stdlib).
func FromDB(db *sql.DB) Pool { return dbPool{db} }

type dbPool struct{ db *sql.DB }

// dbConn lends the pgx connection out of a sql.Conn. database/sql allows that
// only while a function given to Raw runs, so that function runs, in a
// goroutine of its own, for as long as the connection is checked out.
type dbConn struct {
	pgx     *pgx.Conn
	release chan struct{} // closed to end the function
	done    chan struct{} // closed when the connection is back
}

func (p dbPool) Acquire(ctx context.Context) (Conn, error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := &dbConn{release: make(chan struct{}), done: make(chan struct{})}
	lent := make(chan error, 1)
	go func() {
		defer close(c.done)
		defer conn.Close()
		err := conn.Raw(func(driverConn any) error {
			std, ok := driverConn.(*stdlib.Conn)
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

func (c *dbConn) Conn() *pgx.Conn { return c.pgx }

func (c *dbConn) Release() {
	close(c.release)
	<-c.done
}
