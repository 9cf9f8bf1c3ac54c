package pghold

import (
	"runtime"
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

	intended bool // on purpose

	// The shard's lock guards these: its lists are of those who wait and of those
	// who hold.
	waiting    bool
	prev, next *Checkout
	series     *Series // in which it was counted, nil before

	sameLine bool   // whether the first statement is known to be sent by the line of site
	depth    uint8  // of the stacks that are taken of statements
	site     *place // where it waits for itself, the line that does
	wait     time.Duration
	began    time.Duration // these five are set when the wait is over

	// mu guards the rest against those who look, and against the slow calls,
	// which another goroutine may make.
	mu         sync.Mutex
	released   bool
	panicked   bool
	inTx       bool
	running    int32 // statements, one inside the other
	statements int32
	since      time.Duration // when the statement, or the silence, began
	busy       time.Duration
	silentInTx time.Duration
	after      *place // of the last statement
	gap        gap    // the longest
	gaps       []gap  // the longest of at least longGap
	gapsLeft   []Gaps // the sums of those that were not kept, with and without slow calls
	calls      *slowCalls
	seen       *sighting // nil where no profile was taken
}

const unknownWait = -1

const (
	maxGaps = 8 // of at least longGap that a hold keeps one by one

	// longGap is the shortest gap that is counted by its place. Shorter ones are
	// the time in which a handler does its own work between two statements.
	longGap = time.Millisecond
)

// gap is a Gap with its sites by address.
type gap struct {
	duration      time.Duration
	inTransaction bool
	after, before *place
	in            string    // the slow call that filled it
	seen          *sighting // what profiles said of it, or nil
}

// where are the samples that were taken in the gap.
func (g *gap) where() []Seen {
	if g.seen == nil {
		return nil
	}
	return g.seen.where
}

// label is that of the goroutine.
func (c *Checkout) label() label {
	if c.scope == nil {
		return noLabel
	}
	return c.scope.label
}

// begin begins the hold.
func (c *Checkout) begin() {
	c.pool.checkouts.Add(1)
	r := c.pool.recorder
	var pcs stack
	var key newKey
	s := c.shard
	site := s.byKey(&key, 2, uint8(len(pcs)))
	if site == nil {
		runtime.Callers(3, pcs[:]) // above Checkout
	}
	s.mu.Lock()
	if site == nil {
		site = s.sites.at(&pcs, &key, r.cfg.Skip)
	}
	c.site, c.after, c.sameLine, c.depth = site, site, site.first == sameLine, site.statements
	if c.depth == 0 {
		c.depth = uint8(len(pcs))
	}
	c.began = r.now()
	c.wait = unknownWait
	c.since = c.began
	if c.waiting {
		s.remove(c)
		c.wait, c.waiting = c.began-c.queued, false
	}
	s.add(c)
	s.mu.Unlock()
	if c.scope == nil && !c.pool.tellsWaits.Load() {
		c.pool.unscoped.add(c.route)
	}
	c.scope.add(c)
	if !r.stacks.sampling.Load() {
		r.sample()
	}
	if !r.frames.running.Load() {
		r.keepFrames()
	}
}

// BeginStatement tells that a statement was sent. One that begins while another
// runs is part of it: a driver may have to prepare before it can run.
func (c *Checkout) BeginStatement() {
	now := c.pool.recorder.now()
	site, first := c.site, c.statements == 0 // only the holder writes statements
	if !first || !c.sameLine || now-c.began >= longGap {
		var pcs stack
		var key newKey
		site = c.shard.byKey(&key, 1, c.depth)
		if site == nil {
			runtime.Callers(2, pcs[:c.depth]) // above the adapter
		}
		c.shard.mu.Lock()
		if site == nil {
			site = c.shard.sites.at(&pcs, &key, c.pool.recorder.cfg.Skip)
		}
		c.site.sends(site, first)
		c.shard.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running++; c.running > 1 || c.released {
		return
	}
	c.statements++
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
	if c.calls != nil {
		c.calls.silence()
	}
}

// endSilence counts the gap that ends now, with the line before which it did.
func (c *Checkout) endSilence(now time.Duration, before *place) {
	d := now - c.since
	if c.inTx {
		c.silentInTx += d
	}
	g := gap{duration: d, inTransaction: c.inTx, after: c.after, before: before}
	if c.seen != nil && c.seen.since == c.since {
		g.seen, c.seen = c.seen, &sighting{stack: c.seen.stack, at: c.seen.at}
	}
	if d > c.gap.duration {
		c.gap = g
	}
	if d < longGap {
		return
	}
	if c.calls != nil {
		g.in = c.calls.filled(c.since, now)
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
	left := Gaps{InTransaction: g.inTransaction, Count: 1, Duration: g.duration, Longest: g.duration, Seen: g.where()}
	if g.in != "" {
		left.SlowCall = Folded
	}
	keepCostliest(&c.gapsLeft, left, maxPlaces)
}

// beginCall begins a slow call in the hold, which knows how long it was silent before.
func (c *Checkout) beginCall(call slowCall) (_ slowCall, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.released {
		return call, false
	}
	if c.calls == nil {
		c.calls = &slowCalls{}
	}
	call.silent = c.silent(call.began)
	call.quiet = call.quiet && c.running == 0
	c.calls.begin(call)
	return call, true
}

// endCall ends it, where the hold has not.
func (c *Checkout) endCall(call slowCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.released {
		return
	}
	now := c.pool.recorder.now()
	c.calls.end(call, c.since, now, c.silent(now))
}

// silent is how long the hold was silent until an instant that is not before its last
// statement, or nearly so. The caller holds mu.
func (c *Checkout) silent(now time.Duration) time.Duration {
	if c.running > 0 {
		now = c.since
	}
	return max(now, c.since) - c.began - c.busy
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
	if c.calls != nil {
		c.calls.endAll(now, now-c.began-c.busy)
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
	if s.counted++; s.counted >= hintsAfter && s.counted&(s.counted-1) == 0 {
		s.look(r)
	}
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
		for s.into != nil {
			s = s.into
		}
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
	h := c.hold(c.pool.recorder.now()) // by now nothing later is in it
	h.of = c
	return h, true
}

// describeOpen returns a hold that was open a moment ago. Where it was released
// meanwhile, it is as it was then.
func (c *Checkout) describeOpen() Hold {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.since
	if !c.released {
		now = c.pool.recorder.now()
	}
	h := c.hold(now)
	h.Open, h.of = true, c
	return h
}

// hold describes c. The caller holds mu, or has released c.
func (c *Checkout) hold(now time.Duration) Hold {
	h := Hold{
		Pool: c.pool.name, Route: c.route, Site: c.site.site(), Callers: c.site.Callers(),
		Intended: c.intended, Began: c.pool.recorder.started.Add(c.began).Round(0),
		Open: !c.released, Running: c.running > 0, Panicked: c.panicked,
		Wait: max(c.wait, 0), Held: now - c.began, Busy: c.busy, SilentInTransaction: c.silentInTx,
		Statements: int(c.statements), Last: c.after.site(),
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
				if c.seen != nil && c.seen.since == c.since {
					g.seen = c.seen
				}
			}
		}
	}
	h.LongestGap = Gap{Duration: g.duration, InTransaction: g.inTransaction}
	h.LongestGap.Mostly, _ = mostly(g.where())
	if g.after != nil {
		h.LongestGap.After = g.after.site()
	}
	if g.before != nil {
		h.LongestGap.Before = g.before.site()
	}
	if c.calls != nil {
		h.SlowCalls, h.SlowCallsLeftOut, h.SlowCallsLeftOutTime = c.calls.describe(now, h.Silent())
	}
	return h
}
