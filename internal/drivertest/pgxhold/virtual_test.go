package pgxhold_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
	"github.com/pghold/pghold/pgxhold"
	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/session"
)

// roundTrip is how long an answer of the first connection's takes in memory.
const roundTrip = time.Second

// memory starts a Postgres in memory. It is called in a bubble.
func memory(t *testing.T) (dsn string, network *memnet.Network) {
	network = &memnet.Network{}
	server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: roundTrip - time.Nanosecond})
	t.Cleanup(server.Close)
	return server.DSN(), network
}

// openInMemory makes a pool of one connection with a recorder.
func openInMemory(t *testing.T) (*pgxpool.Pool, *pghold.Recorder) {
	dsn, network := memory(t)
	return openAt(t, dsn, func(c *pgxpool.Config) { c.MaxConns, c.ConnConfig.DialFunc = 1, network.Dial })
}

// openQueuePool makes a queuepool of one connection, for which callers wait for a minute.
func openQueuePool(t *testing.T, r *pghold.Recorder, before pgx.QueryTracer) *queuepool.Pool {
	dsn, network := memory(t)
	cc, err := pgx.ParseConfig(dsn)
	must(t, err)
	cfg := queuepool.NewConfig(cc)
	cfg.Size, cfg.MaxOverflow, cfg.Timeout = 1, 0, time.Minute
	cfg.ConnConfig.DialFunc, cfg.ConnConfig.Tracer = network.Dial, before
	must(t, pgxhold.InstallConn(cfg.ConnConfig, r, "main"))
	pool, err := queuepool.New(cfg)
	must(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// All of a hold's time is told apart, and that of the wait for it.
func TestTracer_Times(t *testing.T) { synctest.Test(t, tracerTimes) }

func tracerTimes(t *testing.T) {
	pool, r := openInMemory(t)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	time.Sleep(2 * time.Second)
	tx, err := conn.Begin(t.Context())
	must(t, err)
	time.Sleep(3 * time.Second)
	_, err = tx.Exec(t.Context(), "insert into visits (user_id) values ($1)", 1) // prepared on the way
	must(t, err)
	time.Sleep(4 * time.Second)
	must(t, tx.Commit(t.Context()))
	time.Sleep(5 * time.Second)
	conn.Release()
	sum(t, r)
	h := r.Snapshot().Series[0].Worst
	if h.Wait != roundTrip || h.Busy != 4*roundTrip || h.SilentInTransaction != 7*time.Second || h.Silent() != 14*time.Second || h.Statements != 3 {
		t.Errorf("waited %v, then busy %v with %d statements, silent %v, of it %v in transaction; want 1 s for the connection, 4 s with 3, 14 s, 7 s",
			h.Wait, h.Busy, h.Statements, h.Silent(), h.SilentInTransaction)
	}
}

func TestTracer_FailedAcquire(t *testing.T) { synctest.Test(t, tracerFailedAcquire) }

func tracerFailedAcquire(t *testing.T) {
	pool, r := openInMemory(t)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := pool.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	pool.Acquire(cancelled)
	time.AfterFunc(time.Minute, conn.Release)
	second, err := pool.Acquire(t.Context())
	must(t, err)
	second.Release()
	all := sum(t, r)
	if p := r.Snapshot().Pools[0]; p.Timeouts != 1 || p.Cancelled != 1 || p.Checkouts != 2 {
		t.Errorf("got %+v, want one time-out, one cancelled and two checkouts", p)
	}
	if all.Wait.Count() != 2 || all.Wait.Sum() != time.Minute+roundTrip {
		t.Errorf("%d waits of %v, want two: 1 s for the connection, and a minute for another's", all.Wait.Count(), all.Wait.Sum())
	}
}

func TestTracer_WaitForNotificationIsSilence(t *testing.T) {
	synctest.Test(t, tracerWaitForNotificationIsSilence)
}

func tracerWaitForNotificationIsSilence(t *testing.T) {
	pool, r := openInMemory(t)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	_, err = conn.Exec(t.Context(), "select 1")
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := conn.Conn().WaitForNotification(ctx); err == nil {
		t.Fatal("a notification came from nowhere")
	}
	conn.Release()
	if all := sum(t, r); all.Silent.Sum() != time.Minute || all.Busy != roundTrip || all.Statements != 1 {
		t.Errorf("silent %v, and busy %v with %d statements; want a minute, and 1 s with one", all.Silent.Sum(), all.Busy, all.Statements)
	}
}

var _ queuepool.Tracer = (*pgxhold.Tracer)(nil) // which a pool asks for

func TestInstall_KeepsQueuepoolsHooks(t *testing.T) { synctest.Test(t, installKeepsQueuepoolsHooks) }

func installKeepsQueuepoolsHooks(t *testing.T) {
	before := tracesCheckouts{other{map[string]int{}}}
	r := pghold.NewRecorder(pghold.Config{})
	pool := openQueuePool(t, r, before)
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	if _, err := pool.Acquire(t.Context()); err == nil {
		t.Error("a second connection of one: no error")
	}
	conn.Release()
	for hook, want := range map[string]int{"CheckoutStart": 2, "CheckoutEnd": 2, "Checkin": 1} {
		if got := before.seen[hook]; got != want {
			t.Errorf("the tracer that was there is told %d times of %s, want %d", got, hook, want)
		}
	}
	if all := sum(t, r); all.Held.Count() != 1 || all.Held.Sum() != time.Minute || r.Snapshot().Pools[0].Timeouts != 1 {
		t.Errorf("%d holds of %v, pool %+v; want one of a minute, and one time-out", all.Held.Count(), all.Held.Sum(), r.Snapshot().Pools[0])
	}
}

// pgxpool's own error says "context deadline exceeded" and nothing else: what was
// going on is told by the recorder.
func TestTracer_ShortageNamesTheHolders(t *testing.T) {
	synctest.Test(t, tracerShortageNamesTheHolders)
}

func tracerShortageNamesTheHolders(t *testing.T) {
	dsn, network := memory(t)
	cfg, err := pgxpool.ParseConfig(dsn)
	must(t, err)
	cfg.MaxConns, cfg.ConnConfig.DialFunc = 1, network.Dial
	told := make(chan pghold.Shortage, 1)
	r := pghold.NewRecorder(pghold.Config{LongWait: time.Hour, OnShortage: func(s pghold.Shortage) { told <- s }})
	must(t, pgxhold.Install(cfg, r, "main"))
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	must(t, err)
	defer pool.Close()
	tx, err := pool.Begin(pghold.WithRoute(t.Context(), "GET /slow"))
	must(t, err)
	defer tx.Rollback(t.Context())
	ctx, cancel := context.WithTimeout(pghold.WithRoute(t.Context(), "GET /victim"), time.Minute)
	defer cancel()
	if _, err := pool.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want a time-out", err)
	}
	s := <-told
	if s.Route != "GET /victim" || !errors.Is(s.Err, context.DeadlineExceeded) || s.Waited != time.Minute || len(s.Holders) != 1 || s.Holders[0].Route != "GET /slow" {
		t.Errorf("told of %+v, want who timed out after a minute and who holds the connection", s)
	}
	if want := "main: no connection within 60.0 s: 1 of 1 held by GET /slow, virtual_test.go:"; !strings.HasPrefix(s.String(), want) {
		t.Errorf("it says %q, want %q", s, want)
	}
}

// With queuepool, and through a session, whose lines are not the application's.
func TestTracer_QueuePoolAndSession(t *testing.T) {
	for name, before := range map[string]pgx.QueryTracer{"alone": nil, "beside another": other{map[string]int{}}} {
		synctest.Test(t, func(t *testing.T) {
			r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Nanosecond})
			pool := openQueuePool(t, r, before)
			pghold.Do(t.Context(), "GET /slow", func(ctx context.Context) {
				s := session.New(session.From(pool), session.Options{})
				_, err := s.Exec(ctx, "select 1")
				must(t, err)
				time.Sleep(2 * time.Second)
				call := pghold.StartSlowCall(ctx, "GET api.example.com/")
				_, err = pool.Acquire(t.Context())
				var timeout *queuepool.TimeoutError
				if !errors.As(err, &timeout) || len(timeout.Holders) != 1 {
					t.Fatalf("%s: got %v, want a time-out that names one holder", name, err)
				}
				for _, want := range []string{"1 of 1 held by GET /slow, virtual_test.go:", ", oldest 64.0 s, now in GET api.example.com/, in github.com/pghold/pghold/queuepool.(*Pool).Acquire ← virtual_test.go:"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%s: the time-out says %q, want it to say %q", name, err, want)
					}
				}
				call.End()
				must(t, s.Close())
			})
			all := sum(t, r)
			if all.Held.Count() != 1 || all.Statements != 2 || all.SilentInTransaction != time.Minute+2*time.Second || all.Silent.Sum() != all.SilentInTransaction || all.Busy != 3*roundTrip {
				t.Errorf("%s: %d holds, %d statements, busy %v, silent %v, %v of it in transaction; want 1, 2, 3 s, 62 s and 62 s",
					name, all.Held.Count(), all.Statements, all.Busy, all.Silent.Sum(), all.SilentInTransaction)
			}
			if p := r.Snapshot().Pools[0]; p.Timeouts != 1 {
				t.Errorf("%s: %+v, want one time-out", name, p)
			}
		})
	}
}
