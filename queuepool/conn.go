package queuepool

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	resetTimeout   = 5 * time.Second  // for the rollback at release
	hangUpTimeout  = time.Second      // for the server to let go of a connection
	pingTimeout    = 2 * time.Second  // for PrePing
	connectTimeout = 10 * time.Second // for each host of an attempt to connect, where ConnConfig.ConnectTimeout is 0
	openTimeout    = time.Minute      // for an attempt to connect, all hosts together
)

// Conn is a connection that is checked out.
type Conn struct {
	pool     *Pool
	member   *member
	released atomic.Bool
}

// Conn returns the pgx connection. After Release it panics, because the
// connection may be another's by then. A *pgx.Conn that was taken before must not
// be used after Release either; the pool cannot see that.
func (c *Conn) Conn() *pgx.Conn {
	if c.released.Load() {
		panic("queuepool: Conn used after Release")
	}
	return c.member.conn
}

// Release gives the connection back. Where a transaction is open it is rolled
// back first, at most for 5 s; a connection that cannot be, or that is closed or
// in the middle of a result, is dropped, and its place becomes free once it is
// really gone. Further calls do nothing.
func (c *Conn) Release() {
	if !c.released.CompareAndSwap(false, true) {
		return
	}
	fit := reset(c.member.conn)
	if c.pool.tracer != nil {
		c.pool.tracer.TraceCheckin(c.member.conn)
	}
	if fit {
		c.pool.put(c.member)
		return
	}
	go c.pool.drop(c.member)
}

// reset makes a connection fit for its next user and reports whether it is.
func reset(conn *pgx.Conn) bool {
	if conn.IsClosed() || conn.PgConn().IsBusy() {
		return false
	}
	if conn.PgConn().TxStatus() == 'I' {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), resetTimeout)
	defer cancel()
	_, err := conn.Exec(ctx, "rollback")
	return err == nil && conn.PgConn().TxStatus() == 'I'
}

// ping reports whether the server answers on a connection.
func ping(ctx context.Context, m *member) bool {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return m.conn.Ping(ctx) == nil
}

// connect opens a connection, in place of old where that is not nil. An attempt
// that was broken off may be one connection more on the server for a while, so it
// is made in the background and goes on when ctx has ended; its connection then
// goes to the pool. What ends it is its own time-out, or Close.
func (p *Pool) connect(ctx context.Context, old *member) (*member, error) {
	type attempt struct {
		member *member
		err    error
	}
	done := make(chan attempt, 1)
	go func() {
		if old != nil {
			hangUp(old)
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
		defer cancel()
		defer context.AfterFunc(p.closing, cancel)()
		m, err := p.dial(ctx)
		if err != nil {
			if p.closing.Err() != nil {
				err = ErrClosed
			}
			p.vacate()
		}
		done <- attempt{m, err}
	}()
	select {
	case a := <-done:
		return a.member, a.err
	case <-ctx.Done():
		go func() {
			if a := <-done; a.err == nil {
				p.put(a.member)
			}
		}()
		return nil, ctx.Err()
	}
}

// dial opens a connection that tells the pool when it is lost.
func (p *Pool) dial(ctx context.Context) (*member, error) {
	m := &member{generation: p.generation.Load(), opened: time.Now()}
	cc := p.cfg.ConnConfig.Copy()

	// A connection is lost when the server ends it, which it says with a FATAL
	// error, or when the network does, which is an error of the socket other
	// than the time-out by which pgx carries out a cancelled context.
	onPgError := cc.OnPgError
	cc.OnPgError = func(c *pgconn.PgConn, e *pgconn.PgError) bool {
		if e.SeverityUnlocalized == "FATAL" {
			p.lost(m)
		}
		if onPgError != nil {
			return onPgError(c, e)
		}
		return e.SeverityUnlocalized != "FATAL"
	}
	// Watched below TLS, because pgx looks for a *tls.Conn on top.
	dial := cc.DialFunc
	cc.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil || m.watched.Load() { // once it is open, pgx dials only to cancel a statement
			return nc, err
		}
		return &watchedConn{Conn: nc, lost: func() { p.lost(m) }}, nil
	}

	conn, err := pgx.ConnectConfig(ctx, cc)
	if err != nil {
		return nil, err
	}
	m.conn = conn
	m.watched.Store(true)
	p.mu.Lock()
	p.connects++
	p.mu.Unlock()
	return m, nil
}

// lost marks all connections of m's generation as not to be used again. It does
// nothing where that has happened before: fifteen connections that die together
// are one event.
func (p *Pool) lost(m *member) {
	if m.watched.Load() {
		p.generation.CompareAndSwap(m.generation, m.generation+1)
	}
}

// watchedConn calls lost when the other end has gone.
type watchedConn struct {
	net.Conn
	lost func()
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.check(err)
	return n, err
}

func (c *watchedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.check(err)
	return n, err
}

func (c *watchedConn) check(err error) {
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed) {
		c.lost()
	}
}

// hangUp closes a connection and waits, for a while, until the server has closed
// its end, so that a place is only given up once the server has one connection
// less.
func hangUp(m *member) {
	m.watched.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), hangUpTimeout)
	defer cancel()
	hc, err := m.conn.PgConn().Hijack()
	if err != nil { // closed, which pgx does in the background where a statement was cancelled, or busy
		m.conn.Close(ctx)
		select {
		case <-m.conn.PgConn().CleanupDone():
		case <-ctx.Done():
		}
		return
	}
	defer hc.Conn.Close()
	deadline, _ := ctx.Deadline()
	hc.Conn.SetDeadline(deadline)
	hc.Frontend.Send(&pgproto3.Terminate{})
	if hc.Frontend.Flush() == nil {
		io.Copy(io.Discard, hc.Conn)
	}
}
