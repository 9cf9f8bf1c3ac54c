package session_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/session"
	"github.com/pghold/pghold/sqlhold"
)

// env is a pool with one connection, and what a test wants to know about it.
type env struct {
	session.Pool
	dsn                string
	acquired, released atomic.Int32 // checkouts and releases
	trips              atomic.Int32 // round trips to the server
	statements         *statements
	pause              pause
}

// pause keeps what reads from the server waiting.
type pause struct {
	on    atomic.Bool
	begun chan struct{} // somebody waits
	over  chan struct{}
}

// Acquire counts.
func (e *env) Acquire(ctx context.Context) (session.Conn, error) {
	c, err := e.Pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	e.acquired.Add(1)
	return countedConn{c, e}, nil
}

type countedConn struct {
	conn session.Conn
	env  *env
}

func (c countedConn) Conn() *pgx.Conn { return c.conn.Conn() }

func (c countedConn) Release() {
	c.env.released.Add(1)
	c.conn.Release()
}

// statements are the texts that went to the server, in order.
type statements struct {
	texts   []string
	locking chan struct{} // closed when a statement is sent that waits for a lock
}

func (s *statements) take() string {
	t := strings.Join(s.texts, "; ")
	s.texts = nil
	return t
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	s.texts = append(s.texts, d.SQL)
	return ctx
}
func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	for _, q := range d.Batch.QueuedQueries {
		s.texts = append(s.texts, q.SQL)
		if strings.Contains(q.SQL, "pg_advisory_lock(") {
			close(s.locking)
		}
	}
	return ctx
}
func (s *statements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (s *statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// tripConn counts how often something is read after something was written.
type tripConn struct {
	net.Conn
	wrote atomic.Bool
	trips *atomic.Int32
	pause *pause
}

func (c *tripConn) Write(b []byte) (int, error) {
	c.wrote.Store(true)
	return c.Conn.Write(b)
}

func (c *tripConn) Read(b []byte) (int, error) {
	if c.pause.on.CompareAndSwap(true, false) {
		close(c.pause.begun)
		<-c.pause.over
	}
	if c.wrote.Swap(false) {
		c.trips.Add(1)
	}
	return c.Conn.Read(b)
}

func (e *env) prepare(cc *pgx.ConnConfig) {
	cc.Tracer = e.statements
	dial := cc.DialFunc
	cc.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &tripConn{Conn: nc, trips: &e.trips, pause: &e.pause}, nil
	}
}

// onEveryPool runs a test on each kind of pool, with a table t(n int).
func onEveryPool(t *testing.T, test func(t *testing.T, e *env)) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dsn := pgtest.DSN(t)
	run := func(name string, open func(t *testing.T, e *env, dsn string)) {
		t.Run(name, func(t *testing.T) {
			e := &env{dsn: dsn, statements: &statements{locking: make(chan struct{})}, pause: pause{begun: make(chan struct{}), over: make(chan struct{})}}
			open(t, e, dsn)
			must(session.Local(t.Context(), e.Pool, session.Options{Autocommit: true}, func(s *session.Session) error {
				_, err := s.Exec(t.Context(), "drop table if exists t; create table t (n int)")
				return err
			}))
			e.statements.take()
			test(t, e)
			if a, r := e.acquired.Load(), e.released.Load(); a != r {
				t.Errorf("%d checkouts and %d releases", a, r)
			}
		})
	}
	run("queuepool", func(t *testing.T, e *env, dsn string) {
		cc, err := pgx.ParseConfig(dsn)
		must(err)
		cfg := queuepool.NewConfig(cc)
		e.prepare(cfg.ConnConfig)
		cfg.Size, cfg.MaxOverflow = 1, 0
		p, err := queuepool.New(cfg)
		must(err)
		t.Cleanup(p.Close)
		e.Pool = session.From(p)
	})
	run("pgxpool", func(t *testing.T, e *env, dsn string) {
		cfg, err := pgxpool.ParseConfig(dsn)
		must(err)
		e.prepare(cfg.ConnConfig)
		cfg.MaxConns = 1
		p, err := pgxpool.NewWithConfig(t.Context(), cfg)
		must(err)
		t.Cleanup(p.Close)
		e.Pool = session.From(p)
	})
	run("database/sql", func(t *testing.T, e *env, dsn string) {
		cfg, err := pgx.ParseConfig(dsn)
		must(err)
		e.prepare(cfg)
		db := stdlib.OpenDB(*cfg)
		db.SetMaxOpenConns(1)
		t.Cleanup(func() { db.Close() })
		e.Pool = session.FromDB(db)
	})
	run("database/sql through sqlhold", func(t *testing.T, e *env, dsn string) {
		cfg, err := pgx.ParseConfig(dsn)
		must(err)
		e.prepare(cfg)
		db, err := sqlhold.OpenDB(stdlib.GetConnector(*cfg), pghold.NewRecorder(pghold.Config{}), "main")
		must(err)
		db.SetMaxOpenConns(1)
		t.Cleanup(func() { db.Close() })
		e.Pool = session.FromDB(db)
	})
}

// count tells how many rows a session of its own sees.
func (e *env) count(t *testing.T) (n int) {
	t.Helper()
	err := session.Local(t.Context(), e.Pool, session.Options{}, func(s *session.Session) error {
		return s.QueryRow(t.Context(), "select count(*) from t").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
