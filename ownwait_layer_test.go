package pghold_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// layer is a storage layer that takes no context, on a database/sql pool of real
// connections that a recorder knows.
type layer struct {
	db   *sql.DB
	all  sync.WaitGroup
	held chan struct{} // closed when all connections are held
	stop chan struct{}
}

// newLayer makes one with so many connections, and a function that ends all.
func newLayer(r *pghold.Recorder, size int) (l *layer, end func()) {
	p := r.Pool("main")
	l = &layer{db: sql.OpenDB(opens{p}), held: make(chan struct{}), stop: make(chan struct{})}
	l.db.SetMaxOpenConns(size)
	p.SetStat(func() pghold.PoolStat {
		s := l.db.Stats()
		return pghold.PoolStat{Open: s.OpenConnections, Max: size, Waits: uint64(s.WaitCount), WaitTime: s.WaitDuration}
	})
	return l, func() { l.db.Close(); close(l.stop); l.all.Wait() }
}

// steps are what a call of save does: it may ask for a connection before it takes the one
// that it holds, pause, send a statement, and ask for another then, or wait for something
// else.
type steps struct{ before, pause, statement, another bool }

//go:noinline
func (l *layer) save(do steps) {
	if do.before && l.db.Ping() != nil {
		return
	}
	c, err := l.db.Conn(context.Background())
	if err != nil {
		return
	}
	defer c.Close()
	<-l.held
	if do.pause {
		<-l.stop
	}
	if do.statement {
		c.PingContext(context.Background())
	}
	if do.another {
		l.db.Ping()
		return
	}
	<-l.stop
}

// saveWith is save with a helper that takes the connection, and asks for one before.
//
//go:noinline
func (l *layer) saveWith(do steps) {
	c, err := l.begin(do)
	if err != nil {
		return
	}
	defer c.Close()
	<-l.stop
}

//go:noinline
func (l *layer) begin(do steps) (*sql.Conn, error) {
	if do.before && l.db.Ping() != nil {
		return nil, errors.New("closed")
	}
	return l.db.Conn(context.Background())
}

// saveTwice asks for a connection in a loop, and keeps the one that it had before.
//
//go:noinline
func (l *layer) saveTwice(steps) {
	for i := range 2 {
		if i > 0 && l.db.Ping() != nil {
			return
		}
		if c, err := l.db.Conn(context.Background()); err == nil {
			defer c.Close()
		}
		<-l.held
	}
}

// caller is what calls the layer, a handler for each.
type caller struct{ *layer }

//go:noinline
func (c caller) handle(do steps) { c.save(do) }

// opens makes connections that tell a pool of their one hold.
type opens struct{ pool *pghold.Pool }

func (o opens) Connect(ctx context.Context) (driver.Conn, error) {
	return conn{o.pool.Checkout(ctx)}, nil
}
func (opens) Driver() driver.Driver { return nil }

type conn struct{ hold *pghold.Checkout }

func (c conn) Ping(context.Context) error {
	c.hold.BeginStatement()
	c.hold.EndStatement(false)
	return nil
}
func (conn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("no statements") }
func (conn) Begin() (driver.Tx, error)           { return nil, errors.New("no transactions") }
func (c conn) Close() error                      { c.hold.Release(); return nil }

// Where no context is passed on, and further callers queue in the function that took the
// connections, these are not taken for those who hold them: not by their lines, and where
// lines do not tell, all who may hold one are looked at.
func TestOwnWait_InferredBesideFurtherCallers(t *testing.T) {
	const here = "github.com/pghold/pghold_test."
	later, first := steps{another: true}, steps{before: true}
	for name, c := range map[string]struct {
		skip             []string
		call             func(*layer, steps)
		holders, callers []steps
		own, deadlock    bool
		alike            int // of how many goroutines the stacks are, in all; 0 is not said
	}{
		"before the checkout": {
			call: (*layer).save, holders: []steps{later, later}, callers: []steps{first, first, first}, own: true, deadlock: true, alike: 4},
		"at the checkout": {
			call: (*layer).save, holders: []steps{later, later}, callers: []steps{{}, {}, {}}, own: true, deadlock: true, alike: 4},
		"below another line": {
			call: (*layer).save, holders: []steps{later, {statement: true, another: true}}, callers: []steps{first, first}, own: true, deadlock: true, alike: 4},
		"in a layer that is skipped": {
			skip: []string{here + "layer"},
			call: func(l *layer, do steps) { caller{l}.handle(do) }, holders: []steps{later, later}, callers: []steps{first, {}, {}}, own: true, deadlock: true, alike: 4},
		"while one does something else": {
			call: (*layer).save, holders: []steps{later, {}}, callers: []steps{first, first, first}, own: true, alike: 4},
		"while one has not come to the statement": {
			call: (*layer).save, holders: []steps{{statement: true, another: true}, {pause: true}}, callers: []steps{first, first}, own: true, alike: 1 + 2},
		"while all do": {
			call: (*layer).save, holders: []steps{{}, {}}, callers: []steps{first, first, first}, alike: 4},
		"after a helper has returned": {
			call: (*layer).saveWith, holders: []steps{{}, {}}, callers: []steps{first, first, {}}, alike: 4},
		"in a loop, above the checkout": { // which lines do not tell from who comes
			call: (*layer).saveTwice, holders: []steps{{}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := make(chan pghold.Shortage, 100)
				r := pghold.NewRecorder(pghold.Config{OnShortage: func(s pghold.Shortage) { told <- s },
					Skip: append(c.skip, here+"opens", here+"conn")})
				l, end := newLayer(r, len(c.holders))
				defer end()
				for i, do := range append(slices.Clone(c.holders), c.callers...) {
					l.all.Go(func() { pghold.Do(t.Context(), "GET /", func(context.Context) { c.call(l, do) }) })
					if synctest.Wait(); i == len(c.holders)-1 {
						close(l.held)
						synctest.Wait()
					}
				}
				time.Sleep(4 * time.Second)
				s := r.SnapshotWithStacks()
				if len(s.Open) != len(c.holders) {
					t.Fatalf("%d holds are open, want %d", len(s.Open), len(c.holders))
				}
				own, alike := false, 0
				for _, h := range s.Open {
					own = own || h.OwnWait != nil
					if h.Stack == nil {
						t.Fatal("a hold has no stack")
					}
					alike += h.Stack.Alike
					if h.OwnWait != nil && !strings.HasPrefix(h.OwnWait.At.String(), "ownwait_layer_test.go:") {
						t.Errorf("it waits at %v", h.OwnWait.At)
					}
				}
				if own != c.own || s.Pools[0].Deadlock != c.deadlock {
					t.Errorf("one waits for itself: %v, deadlock: %v; want %v, %v", own, s.Pools[0].Deadlock, c.own, c.deadlock)
				}
				if c.alike > 0 && alike != c.alike {
					t.Errorf("the stacks are of %d goroutines, want %d", alike, c.alike)
				}
				deadlock := false
				for len(told) > 0 {
					s := <-told
					deadlock = deadlock || s.Deadlock > 0
				}
				if deadlock != c.deadlock {
					t.Errorf("told of a deadlock: %v, want %v", deadlock, c.deadlock)
				}
			})
		})
	}
}
