package pghold_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// ofSize makes a pool with so many connections, and a recorder that tells the channel.
func ofSize(n int) (*pghold.Recorder, *pghold.Pool, chan pghold.Shortage) {
	told := make(chan pghold.Shortage, 100)
	r := pghold.NewRecorder(pghold.Config{OnShortage: func(s pghold.Shortage) { told <- s }})
	p := r.Pool("main")
	p.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Open: n, Max: n} })
	return r, p, told
}

// A request that has a connection and waits for another is told at once.
func TestOwnWait_IsToldAtOnce(t *testing.T) { synctest.Test(t, ownWaitIsToldAtOnce) }

func ownWaitIsToldAtOnce(t *testing.T) {
	r, p, told := ofSize(2)
	defer p.Checkout(pghold.WithRoute(t.Context(), "GET /other")).Release()
	ctx := pghold.WithRoute(t.Context(), "GET /twice")
	first := p.Checkout(ctx)
	time.Sleep(3 * time.Second)
	second := p.Wait(pghold.WithRoute(ctx, "a part of it"))
	synctest.Wait()
	if len(told) != 1 {
		t.Fatalf("told of %d shortages at once, want the one", len(told))
	}
	s := <-told
	if s.Route != "a part of it" || s.Deadlock > 0 || s.Inferred || s.Own.Line == 0 || s.At.Line != s.Own.Line+2 || s.Waited != 0 {
		t.Errorf("told of %+v, want where it holds one, and two lines below where it waits", s)
	}
	if text := s.String(); !strings.HasPrefix(text, "main: a part of it waits for another connection at ownwait_test.go:") ||
		!strings.Contains(text, " while it holds one, taken at ownwait_test.go:") || !strings.Contains(text, "1 of 2 held by GET /other") {
		t.Errorf("the text is %q", text)
	}
	snap := r.Snapshot()
	if len(snap.Waiters) != 1 || snap.Waiters[0].Own != s.Own || snap.Waiters[0].Count != 1 || snap.Pools[0].Deadlock {
		t.Errorf("the snapshot has the waiters %+v and the pools %+v, want the one who waits for itself, and no deadlock", snap.Waiters, snap.Pools)
	}
	for _, h := range snap.Open {
		if waits := h.Route == "GET /twice"; waits != (h.OwnWait != nil) || waits && h.OwnWait.At != s.At {
			t.Errorf("of the hold of %s it is said %v", h.Route, h.OwnWait)
		}
	}
	lines := strings.Join(p.HolderLines(ctx), "\n")
	if !strings.HasPrefix(lines, "this request holds one itself, taken at ownwait_test.go:") || !strings.Contains(lines, "GET /twice, ownwait_test.go:") ||
		!strings.Contains(lines, "now waiting for another connection of the same pool at ownwait_test.go:") {
		t.Errorf("the text of a time-out has %q", lines)
	}
	if lines := p.HolderLines(t.Context()); len(lines) != 2 {
		t.Errorf("to another request it says %q", lines)
	}
	b, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pghold.ReadSnapshot(b)
	if err != nil || !reflect.DeepEqual(again.Waiters, snap.Waiters) || !reflect.DeepEqual(again.Open[0].OwnWait, snap.Open[0].OwnWait) || !reflect.DeepEqual(again.Open[1].OwnWait, snap.Open[1].OwnWait) {
		t.Errorf("read again it is %+v (%v)", again.Waiters, err)
	}

	first.Release()
	if w := r.Snapshot().Waiters; len(w) != 1 || w[0].Itself || w[0].Own != (pghold.Site{}) {
		t.Errorf("it holds none any more, and the waiters are %+v", w)
	}
	second.Checkout().Release()
	if w := r.Snapshot().Waiters; len(w) != 0 {
		t.Errorf("nobody waits, and the waiters are %+v", w)
	}
}

// Who holds a connection of another pool, or waits where there is a free one, is not told
// of.
func TestOwnWait_IsNoOther(t *testing.T) { synctest.Test(t, ownWaitIsNoOther) }

func ownWaitIsNoOther(t *testing.T) {
	r, p, told := ofSize(2)
	ctx := pghold.WithRoute(t.Context(), "GET /")
	other := r.Pool("other").Checkout(ctx)
	w := p.Wait(ctx)
	c := w.Checkout()
	p.Wait(ctx).Checkout().Release() // the second of two
	c.Release()
	other.Release()
	synctest.Wait()
	if len(told) != 0 {
		t.Errorf("told of %+v", <-told)
	}
}

// Who waits for himself is told at once as that, and a deadlock is one, where no line is
// known that took the connections.
func TestOwnWait_OfUnknownLines(t *testing.T) { synctest.Test(t, ownWaitOfUnknownLines) }

func ownWaitOfUnknownLines(t *testing.T) {
	told := make(chan pghold.Shortage, 100)
	r := pghold.NewRecorder(pghold.Config{Skip: []string{"github.com/pghold/pghold_test", "testing"}, OnShortage: func(s pghold.Shortage) { told <- s }})
	p := r.Pool("main")
	p.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Open: 1, Max: 1} })
	ctx := pghold.WithRoute(t.Context(), "GET /twice")
	c := p.Checkout(ctx)
	defer c.Release()
	if r.Snapshot().Pools[0].Deadlock {
		t.Error("nobody waits, and it is called a deadlock")
	}
	defer p.Wait(ctx).Fail(context.Canceled)
	for range 2 {
		defer p.Wait(pghold.WithRoute(t.Context(), "GET /victim")).Fail(context.Canceled)
	}
	synctest.Wait()
	if len(told) != 1 {
		t.Fatalf("told of %d shortages at once, want of the deadlock", len(told))
	}
	shortage := <-told
	if !shortage.Itself || shortage.Deadlock != 1 || shortage.Own != (pghold.Site{}) {
		t.Errorf("told of %+v, want a deadlock of one who waits for itself", shortage)
	}
	s := r.Snapshot()
	if s.Open[0].Site != (pghold.Site{}) || !s.Pools[0].Deadlock {
		t.Errorf("the hold is taken at %v, want an unknown line; the pool is %+v, want a deadlock", s.Open[0].Site, s.Pools[0])
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*pghold.Snapshot{s, again} {
		if len(s.Waiters) != 2 || s.Waiters[0].Route != "GET /twice" || !s.Waiters[0].Itself || s.Waiters[1].Itself {
			t.Errorf("the waiters are %+v, want first who waits for itself", s.Waiters)
		}
	}
	s.Merge(&pghold.Snapshot{Waiters: []pghold.Waiter{{Pool: "main", Route: "GET /twice", Count: 1}}})
	if len(s.Waiters) != 3 {
		t.Errorf("with one of another process, who holds none, the waiters are %+v", s.Waiters)
	}
	shortage.Deadlock = 0
	if text := shortage.String(); !strings.HasPrefix(text, "main: GET /twice waits for another connection while it holds one: 1 of 1 held") {
		t.Errorf("the text is %q", text)
	}
	var log bytes.Buffer
	pghold.LogShortage(slog.New(slog.NewTextHandler(&log, nil)))(shortage)
	if !strings.Contains(log.String(), `msg="waiting for a database connection while holding one"`) {
		t.Errorf("the log has %s", &log)
	}
}

// Where all who hold a connection wait for another, it is a deadlock, and only then.
func TestOwnWait_Deadlock(t *testing.T) { synctest.Test(t, ownWaitDeadlock) }

func ownWaitDeadlock(t *testing.T) {
	const size = 4
	r, p, told := ofSize(size)
	var holds []*pghold.Checkout
	var waits []pghold.Wait
	var contexts []context.Context
	for range size {
		ctx := pghold.WithRoute(t.Context(), "GET /twice")
		contexts = append(contexts, ctx)
		holds = append(holds, p.Checkout(ctx))
	}
	victim := p.Wait(pghold.WithRoute(t.Context(), "GET /victim"))
	for i, ctx := range contexts {
		if r.Snapshot().Pools[0].Deadlock {
			t.Fatalf("%d of %d wait, and it is called a deadlock", i, size)
		}
		waits = append(waits, p.Wait(ctx))
		synctest.Wait()
	}
	if len(told) != 2 {
		t.Fatalf("told of %d shortages, want of the first wait and the deadlock", len(told))
	}
	if s := <-told; s.Deadlock > 0 || !s.Itself {
		t.Errorf("told of %+v first, want one that waits for itself", s)
	}
	s := <-told
	const text = "deadlock: all 4 connections are held by requests that wait for another"
	if s.Deadlock != size || !strings.HasPrefix(s.String(), "main: "+text+": 4 of 4 held by GET /twice, ownwait_test.go:") {
		t.Errorf("then of %s", s)
	}
	if lines := p.HolderLines(t.Context()); lines[0] != text {
		t.Errorf("the text of a time-out has %q", lines)
	}
	if snap := r.Snapshot(); !snap.Pools[0].Deadlock || len(snap.Waiters) != 2 || snap.Waiters[0].Count != size || snap.Waiters[1].Route != "GET /victim" {
		t.Errorf("the snapshot has %+v, %+v", snap.Pools, snap.Waiters)
	}
	var b bytes.Buffer
	pghold.LogShortage(slog.New(slog.NewTextHandler(&b, nil)))(s)
	if !strings.Contains(b.String(), `msg="`+text+`"`) {
		t.Errorf("the log has %s", &b)
	}

	holds[0].BeginStatement() // something goes on
	if r.Snapshot().Pools[0].Deadlock {
		t.Error("a statement runs, and it is called a deadlock")
	}
	holds[0].EndStatement(false)
	if !r.Snapshot().Pools[0].Deadlock {
		t.Error("it is not called a deadlock any more")
	}
	holds[0].Release() // one comes back, and is given to nobody yet
	if r.Snapshot().Pools[0].Deadlock {
		t.Error("a connection is free, and it is called a deadlock")
	}
	victim.Checkout().Release()
	for i, w := range waits {
		w.Checkout().Release()
		holds[i].Release()
	}
	time.Sleep(time.Minute)
	if len(told) != 0 {
		t.Errorf("told of %+v when it was over", <-told)
	}
}

// A pool that does not say who waits: the stacks of those who hold its connections do.
func TestOwnWait_Inferred(t *testing.T) {
	for name, test := range map[string]struct {
		holders, waiting int  // of the two connections, and how many of these wait for another
		busy, other      bool // a statement runs, or another such pool is full too
		own, deadlock    bool // what is told
	}{
		"all":                       {2, 2, false, false, true, true},
		"one of them":               {2, 1, false, false, true, false},
		"none":                      {2, 0, false, false, false, false},
		"while a statement runs":    {2, 1, true, false, false, false},
		"while another pool is":     {2, 2, false, true, false, false},
		"while there is a free one": {1, 1, false, false, false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			ownWaitInferred(t, name, test.holders, test.waiting, test.busy, test.other, test.own, test.deadlock)
		})
	}
}

func ownWaitInferred(t *testing.T, name string, holders, waiting int, busy, other, own, deadlock bool) {
	var waits atomic.Uint64
	told := make(chan pghold.Shortage, 100)
	r := pghold.NewRecorder(pghold.Config{OnShortage: func(s pghold.Shortage) { told <- s }})
	p, q := r.Pool("main"), r.Pool("other")
	p.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 2, Waits: waits.Load()} })
	q.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 1} })
	if other {
		defer q.Checkout(t.Context()).Release()
	}
	stop := make(chan struct{})
	db := sql.OpenDB(noConnections(stop))
	defer db.Close()
	db.SetMaxOpenConns(1)
	var all sync.WaitGroup
	all.Go(func() { db.Conn(context.Background()) }) // has the only place, for ever
	synctest.Wait()
	for i := range holders {
		all.Go(func() {
			pghold.Do(t.Context(), "GET /twice", func(ctx context.Context) {
				c := p.Checkout(ctx)
				defer c.Release()
				switch {
				case i < waiting:
					db.Conn(ctx)
				case busy:
					c.BeginStatement()
					<-stop
				default:
					<-stop
				}
			})
		})
	}
	synctest.Wait()
	waits.Store(uint64(waiting) + 1) // and a victim
	time.Sleep(5 * time.Second)
	snap := r.SnapshotWithStacks()
	var waiters int
	for _, h := range snap.Open {
		if h.OwnWait != nil {
			waiters++
			if !h.OwnWait.Inferred || !strings.HasSuffix(h.OwnWait.At.File, "ownwait_test.go") || !strings.HasSuffix(h.Doing(), " (inferred)") {
				t.Errorf("%s: it is said to be %s", name, h.Doing())
			}
		}
	}
	if want := map[bool]int{true: waiting}[own]; waiters != want || snap.Pools[0].Deadlock != deadlock {
		t.Errorf("%s: %d wait for themselves (deadlock: %v), want %d (%v)", name, waiters, snap.Pools[0].Deadlock, want, deadlock)
	}
	for len(told) > 0 {
		s := <-told
		if s.Itself != own || (s.Deadlock > 0) != deadlock || s.Inferred != own {
			t.Errorf("%s: told of %s", name, s)
		}
		if own && s.Route != "GET /twice" {
			t.Errorf("%s: the route is %q", name, s.Route)
		}
		own = own && s.Itself
	}
	close(stop)
	all.Wait()
}

// noConnections opens none, and says so when it is closed.
type noConnections chan struct{}

func (c noConnections) Connect(context.Context) (driver.Conn, error) {
	<-c
	return nil, errors.New("no connections")
}
func (c noConnections) Driver() driver.Driver { return nil }
