package pghold

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"
)

// OwnWait is that who has a hold waits for another connection of the same pool. It gets
// one only when others give theirs back: where all who hold wait, nobody does.
type OwnWait struct {
	At     Site          // the line that waits
	Waited time.Duration // so far; 0 where it is not known
	// Inferred is that the pool does not tell who waits (database/sql): the hold's
	// goroutine was seen in it where callers wait, while all connections were held and no
	// statement ran. It may wait for a connection of another such pool.
	Inferred bool
}

// Waiter is who waits for a connection of a pool now: all callers of one route or, without
// one, of one line, and apart from these those that wait for themselves.
type Waiter struct {
	Pool string
	// Route is, of callers who were only seen to wait, that of their Do, as it was told
	// last. Where more than 128 calls of Do run at once, where a Do, WithRoute or Intend is
	// within theirs, and where none was told, it is the handler that is on the stack,
	// "api.(*Server).list". Outside of Do, also within WithRoute, and in goroutines that a
	// handler starts, it is "".
	Route string
	// At is the application's line that waits, of callers without a route who were only
	// seen to wait; none where the stack has none.
	At      Site
	Count   int
	Longest time.Duration // how long that one has waited that has waited longest
	// Itself is that they wait for themselves: their own requests hold a connection of the
	// same pool. It is false, too, of callers who were only seen and of whom it is not known.
	// Own is where they took it; none also where the line is not known.
	Itself bool
	Own    Site
	// Seen is when they were seen to wait, of a pool that does not say who does
	// (database/sql): in a profile of goroutines, while it was the only such pool of which
	// all connections were held. They may wait for a connection of a pool that no recorder
	// knows. Longest is then how long at least: since an earlier profile, if the same
	// request was seen to wait in each since that one, and has got no connection; else 0.
	// Where connections are taken without a context, it is that of one of the handler's.
	// It is the zero time where the pool says who waits.
	Seen time.Time
}

type (
	ownWaitJSON struct {
		At       Site    `json:"at"`
		Waited   seconds `json:"waited_s"`
		Inferred bool    `json:"inferred,omitempty"`
	}
	waiterJSON struct {
		Pool    string    `json:"pool"`
		Route   string    `json:"route"`
		Count   int       `json:"count"`
		Longest seconds   `json:"longest_s"`
		Own     *Site     `json:"own,omitempty"`
		At      *Site     `json:"at,omitempty"`
		Seen    time.Time `json:"seen_at,omitzero"`
	}
)

// MarshalJSON writes the duration as seconds.
func (w OwnWait) MarshalJSON() ([]byte, error) {
	return json.Marshal(ownWaitJSON{w.At, seconds(w.Waited), w.Inferred})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (w *OwnWait) UnmarshalJSON(b []byte) error {
	var j ownWaitJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*w = OwnWait{j.At, time.Duration(j.Waited), j.Inferred}
	return nil
}

// MarshalJSON writes the duration as seconds.
func (w Waiter) MarshalJSON() ([]byte, error) {
	j := waiterJSON{Pool: w.Pool, Route: w.Route, Count: w.Count, Longest: seconds(w.Longest), Seen: w.Seen}
	if w.Itself {
		j.Own = &w.Own
	}
	if w.At != (Site{}) {
		j.At = &w.At
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (w *Waiter) UnmarshalJSON(b []byte) error {
	var j waiterJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*w = Waiter{Pool: j.Pool, Route: j.Route, Count: j.Count, Longest: time.Duration(j.Longest), Seen: j.Seen}
	if j.Own != nil {
		w.Itself, w.Own = true, *j.Own
	}
	if j.At != nil {
		w.At = *j.At
	}
	return nil
}

// String says what it waits for: "waiting for another connection of the same pool at
// app.go:93".
func (w *OwnWait) String() string {
	s := "waiting for another connection of the same pool"
	if w.At != (Site{}) {
		s += " at " + w.At.String()
	}
	if w.Inferred {
		s += " (inferred)"
	}
	return s
}

// OwnHold is where the request of a context took a connection of the pool that it still
// holds; false where it holds none. Whoever waits in ctx then waits for himself.
func (p *Pool) OwnHold(ctx context.Context) (Site, bool) {
	if c := scopeOf(ctx).holds(p); c != nil {
		return c.site.site(), true
	}
	return Site{}, false
}

// waiting is who waits, at one moment.
type waiting struct {
	of     *Checkout
	queued time.Duration
	route  string
	at     *place // nil where it was not looked
}

// waits appends those of the shard who wait. The caller holds the lock.
func (s *shard) waits(all []waiting) []waiting {
	for c := s.queue; c != nil; c = c.next {
		all = append(all, waiting{c, c.queued, c.route, c.site})
	}
	return all
}

// waiters sums up who waits, those who wait for themselves first, then the most.
func (r *Recorder) waiters(all []waiting) []Waiter {
	type key struct {
		pool, route string
		itself      bool
		own         Site
	}
	now := r.now()
	groups := map[key]*Waiter{}
	for _, w := range all {
		k := key{pool: w.of.pool.name, route: w.route}
		if own := w.of.scope.holds(w.of.pool); own != nil {
			k.itself, k.own = true, own.site.site()
		}
		sum := rowOf(groups, k)
		sum.Pool, sum.Route, sum.Itself, sum.Own = k.pool, k.route, k.itself, k.own
		sum.Count++
		sum.Longest = max(sum.Longest, now-w.queued)
	}
	return inOrder(groups)
}

func inOrder[K comparable](groups map[K]*Waiter) (all []Waiter) {
	for _, w := range groups {
		all = append(all, *w)
	}
	sortWaiters(all)
	return all
}

func sortWaiters(all []Waiter) {
	itself := func(w Waiter) int { return map[bool]int{true: 1}[w.Itself] }
	slices.SortFunc(all, func(a, b Waiter) int {
		return cmp.Or(itself(b)-itself(a), cmp.Compare(b.Count, a.Count), cmp.Compare(b.Longest, a.Longest), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Route, b.Route), cmp.Compare(a.Own.Line, b.Own.Line), cmp.Compare(a.At.Line, b.At.Line))
	})
}

// ownWaits tells the holds of those whose requests wait for another. There may be very
// many who wait, and there are few who hold.
func (r *Recorder) ownWaits(holds []Hold) {
	type of struct {
		scope *scope
		pool  *Pool
	}
	waits := map[of]*OwnWait{}
	for i := range holds {
		if c := holds[i].of; c.scope != nil {
			waits[of{c.scope, c.pool}] = nil
		}
	}
	if len(waits) == 0 {
		return
	}
	now := r.now()
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for c := s.queue; c != nil; c = c.next {
			for scope := c.scope; scope != nil; scope = scope.outer {
				if known, ok := waits[of{scope, c.pool}]; ok && known == nil {
					w := &OwnWait{Waited: now - c.queued}
					if c.site != nil {
						w.At = c.site.site()
					}
					waits[of{scope, c.pool}] = w
				}
			}
		}
		s.mu.Unlock()
	}
	for i := range holds {
		c := holds[i].of
		holds[i].OwnWait = waits[of{c.scope, c.pool}]
	}
}

// inferOwnWaits is ownWaits for pools that do not tell who waits, by the stacks that the
// holds were given. It needs a pool of which all connections are held and none is busy,
// and no other like that: a stack does not say which one it waits for.
func (r *Recorder) inferOwnWaits(holds []Hold) {
	var full *Pool
	for i := range holds {
		p := holds[i].of.pool
		if p == full || p.tellsWaits.Load() || !p.full() {
			continue
		}
		if full != nil {
			return
		}
		full = p
	}
	if full == nil || slices.ContainsFunc(holds, func(h Hold) bool { return h.of.pool == full && h.Running }) {
		return
	}
	for i := range holds {
		h := &holds[i]
		if h.of.pool != full || h.Stack == nil || !h.Stack.waiting || h.Stack.Alike > 0 && !h.Stack.certain || !h.of.silentSinceSight() {
			continue
		}
		h.OwnWait = &OwnWait{At: h.Stack.line, Inferred: true}
	}
}

// full reports whether all connections that the pool may have are held.
func (p *Pool) full() bool {
	if p.stat.Load() == nil {
		return false
	}
	s := p.Stat()
	return s.Max > 0 && int(p.checkouts.Load()-p.releases.Load()) >= s.Max
}

// silentSinceSight reports whether the hold has been silent since its stack was taken.
func (c *Checkout) silentSinceSight() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen != nil && !c.released && c.running == 0 && c.since <= c.seen.at
}

// deadlocked is how many connections are held by requests that wait for another, where no
// statement runs and these are all that the pool may have, but for those that are held on
// purpose; otherwise 0. It looks at all of it at one moment.
func (p *Pool) deadlocked() int {
	size := int(p.size.Load())
	if size == 0 {
		return 0
	}
	for i := range p.recorder.shards {
		p.recorder.shards[i].mu.Lock()
		defer p.recorder.shards[i].mu.Unlock()
	}
	var holds []*Checkout
	onPurpose := 0
	waits := map[*scope]bool{} // of those who hold
	for i := range p.recorder.shards {
		for c := p.recorder.shards[i].first; c != nil; c = c.next {
			switch {
			case c.pool != p:
			case c.intended:
				onPurpose++
			case c.scope == nil:
				return 0
			default:
				holds = append(holds, c)
				waits[c.scope] = false
			}
		}
	}
	if len(holds) == 0 || len(holds)+onPurpose < size {
		return 0
	}
	for i := range p.recorder.shards {
		for c := p.recorder.shards[i].queue; c != nil; c = c.next {
			for s := c.scope; s != nil && c.pool == p; s = s.outer {
				if _, holds := waits[s]; holds {
					waits[s] = true
				}
			}
		}
	}
	for _, c := range holds {
		c.mu.Lock()
		quiet := !c.released && c.running == 0
		c.mu.Unlock()
		if !waits[c.scope] || !quiet {
			return 0
		}
	}
	return len(holds)
}

// allWait is deadlocked of holds as they were described.
func (p *Pool) allWait(holds []Hold) int {
	n, wait := 0, 0
	for i := range holds {
		h := &holds[i]
		if h.of.pool != p {
			continue
		}
		n++
		switch {
		case h.Intended:
		case h.OwnWait == nil || h.Running:
			return 0
		default:
			wait++
		}
	}
	if size := int(p.size.Load()); size == 0 || n < size {
		return 0
	}
	return wait
}
