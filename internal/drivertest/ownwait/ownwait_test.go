// Package ownwait_test has requests that take a second connection, on each kind of pool
// that there is, under load: who waits for itself is named, and nobody else.
package ownwait_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
	"github.com/pghold/pghold/pgxhold"
	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/sqlhold"
)

const size = 4

// pool takes a connection, and runs a statement before it returns.
type pool func(context.Context) (release func(), _ error)

// pools are the kinds that there are, each made in a bubble.
var pools = map[string]func(*testing.T, *pghold.Recorder, *pgx.ConnConfig) pool{
	"pgxpool": func(t *testing.T, r *pghold.Recorder, cc *pgx.ConnConfig) pool {
		cfg, err := pgxpool.ParseConfig("")
		must(t, err)
		cfg.ConnConfig, cfg.MaxConns = cc, size
		must(t, pgxhold.Install(cfg, r, "main"))
		p, err := pgxpool.NewWithConfig(t.Context(), cfg)
		must(t, err)
		t.Cleanup(p.Close)
		return func(ctx context.Context) (func(), error) {
			c, err := p.Acquire(ctx)
			if err != nil {
				return nil, err
			}
			_, err = c.Exec(ctx, "select 1")
			return released(c.Release, err)
		}
	},
	"queuepool": func(t *testing.T, r *pghold.Recorder, cc *pgx.ConnConfig) pool {
		cfg := queuepool.NewConfig(cc)
		cfg.Size, cfg.MaxOverflow, cfg.Timeout = size, 0, timeout/2
		must(t, pgxhold.InstallConn(cfg.ConnConfig, r, "main"))
		p, err := queuepool.New(cfg)
		must(t, err)
		t.Cleanup(p.Close)
		return func(ctx context.Context) (func(), error) {
			c, err := p.Acquire(ctx)
			if err != nil {
				return nil, err
			}
			_, err = c.Conn().Exec(ctx, "select 1")
			return released(c.Release, err)
		}
	},
	"database/sql": func(t *testing.T, r *pghold.Recorder, cc *pgx.ConnConfig) pool {
		db, err := sqlhold.OpenDB(stdlib.GetConnector(*cc), r, "main")
		must(t, err)
		db.SetMaxOpenConns(size)
		t.Cleanup(func() { db.Close() })
		return func(ctx context.Context) (func(), error) {
			c, err := db.Conn(ctx)
			if err != nil {
				return nil, err
			}
			_, err = c.ExecContext(ctx, "select 1")
			return released(func() { c.Close() }, err)
		}
	},
}

// released gives a connection back whose statement failed.
func released(release func(), err error) (func(), error) {
	if err != nil {
		release()
	}
	return release, err
}

const timeout = 20 * time.Second

// start makes a pool, and a recorder that tells the channel.
func start(t *testing.T, open func(*testing.T, *pghold.Recorder, *pgx.ConnConfig) pool) (pool, *pghold.Recorder, chan pghold.Shortage) {
	network := &memnet.Network{}
	server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: time.Millisecond})
	t.Cleanup(server.Close)
	cc, err := pgx.ParseConfig(server.DSN())
	must(t, err)
	cc.DialFunc = network.Dial
	told := make(chan pghold.Shortage, 100)
	skip := []string{"github.com/pghold/pghold/internal/drivertest/ownwait_test.init"} // the functions of pools
	r := pghold.NewRecorder(pghold.Config{Skip: skip, OnShortage: func(s pghold.Shortage) { told <- s }})
	return open(t, r, cc), r, told
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A handler that takes a second connection, under load, locks up all of the pool. It is
// named within a second where the pool says who waits, and otherwise as soon as somebody
// has waited for as long as the recorder looks at.
func TestASecondConnection(t *testing.T) {
	for name, open := range pools {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { aSecondConnection(t, name, open) })
		})
	}
}

func aSecondConnection(t *testing.T, name string, open func(*testing.T, *pghold.Recorder, *pgx.ConnConfig) pool) {
	take, r, told := start(t, open)
	began := time.Now()
	var all sync.WaitGroup
	var failed error
	var mu sync.Mutex
	for i := range 12 {
		all.Go(func() {
			time.Sleep(time.Duration(i) * time.Microsecond)
			pghold.Do(t.Context(), "GET /twice", func(ctx context.Context) {
				ctx, cancel := context.WithTimeout(ctx, timeout)
				defer cancel()
				release, err := take(ctx)
				if err != nil {
					return
				}
				defer release()
				second, err := take(ctx)
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
					return
				}
				second()
			})
		})
	}
	within, inferred := time.Second, false
	if name == "database/sql" {
		within, inferred = 3*time.Second, true
	}
	var own, deadlock time.Duration
	for own == 0 || deadlock == 0 {
		select {
		case s := <-told:
			if !s.Itself {
				continue
			}
			if own == 0 {
				own = time.Since(began)
			}
			if s.Deadlock > 0 {
				deadlock = time.Since(began)
			}
			if s.Route != "GET /twice" || s.Inferred != inferred || !strings.HasSuffix(s.Own.File, "ownwait_test.go") {
				t.Errorf("told of %s", s)
			}
		case <-time.After(timeout / 2):
			t.Fatalf("a wait for itself was named after %v, a deadlock after %v; want both", own, deadlock)
		}
	}
	if own > within || deadlock > within {
		t.Errorf("a wait for itself was named after %v, a deadlock after %v, want within %v", own, deadlock, within)
	}
	if s := r.SnapshotWithStacks(); !s.Pools[0].Deadlock || s.Open[0].OwnWait == nil || s.Open[0].OwnWait.Inferred != inferred {
		t.Errorf("the snapshot has the pools %+v, and the oldest hold %+v", s.Pools, s.Open[0].OwnWait)
	}
	all.Wait()
	if name == "queuepool" && (failed == nil || !strings.Contains(failed.Error(), "this request holds one itself, taken at ownwait_test.go:")) {
		t.Errorf("the time-out says %v, want that the request holds one itself", failed)
	}
}

// Requests that take one connection each, however many wait for one and for how long,
// are never said to wait for themselves.
func TestOneConnectionEach(t *testing.T) {
	for name, open := range pools {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { oneConnectionEach(t, open) })
		})
	}
}

func oneConnectionEach(t *testing.T, open func(*testing.T, *pghold.Recorder, *pgx.ConnConfig) pool) {
	take, r, told := start(t, open)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			pghold.Do(t.Context(), "GET /slow", func(ctx context.Context) {
				release, err := take(ctx)
				if err != nil {
					return
				}
				time.Sleep(2 * time.Second)
				release()
				if release, err = take(ctx); err == nil { // after the first came back
					release()
				}
			})
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for look := true; look; {
		select {
		case <-done:
			look = false
		case <-time.After(333 * time.Millisecond):
			s := r.SnapshotWithStacks()
			for _, h := range s.Open {
				if h.OwnWait != nil {
					t.Fatalf("a hold is said to be %s", h.Doing())
				}
			}
			if s.Pools[0].Deadlock {
				t.Fatal("it is called a deadlock")
			}
		}
	}
	if len(told) == 0 {
		t.Error("nobody was told that callers wait for long")
	}
	for len(told) > 0 {
		if s := <-told; s.Deadlock > 0 || s.Itself {
			t.Errorf("told of %s", s)
		}
	}
}

// A pool of database/sql that was busy and then stalls is told of, whatever its counts were
// before.
func TestAStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		take, _, told := start(t, pools["database/sql"])
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 20 {
					release, err := take(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					release()
				}
			})
		}
		all.Wait()
		began := time.Now()
		for range size {
			all.Go(func() {
				release, err := take(pghold.WithRoute(t.Context(), "GET /slow"))
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(12 * time.Second)
				release()
			})
		}
		synctest.Wait()
		for range 4 {
			all.Go(func() {
				if release, err := take(t.Context()); err == nil {
					release()
				}
			})
		}
		select {
		case s := <-told:
			if after := time.Since(began); after > 3*time.Second || s.Waiting != 4 || len(s.Holders) != 1 || s.Holders[0].Route != "GET /slow" {
				t.Errorf("told after %v of %s, with %d who wait; want within 3 s, and 4", after, s, s.Waiting)
			}
		case <-time.After(11 * time.Second):
			t.Error("nobody was told within 11 s")
		}
		all.Wait()
	})
}

// Handlers that pass no context on lock up all of the pool, too.
func TestASecondConnectionWithoutContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		take, r, told := start(t, pools["database/sql"])
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Microsecond)
				pghold.Do(t.Context(), "GET /twice", func(context.Context) { twice(ctx, take) })
			})
		}
		time.Sleep(4 * time.Second)
		var deadlock bool
		for len(told) > 0 {
			s := <-told
			deadlock = deadlock || s.Deadlock == size && s.Inferred && strings.HasSuffix(s.Route, "TestASecondConnectionWithoutContexts")
		}
		s := r.SnapshotWithStacks()
		if s.Pools[0].Waiting != 12 {
			t.Errorf("%d were seen to wait, want 4 who hold a connection and 8 who do not", s.Pools[0].Waiting)
		}
		if !deadlock || !s.Pools[0].Deadlock || !s.Pools[0].CountsOnly || s.Open[0].OwnWait == nil {
			t.Errorf("told of a deadlock: %v; the pool is %+v, and the oldest hold %s", deadlock, s.Pools[0], s.Open[0].Doing())
		}
		all.Wait()
		g := r.Snapshot().Series[0].Gaps[0]
		if where, _ := g.Mostly(); !strings.Contains(where, " ← ownwait_test.go:") {
			t.Errorf("the gaps were mostly in %q", where)
		}
	})
}

//go:noinline
func twice(ctx context.Context, take pool) {
	release, err := take(ctx)
	if err != nil {
		return
	}
	defer release()
	if second, err := take(ctx); err == nil {
		second()
	}
}
