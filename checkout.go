package pghold

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Checkout is a hold while it is open. Whoever took the connection tells it of
// every statement, from one goroutine at a time, and of the release.
type Checkout struct {
	pool  *Pool
	scope *scope // nil where no route was named
	route string
	shard *shard
	site  *Site
	wait  time.Duration
	began time.Duration // all instants are since the recorder was made

	prev, next *Checkout // in the shard's list, under its lock

	// mu guards the rest against those who look, and against the slow calls,
	// which another goroutine may make.
	mu         sync.Mutex
	released   bool
	panicked   bool
	running    int // statements, one inside the other
	inTx       bool
	statements int
	since      time.Duration // when the statement, or the silence, began
	busy       time.Duration
	silentInTx time.Duration
	after      *Site // of the last statement
	gap        gap
	calls      []slowCall
	callsLeft  int // slow calls that were not kept
}

// gap is a Gap with its sites by address.
type gap struct {
	duration      time.Duration
	inTransaction bool
	after, before *Site
}

type slowCall struct {
	what     string
	site     *Site
	began    time.Duration
	duration time.Duration
	open     bool
	number   int // in its scope
}

// callers takes the stack above the adapter.
func callers(pcs *stack) { runtime.Callers(3, pcs[:]) }

// sameLine is how soon after its checkout a first statement counts as sent by the
// same line, which saves looking for it.
const sameLine = 20 * time.Microsecond

// BeginStatement tells that a statement was sent. One that begins while another
// runs is part of it: a driver may have to prepare before it can run.
func (c *Checkout) BeginStatement() {
	now := c.pool.recorder.now()
	var site *Site
	if c.statements > 0 || now-c.began > sameLine { // statements: only the holder writes it
		var pcs stack
		callers(&pcs)
		c.shard.mu.Lock()
		site = c.shard.sites.at(&pcs, c.pool.recorder.cfg.Skip)
		c.shard.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running++; c.running > 1 || c.released {
		return
	}
	c.statements++
	if site == nil {
		site = c.after
	}
	c.endSilence(now, site)
	c.since, c.after = now, site
}

// EndStatement tells that the statement's result is there, and whether a
// transaction is open now. Without a statement it does nothing.
func (c *Checkout) EndStatement(inTransaction bool) {
	now := c.pool.recorder.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == 0 || c.released {
		return
	}
	if c.running--; c.running > 0 {
		return
	}
	c.busy += now - c.since
	c.since, c.inTx = now, inTransaction
}

// Busy is how long statements have been running, up to the last that ended.
func (c *Checkout) Busy() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy
}

// endSilence counts the gap that ends now, with the line before which it did.
func (c *Checkout) endSilence(now time.Duration, before *Site) {
	d := now - c.since
	if c.inTx {
		c.silentInTx += d
	}
	if d > c.gap.duration {
		c.gap = gap{d, c.inTx, c.after, before}
	}
}

// Panicked marks the hold as ended by a panic. It is to be called before Release.
func (c *Checkout) Panicked() {
	c.mu.Lock()
	c.panicked = true
	c.mu.Unlock()
}

// Release ends the hold. Further calls do nothing.
func (c *Checkout) Release() {
	r := c.pool.recorder
	now := r.now()
	c.mu.Lock()
	if c.released {
		c.mu.Unlock()
		return
	}
	if c.running > 0 {
		c.busy += now - c.since
	} else {
		c.endSilence(now, nil)
	}
	c.running, c.released, c.since = 0, true, now
	for i := range c.calls {
		if call := &c.calls[i]; call.open {
			call.open, call.duration = false, now-call.began
		}
	}
	c.mu.Unlock()
	c.scope.remove(c)
	c.pool.releases.Add(1)

	s := c.shard
	s.mu.Lock()
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.open = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	r.seriesOf(c).add(c, now)
	s.mu.Unlock()
}

// describe returns the hold as it is now; false where it was released meanwhile.
func (c *Checkout) describe() (Hold, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.released {
		return Hold{}, false
	}
	return c.hold(c.pool.recorder.now()), true // by now nothing later is in it
}

// hold describes c. The caller holds mu, or has released c.
func (c *Checkout) hold(now time.Duration) Hold {
	h := Hold{
		Pool: c.pool.name, Route: c.route, Site: *c.site,
		Began: c.pool.recorder.started.Add(c.began).Round(0),
		Open:  !c.released, Running: c.running > 0, Panicked: c.panicked,
		Wait: c.wait, Held: now - c.began, Busy: c.busy, SilentInTransaction: c.silentInTx,
		Statements: c.statements, SlowCallsLeftOut: c.callsLeft, last: *c.after,
	}
	g := c.gap
	if !c.released { // what lasts still counts
		if last := now - c.since; c.running > 0 {
			h.Busy += last
		} else {
			if c.inTx {
				h.SilentInTransaction += last
			}
			if last > g.duration {
				g = gap{last, c.inTx, c.after, nil}
			}
		}
	}
	h.LongestGap = Gap{Duration: g.duration, InTransaction: g.inTransaction}
	if g.after != nil {
		h.LongestGap.After = *g.after
	}
	if g.before != nil {
		h.LongestGap.Before = *g.before
	}
	for _, call := range c.calls {
		d := call.duration
		if call.open {
			d = now - call.began
		}
		h.SlowCalls = append(h.SlowCalls, SlowCall{call.what, *call.site, d, call.open})
	}
	slices.SortStableFunc(h.SlowCalls, func(a, b SlowCall) int { return cmp.Compare(b.Duration, a.Duration) })
	return h
}
