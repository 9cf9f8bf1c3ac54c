package pghold

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
)

// Pool is a pool whose holds a Recorder records.
type Pool struct {
	recorder   *Recorder
	name       string
	stat       atomic.Pointer[func() PoolStat]
	size       atomic.Int64 // Max of the last PoolStat
	tellsWaits atomic.Bool  // somebody began a Wait
	shortage   shortage
	unscoped   unscoped

	isOpen func() bool // of OpenPool, guarded by the recorder's opening

	_                             [64]byte     // what follows changes with each hold, and is on another cache line
	waiting                       atomic.Int64 // acquires in progress
	maxWaiting                    atomic.Int64 // of those who queued
	checkouts, releases           atomic.Uint64
	timeouts, cancelled, failures atomic.Uint64 // of waits
}

// PoolStat is what a pool knows of itself. What it does not know is 0.
type PoolStat struct {
	Open int // connections, idle or in use
	Max  int // connections that may be open; 0 means that there is no limit
	// Waits counts the callers who had to queue, and WaitTime is how long those did in all
	// whose wait has ended. database/sql counts the others in Waits, too.
	Waits    uint64
	WaitTime time.Duration
}

// Pool returns the pool of that name. The same name is the same pool.
func (r *Recorder) Pool(name string) *Pool {
	if p, ok := r.pools.Load(name); ok {
		return p.(*Pool)
	}
	p, _ := r.pools.LoadOrStore(name, &Pool{recorder: r, name: name})
	return p.(*Pool)
}

// OpenPool returns the pool of that name for one that was opened under it, as adapters do.
// Where another lives that was opened under the name, which isOpen of that one says, they
// are told apart: the later one is "main (2)". isOpen is called while others open pools.
func (r *Recorder) OpenPool(name string, isOpen func() bool) *Pool {
	if isOpen == nil {
		panic("pghold: OpenPool needs a function that says whether the pool is open, and got nil")
	}
	r.opening.Lock()
	defer r.opening.Unlock()
	own := name
	for n := 2; ; n++ {
		p := r.Pool(own)
		if p.isOpen == nil || !p.isOpen() {
			p.isOpen = isOpen
			return p
		}
		own = fmt.Sprintf("%s (%d)", name, n)
		r.tell("name of "+name, fmt.Sprintf("two pools that are open have the name %s: the second is called %s. Give each its own.", name, own))
	}
}

// SetStat says how to ask the pool for what it knows of itself. stat is called at
// once, at each snapshot, and now and then by goroutines of the recorder, by several at
// the same time. It must not wait for a connection. Adapters do this;
// pools without it have no such figures.
func (p *Pool) SetStat(stat func() PoolStat) {
	if stat == nil {
		panic("pghold: SetStat needs a function that asks the pool, and got nil")
	}
	p.stat.Store(&stat)
	p.Stat()
}

// Stat is what the pool says of itself, or nothing where nobody said how to ask.
func (p *Pool) Stat() PoolStat {
	stat := p.stat.Load()
	if stat == nil {
		return PoolStat{}
	}
	s := (*stat)()
	p.size.Store(int64(s.Max))
	return s
}

// queueing is how many callers queue, when more have come: of those whose acquire is in
// progress, as many as the pool has no more connections for. Where it does not say how
// many it may have, it is all of them, also those who are being served.
func (p *Pool) queueing(more int64) int64 {
	size := p.size.Load()
	// In this order, for what happens meanwhile then makes it less and not more.
	held := int64(p.checkouts.Load())
	held -= int64(p.releases.Load())
	n := p.waiting.Add(more)
	if size > 0 {
		n = min(n, n+held-size)
	}
	return max(0, n)
}

// sawWaiting notes how many queue.
func (p *Pool) sawWaiting(n int64) {
	for most := p.maxWaiting.Load(); n > most && !p.maxWaiting.CompareAndSwap(most, n); most = p.maxWaiting.Load() {
	}
}

// Wait is a caller that queues for a connection. It ends with Checkout or Fail.
type Wait struct{ c *Checkout } // the hold that it may become

// Wait begins a wait. ctx is the caller's: it may name the route, and slow calls
// made in it are seen by the hold.
func (p *Pool) Wait(ctx context.Context) Wait {
	if !p.tellsWaits.Load() {
		p.tellsWaits.Store(true)
	}
	n := p.queueing(1)
	p.sawWaiting(n)
	c := p.newCheckout(ctx)
	c.waiting = true
	if n == 0 && p.recorder.cfg.OnShortage == nil { // it will be served at once
		return Wait{c}
	}
	own := n > 0 && c.scope.holds(p) != nil
	var pcs stack
	if own {
		runtime.Callers(2, pcs[:]) // above Wait
	}
	c.shard.mu.Lock()
	if own {
		c.site = c.shard.sites.at(&pcs, &newKey{}, p.recorder.cfg.Skip)
	}
	c.shard.add(c)
	c.shard.mu.Unlock()
	if p.recorder.cfg.OnShortage != nil {
		if own {
			p.waitsForItself(c)
		}
		p.watch()
	}
	if !p.recorder.frames.running.Load() {
		p.recorder.keepFrames()
	}
	return Wait{c}
}

// Fail ends a wait that got no connection. Without an error it counts as one that
// failed.
func (w Wait) Fail(err error) {
	p := w.c.pool
	p.waiting.Add(-1)
	ended := Arrivals{Arrivals: 1, Wait: p.recorder.now() - w.c.queued}
	told := err
	switch {
	case errors.Is(err, context.Canceled):
		p.cancelled.Add(1)
		ended.Cancelled, told = 1, nil
	case isTimeout(err):
		p.timeouts.Add(1)
		ended.Timeouts = 1
	default:
		p.failures.Add(1)
		ended.Failures, told = 1, cmp.Or(err, errNone)
	}
	s := w.c.shard
	s.mu.Lock()
	s.remove(w.c)
	s.fail(routeOf{p.name, w.c.route}, ended)
	s.mu.Unlock()
	if told != nil {
		p.failed(w.c, told)
	}
}

// maxFailed is of how many routes a part of the recorder knows the waits that failed.
const maxFailed = 512

// fail counts a wait that ended without a connection. The caller holds the lock.
func (s *shard) fail(of routeOf, ended Arrivals) {
	if _, there := s.failed[of]; !there && len(s.failed) >= maxFailed {
		of.route = Folded
	}
	if s.failed == nil {
		s.failed = map[routeOf]Arrivals{}
	}
	sum := s.failed[of]
	sum.add(ended, 1)
	s.failed[of] = sum
}

var errNone = errors.New("the pool gave neither a connection nor an error")

// isTimeout reports whether a wait took too long. context.DeadlineExceeded says so.
func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// Checkout ends a wait that got its connection, and begins the hold.
func (w Wait) Checkout() *Checkout {
	p := w.c.pool
	p.waiting.Add(-1)
	w.c.begin()
	return w.c
}

// Checkout begins a hold of which it is not known whether and how long somebody
// queued for it.
func (p *Pool) Checkout(ctx context.Context) *Checkout {
	c := p.newCheckout(ctx)
	c.begin()
	p.watch()
	return c
}

func (p *Pool) newCheckout(ctx context.Context) *Checkout {
	r := p.recorder
	c := &Checkout{pool: p, scope: scopeOf(ctx), shard: &r.shards[rand.Uint32()%uint32(len(r.shards))], queued: r.now()}
	if c.scope != nil {
		c.route, c.intended = c.scope.name(), c.scope.intended
	} else if doing.Load() > 0 {
		c.route = c.shard.handler(r.cfg.Skip)
	}
	return c
}
