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
	pool   *Pool
	scope  *scope // nil where no route was named
	route  string
	shard  *shard
	queued time.Duration // when the wait began; all instants are since the recorder was made

	// The shard's lock guards these: its list is of those who wait and of those
	// who hold.
	prev, next *Checkout
	waiting    bool
	series     *Series // in which it was counted, nil before

	site  *place // these three are set when the wait is over
	wait  time.Duration
	began time.Duration

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
	after      *place // of the last statement
	gap        gap    // the longest
	gaps       []gap  // the longest of at least longGap
	gapsLeft   *Gaps  // the sum of those that were not kept
	calls      []slowCall
	callsLeft  int // slow calls that were not kept
}

// label is that of the goroutine, "" where it has none.
func (c *Checkout) label() string {
	if c.scope == nil {
		return ""
	}
	return c.scope.label
}

// gap is a Gap with its sites by address.
type gap struct {
	duration      time.Duration
	inTransaction bool
	after, before *place
	in            string // the slow call that filled it
}

type slowCall struct {
	what     string
	site     *place
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
	var site *place
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

// endSilence counts the gap that ends now, with the line before which it did.
func (c *Checkout) endSilence(now time.Duration, before *place) {
	d := now - c.since
	if c.inTx {
		c.silentInTx += d
	}
	g := gap{duration: d, inTransaction: c.inTx, after: c.after, before: before}
	if d > c.gap.duration {
		c.gap = g
	}
	if d < longGap {
		return
	}
	var longest time.Duration
	for _, call := range c.calls {
		in := min(call.end(now), now) - max(call.began, c.since)
		if in > longest {
			longest, g.in = in, call.what
		}
	}
	if len(c.gaps) < maxGaps {
		c.gaps = append(c.gaps, g)
		return
	}
	shortest := 0
	for i := range c.gaps {
		if c.gaps[i].duration < c.gaps[shortest].duration {
			shortest = i
		}
	}
	if c.gaps[shortest].duration < d {
		g, c.gaps[shortest] = c.gaps[shortest], g
	}
	if c.gapsLeft == nil {
		c.gapsLeft = &Gaps{SlowCall: Folded}
	}
	c.gapsLeft.Count++
	c.gapsLeft.Duration += g.duration
	c.gapsLeft.Longest = max(c.gapsLeft.Longest, g.duration)
}

func (k *slowCall) end(now time.Duration) time.Duration {
	if k.open {
		return now
	}
	return k.began + k.duration
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
	for i := range c.calls {
		if call := &c.calls[i]; call.open {
			call.open, call.duration = false, now-call.began
		}
	}
	c.running, c.released, c.since = 0, true, now
	c.mu.Unlock()
	c.scope.remove(c)
	c.pool.releases.Add(1)

	s := c.shard
	s.mu.Lock()
	s.remove(c)
	c.series = r.seriesOf(c)
	c.series.add(c, now)
	s.mu.Unlock()
}

// markPanicked marks the hold, whether it is open or was released.
func (c *Checkout) markPanicked() {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.panicked {
		return
	}
	c.panicked = true
	if s := c.series; s != nil {
		s.Panics++
		if w := &s.Worst; w.Began.Equal(c.pool.recorder.started.Add(c.began)) && w.Route == c.route {
			w.Panicked = true
		}
	}
}

// Describe returns the hold as it is now; false where it was released meanwhile.
func (c *Checkout) Describe() (Hold, bool) {
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
		Pool: c.pool.name, Route: c.route, Site: c.site.Site, Callers: c.site.callers(),
		Began: c.pool.recorder.started.Add(c.began).Round(0),
		Open:  !c.released, Running: c.running > 0, Panicked: c.panicked,
		Wait: max(c.wait, 0), Held: now - c.began, Busy: c.busy, SilentInTransaction: c.silentInTx,
		Statements: c.statements, SlowCallsLeftOut: c.callsLeft, Last: c.after.Site, label: c.label(),
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
				g = gap{duration: last, inTransaction: c.inTx, after: c.after}
			}
		}
	}
	h.LongestGap = Gap{Duration: g.duration, InTransaction: g.inTransaction}
	if g.after != nil {
		h.LongestGap.After = g.after.Site
	}
	if g.before != nil {
		h.LongestGap.Before = g.before.Site
	}
	for _, call := range c.calls {
		d := call.duration
		if call.open {
			d = now - call.began
		}
		h.SlowCalls = append(h.SlowCalls, SlowCall{call.what, call.site.Site, d, call.open})
	}
	slices.SortStableFunc(h.SlowCalls, func(a, b SlowCall) int { return cmp.Compare(b.Duration, a.Duration) })
	return h
}
