// Package chaos_test does all that goes wrong with connections, at once and at random, on
// each kind of pool and a real PostgreSQL: what a recorder has counted then is exact.
package chaos_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/pgxhold"
	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/sqlhold"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const (
	connections = 3
	requests    = 8 // at once
	each        = 60
)

// network dials, and breaks connections off.
type network struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (n *network) Dial(ctx context.Context, kind, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, kind, addr)
	if err == nil {
		n.mu.Lock()
		n.conns = append(n.conns, c)
		n.mu.Unlock()
	}
	return c, err
}

// reset breaks a connection off, as a firewall does.
func (n *network) reset(random *rand.Rand) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.conns) > 0 {
		c := n.conns[random.IntN(len(n.conns))]
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
}

// request does something with a connection, and goes wrong at random. With nil instead it
// returns when all connections have been given back: database/sql rolls the transactions of
// callers who left back in goroutines of its own.
type request func(context.Context, *rand.Rand)

// pools are the kinds that there are. Each makes requests, and is closed by the test.
var pools = map[string]func(t *testing.T, r *pghold.Recorder, n *network, dsn string) request{
	"pgxpool": func(t *testing.T, r *pghold.Recorder, n *network, dsn string) request {
		cfg, err := pgxpool.ParseConfig(dsn)
		must(t, err)
		cfg.MaxConns, cfg.ConnConfig.DialFunc = connections, n.Dial
		must(t, pgxhold.Install(cfg, r, "main"))
		p, err := pgxpool.NewWithConfig(t.Context(), cfg)
		must(t, err)
		t.Cleanup(p.Close)
		return func(ctx context.Context, random *rand.Rand) {
			if random == nil {
				return
			}
			c, err := p.Acquire(ctx)
			if err != nil {
				return
			}
			if random.IntN(10) == 0 {
				hijacked := c.Hijack()
				defer pgxhold.Released(hijacked)
				defer hijacked.Close(context.Background())
				ofPgx(ctx, hijacked, random)
				return
			}
			defer c.Release()
			ofPgx(ctx, c.Conn(), random)
		}
	},
	"queuepool": func(t *testing.T, r *pghold.Recorder, n *network, dsn string) request {
		cc, err := pgx.ParseConfig(dsn)
		must(t, err)
		cc.DialFunc = n.Dial
		cfg := queuepool.NewConfig(cc)
		cfg.Size, cfg.MaxOverflow = connections-1, 1
		must(t, pgxhold.InstallConn(cfg.ConnConfig, r, "main"))
		p, err := queuepool.New(cfg)
		must(t, err)
		t.Cleanup(p.Close)
		return func(ctx context.Context, random *rand.Rand) {
			if random == nil {
				return
			}
			c, err := p.Acquire(ctx)
			if err != nil {
				return
			}
			defer c.Release()
			ofPgx(ctx, c.Conn(), random)
		}
	},
	"pgx's database/sql": func(t *testing.T, r *pghold.Recorder, n *network, dsn string) request {
		cc, err := pgx.ParseConfig(dsn)
		must(t, err)
		cc.DialFunc = n.Dial
		db, err := sqlhold.OpenDB(stdlib.GetConnector(*cc), r, "main")
		must(t, err)
		return ofSQL(t, db)
	},
	"lib/pq": func(t *testing.T, r *pghold.Recorder, n *network, dsn string) request {
		c, err := pq.NewConnector(dsn)
		must(t, err)
		c.Dialer(pqDialer{n})
		db, err := sqlhold.OpenDB(c, r, "main")
		must(t, err)
		return ofSQL(t, db)
	},
}

type pqDialer struct{ n *network }

func (d pqDialer) Dial(kind, addr string) (net.Conn, error) {
	return d.n.Dial(context.Background(), kind, addr)
}
func (d pqDialer) DialTimeout(kind, addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.n.Dial(ctx, kind, addr)
}
func (d pqDialer) DialContext(ctx context.Context, kind, addr string) (net.Conn, error) {
	return d.n.Dial(ctx, kind, addr)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	kill  = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and random() < 0.3"
	sleep = "select pg_sleep(0.005)"
)

// ofPgx uses a pgx connection, well or badly.
func ofPgx(ctx context.Context, c *pgx.Conn, random *rand.Rand) {
	switch random.IntN(8) {
	case 0:
		c.Exec(ctx, "select 1")
	case 1: // rows that nobody reads or closes
		c.Query(ctx, "select generate_series(1, 1000)")
	case 2: // a transaction that is left open
		if tx, err := c.Begin(ctx); err == nil {
			tx.Exec(ctx, "select 1")
		}
	case 3:
		tx, err := c.Begin(ctx)
		if err != nil {
			return
		}
		defer tx.Rollback(ctx)
		tx.Exec(ctx, "select 1 / 0")
		panic("handler")
	case 4:
		c.Exec(ctx, sleep)
	case 5:
		c.Exec(ctx, kill)
	case 6:
		pgxhold.Busy(c, func() error { _, err := c.PgConn().CopyTo(ctx, discard{}, "copy (select 1) to stdout"); return err })
	case 7:
		b := &pgx.Batch{}
		b.Queue("select 1")
		b.Queue("select 1 / 0")
		c.SendBatch(ctx, b).Close()
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// ofSQL uses connections of a *sql.DB, well or badly.
func ofSQL(t *testing.T, db *sql.DB) request {
	db.SetMaxOpenConns(connections)
	t.Cleanup(func() { db.Close() })
	return func(ctx context.Context, random *rand.Rand) {
		if random == nil {
			var all []*sql.Conn
			for range connections {
				c, err := db.Conn(ctx)
				must(t, err)
				all = append(all, c)
			}
			for _, c := range all {
				c.Close()
			}
			return
		}
		switch random.IntN(7) {
		case 0:
			db.ExecContext(ctx, "select 1")
		case 1: // rows that are closed before they are read
			if rows, err := db.QueryContext(ctx, "select generate_series(1, 1000)"); err == nil {
				rows.Close()
			}
		case 2: // a transaction of a caller that leaves
			inner, cancel := context.WithCancel(ctx)
			defer cancel()
			if tx, err := db.BeginTx(inner, nil); err == nil {
				tx.ExecContext(inner, "select 1")
			}
		case 3:
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return
			}
			defer tx.Rollback()
			tx.ExecContext(ctx, "select 1 / 0")
			panic("handler")
		case 4:
			db.ExecContext(ctx, sleep)
		case 5:
			db.ExecContext(ctx, kill)
		case 6: // a statement that is prepared on a connection of its own
			c, err := db.Conn(ctx)
			if err != nil {
				return
			}
			defer c.Close()
			if s, err := c.PrepareContext(ctx, "select $1::int"); err == nil {
				s.ExecContext(ctx, 1)
				s.Close()
			}
		}
	}
}

func TestChaos(t *testing.T) {
	for name, open := range pools {
		t.Run(name, func(t *testing.T) { chaos(t, open) })
	}
}

func chaos(t *testing.T, open func(*testing.T, *pghold.Recorder, *network, string) request) {
	r := pghold.NewRecorder(pghold.Config{OnHint: func(string) {}, OnShortage: func(s pghold.Shortage) {
		if s.Deadlock > 0 || s.Itself {
			t.Errorf("nobody takes a second connection, and it is told of %s", s)
		}
	}})
	seed := rand.Uint64()
	t.Logf("the seed is %d", seed)
	n := &network{}
	do := open(t, r, n, pgtest.DSN(t))
	var done atomic.Bool
	var all, looking sync.WaitGroup
	looking.Go(func() {
		for !done.Load() {
			look(t, r.SnapshotWithStacks())
		}
	})
	for i := range requests {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for range each {
				handle(t.Context(), do, random)
				if random.IntN(20) == 0 {
					n.reset(random)
				}
			}
		})
	}
	all.Wait()
	done.Store(true)
	looking.Wait()
	do(t.Context(), nil)
	exact(t, r.Snapshot())
}

// handle is a request: it may be cancelled at any time, call something slow, and have a
// Do within.
func handle(ctx context.Context, do request, random *rand.Rand) {
	defer func() { recover() }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	switch random.IntN(4) {
	case 0:
		cancel()
	case 1:
		defer time.AfterFunc(time.Duration(random.IntN(3000))*time.Microsecond, cancel).Stop()
	}
	pghold.Do(ctx, fmt.Sprint("GET /", random.IntN(4)), func(ctx context.Context) {
		call := pghold.StartSlowCall(ctx, "stream")
		defer call.End()
		if random.IntN(3) == 0 {
			pghold.Do(ctx, "job", func(ctx context.Context) {
				defer pghold.StartSlowCall(ctx, "mail").End()
				do(ctx, random)
			})
			return
		}
		do(ctx, random)
		pghold.SetRoute(ctx, fmt.Sprint("GET /", random.IntN(4)))
	})
}

// look looks at a snapshot that was taken meanwhile.
func look(t *testing.T, s *pghold.Snapshot) {
	for _, h := range s.Open {
		if h.Busy+h.Silent() != h.Held || h.OwnWait != nil {
			t.Errorf("an open hold was busy %v and silent %v of %v, and waits for itself: %v", h.Busy, h.Silent(), h.Held, h.OwnWait)
		}
	}
	for _, p := range s.Pools {
		if p.Deadlock || p.Used() < 0 {
			t.Errorf("a pool is said to be %+v", p)
		}
	}
}

// exact fails unless all that happened was counted once, and all of the time.
func exact(t *testing.T, s *pghold.Snapshot) {
	t.Helper()
	var holds uint64
	var held, busy, silent time.Duration
	for _, series := range s.Series {
		holds += series.Held.Count()
		held += series.Held.Sum()
		busy += series.Busy
		silent += series.Silent.Sum()
	}
	p := s.Pools[0]
	if len(s.Open) != 0 || p.Checkouts != p.Releases || holds != p.Releases || p.Waiting != 0 || len(s.Waiters) != 0 || holds == 0 {
		t.Errorf("%d checkouts, %d releases, %d holds, %d wait", p.Checkouts, p.Releases, holds, p.Waiting)
	}
	if busy+silent != held {
		t.Errorf("busy for %v and silent for %v, which is not %v", busy, silent, held)
	}
	var came, ended, none uint64
	for _, a := range s.Windows[len(s.Windows)-1].Routes {
		came += a.Arrivals
		ended += a.Holds
		none += a.Timeouts + a.Cancelled + a.Failures
	}
	if ended != holds || came != holds+none || none != p.Timeouts+p.Cancelled+p.Failures {
		t.Errorf("%d arrived, of whom %d had a connection and %d got none; want %d holds, and %d", came, ended, none, holds, p.Timeouts+p.Cancelled+p.Failures)
	}
	t.Logf("%d holds of %v, %d got none", holds, held, none)
}
