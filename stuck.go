package pghold

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pghold/pghold/internal/callsite"
)

// Stack is what the goroutine that has a hold was doing at one moment: the one, of
// those within the hold's Do, that is in the function that took the connection; where
// none is, in the one that sent the last statement; else the one that Do runs in. So
// where a connection is handed to another goroutine, by a helper that has returned, it
// may be the stack of who waits for that one.
type Stack struct {
	Taken time.Time `json:"taken_at"`
	// Where is the innermost line of the application and what it calls there:
	// "net/http.(*Client).Do ← charge.go:41".
	Where  string `json:"where"`
	Frames []Site `json:"frames"` // the innermost first
	// Alike is 0 where the goroutine is known to be the hold's. Where more than 128
	// calls of Do run at once, and where there is none, holds are known by the
	// functions that took them only: then it is how many goroutines are in such a
	// function and, where these are enough, not above the line of the last statement, or
	// of the checkout. The holds have their stacks, each as often as it was seen.
	Alike int `json:"alike,omitempty"`

	line    Site // of the application; none where the hold may be at one of several
	waiting bool // for a connection of database/sql
	certain bool // of those that may be the hold's: each is one's, or all of them wait
}

// Seen is where goroutines were when they were looked at.
type Seen struct {
	Where   string `json:"where"` // as in Stack
	Samples uint64 `json:"samples"`
}

const maxSeen = 8 // places of which there are samples in a gap, or in gaps of one place

// addSeen counts samples. Of more than maxSeen places the rarest gives way.
func addSeen(all []Seen, more Seen) []Seen {
	i := slices.IndexFunc(all, func(s Seen) bool { return s.Where == more.Where })
	switch {
	case i >= 0:
		all[i].Samples += more.Samples
		return all
	case len(all) < maxSeen:
		return append(all, more)
	}
	rarest := 0
	for i := range all {
		if all[i].Samples < all[rarest].Samples {
			rarest = i
		}
	}
	all[rarest] = Seen{more.Where, all[rarest].Samples + more.Samples}
	return all
}

// mostly is the place where most samples were taken, "" where there are none.
func mostly(all []Seen) (where string, share float64) {
	var most, sum uint64
	for _, s := range all {
		sum += s.Samples
		if s.Samples > most {
			where, most = s.Where, s.Samples
		}
	}
	return where, float64(most) / float64(max(1, sum))
}

// sighting is what profiles have said of a hold. The hold's lock guards it.
type sighting struct {
	stack *Stack        // in the last
	at    time.Duration // when that was
	since time.Duration // when the gap began of which there are samples
	last  time.Duration // when the last sample was taken
	where []Seen
}

// stacks are taken for those who ask for them and, while holds are silent for long, so
// that the gaps get names.
type stacks struct {
	sampling atomic.Bool // a timer runs

	mu     sync.Mutex
	taken  time.Duration              // since the recorder was made
	queued queuers                    // who waited for a connection of database/sql then
	of     *Pool                      // for which they did, as far as can be known; else nil
	since  map[string][]time.Duration // of those who did in the last in which it was known, as look has it
	cost   time.Duration              // of the last profile and of what was done with it
	next   time.Duration              // no profile is taken before
}

// profileShare is the part of a core that profiles may take: after one that took a
// millisecond there is none for a hundred.
const profileShare = 0.01

// minPause is the shortest time between two profiles, whatever they cost, unless stacks
// are asked for of younger holds.
const minPause = 100 * time.Millisecond

// OpenHolds describes the holds that are open, the longest first. Those that are
// older than Config.StuckAfter have a Stack, as far as it is found. It may be some time
// old, as it says: profiles of goroutines are taken so seldom that they need at most
// 1 % of a core. The next one is taken after a hundred times as long as the last one
// took, which is some seconds where 10,000 requests are stuck.
func (r *Recorder) OpenHolds() []Hold {
	holds := r.openHolds(nil)
	sortHolds(holds)
	r.locate(holds)
	return holds
}

// SnapshotWithStacks is Snapshot with the stacks of the open holds, as OpenHolds has
// them. All of it is taken in one look: each hold is either open or counted.
func (r *Recorder) SnapshotWithStacks() *Snapshot {
	s := r.Snapshot()
	r.locate(s.Open)
	full := r.onlyFull()
	for i := range s.Pools {
		p := r.Pool(s.Pools[i].Name)
		if p.allWait(s.Open) > 0 {
			s.Pools[i].Deadlock = true
		}
		if p == full && s.Pools[i].CountsOnly {
			seen, now := p.seenWaiters(s.Open)
			s.Waiters = append(s.Waiters, seen...)
			s.Pools[i].Waiting, s.Pools[i].MaxWaiting = min(now, int(s.Pools[i].Waits)), int(p.maxWaiting.Load())
		}
	}
	sortWaiters(s.Waiters)
	return s
}

// locate gives the holds that are old enough their stacks.
func (r *Recorder) locate(holds []Hold) {
	if !slices.ContainsFunc(holds, func(h Hold) bool { return h.Held >= r.cfg.StuckAfter }) {
		return
	}
	r.profile()
	for i := range holds {
		if h := &holds[i]; h.Held >= r.cfg.StuckAfter {
			h.of.mu.Lock()
			if seen := h.of.seen; seen != nil {
				h.Stack = seen.stack
			}
			h.of.mu.Unlock()
		}
	}
	r.inferOwnWaits(holds)
}

// stuck is a hold at the moment when it is looked for in a profile.
type stuck struct {
	of         *Checkout
	label      label
	site, last *place
	since      time.Duration // when the silence began, where it lasts
	silent     bool
}

// group is what holds have in common that a profile cannot tell apart.
type group struct {
	label      label
	site, last Site
}

func (h *stuck) group() group { return group{h.label, h.site.site(), h.last.site()} }

// profile looks, when the next look is due, where the goroutines are that have the holds.
func (r *Recorder) profile() {
	s := &r.stacks
	s.mu.Lock()
	defer s.mu.Unlock()
	began := r.now()
	if began < s.next {
		return
	}
	holds := r.stuckFor(min(r.cfg.StuckAfter, r.sampleAfter()))
	byLabel := map[string][]callsite.Goroutines{}
	alike := map[group]int{}
	full := r.onlyFull()
	all := full != nil || len(s.queued) > 0 // who waits may have any label, and so may a hold's goroutine
	for _, h := range holds {
		byLabel[h.label.String()] = nil
		all = all || h.label == noLabel
		if !h.label.own() {
			alike[h.group()]++
		}
	}
	look := r.lookAt(full)
	if len(holds) > 0 || all {
		callsite.Profile(labelKey, byLabel, all)
	}
	s.taken = r.now()
	s.queued, s.of = nil, nil
	if all {
		if r.onlyFull() != full {
			look.pool = nil
		}
		s.queued, s.of = look.queued(byLabel, s.taken), look.pool
		if s.of != nil {
			s.since = look.now
			full.sawWaiting(int64(min(uint64(s.queued.callers()), full.Stat().Waits))) // more wait for another pool
		}
		var everybody []callsite.Goroutines
		for _, g := range byLabel {
			everybody = append(everybody, g...)
		}
		byLabel[noLabel.String()] = everybody
	}
	taken := r.started.Add(s.taken).Round(0)
	groups := map[group]*candidates{}
	for _, h := range holds {
		goroutines := byLabel[h.label.String()]
		if h.label.own() {
			var stack *Stack
			if frames := holding(goroutines, h.site.site(), h.last.site(), r.cfg.Skip); frames != nil {
				stack = newStack(frames, taken, r.cfg.Skip)
			}
			h.of.sight(stack, h, s.taken)
			continue
		}
		key := h.group()
		if groups[key] == nil {
			groups[key] = newCandidates(goroutines, h, alike[key], taken, r.cfg.Skip)
		}
		h.of.sight(groups[key].next(), h, s.taken)
	}
	s.cost = r.now() - began
	s.next = began + max(s.cost+time.Duration(float64(s.cost)/profileShare), min(r.cfg.StuckAfter, minPause))
}

// stuckFor are the open holds that have lasted for so long.
func (r *Recorder) stuckFor(d time.Duration) (holds []stuck) {
	now := r.now()
	var old []*Checkout
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for c := s.first; c != nil; c = c.next {
			if now-c.began >= d {
				old = append(old, c)
			}
		}
		s.mu.Unlock()
	}
	for _, c := range old {
		c.mu.Lock()
		if !c.released {
			holds = append(holds, stuck{c, c.label(), c.site, c.after, c.since, c.running == 0})
		}
		c.mu.Unlock()
	}
	return holds
}

// sight notes where the hold's goroutine was in a profile that was taken at an instant,
// nil where it was not found. It is a sample of the hold's gap where that has lasted since
// before the profile began.
func (c *Checkout) sight(stack *Stack, h stuck, taken time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = &sighting{}
	}
	c.seen.stack, c.seen.at = stack, taken
	if !h.silent || c.released || c.running > 0 || c.since != h.since || taken-c.since < c.pool.recorder.sampleAfter() {
		return
	}
	if c.seen.since != c.since {
		c.seen.since, c.seen.where = c.since, nil
	}
	c.seen.last = taken
	if stack != nil {
		c.seen.where = addSeen(c.seen.where, Seen{stack.Where, 1})
	}
}

// candidates are the stacks that the holds of a group may have.
type candidates struct {
	stacks []*Stack
	counts []int // of goroutines
	all    int
	holds  int // of the group
	given  int
}

// newCandidates are the goroutines of a label that are in the function that took a hold's
// connection or, where too few of these may have it, in the one that sent the last
// statement, or in one that called the first. Who is about to take one has not got it; who
// is above the line of the last statement, or of the checkout, has not either, unless there
// are too few others: lines say little of a loop.
func newCandidates(goroutines []callsite.Goroutines, of stuck, holds int, taken time.Time, skip []string) *candidates {
	in := []func(f callsite.Site) bool{
		func(f callsite.Site) bool { return f.Func == of.site.Func },
		func(f callsite.Site) bool { return f.Func == of.last.Func },
	}
	for _, caller := range of.site.Callers() {
		in = append(in, func(f callsite.Site) bool { return callsite.Function(f.Func) == caller })
	}
	var any []callsite.Goroutines // of the first function in which there are some
	for i, in := range in {
		some := false
		var may []callsite.Goroutines
		for _, g := range goroutines {
			if !slices.ContainsFunc(g.Frames, in) {
				continue
			}
			some = true
			if at := callsite.Application(g.Frames, skip); at >= 0 && g.Frames[at] == of.site.Site && of.site.Compare(g.Frames) <= 0 {
				continue
			}
			may = append(may, g)
		}
		if len(any) == 0 {
			any = may
		}
		may = notBefore(may, of.site)
		for _, may := range [][]callsite.Goroutines{notBefore(may, of.last), may} {
			if callers(may) < holds {
				continue
			}
			c := &candidates{holds: holds}
			c.add(may, taken, skip)
			c.mayWait(i < 2)
			return c
		}
		if some && i >= 2 { // who called the caller may have called much else
			break
		}
	}
	c := &candidates{holds: holds}
	c.add(any, taken, skip)
	return c
}

// notBefore leaves out those that are in the function of a place, and not as far.
func notBefore(all []callsite.Goroutines, p *place) (rest []callsite.Goroutines) {
	for _, g := range all {
		if p.Compare(g.Frames) >= 0 {
			rest = append(rest, g)
		}
	}
	return rest
}

// callers is how many goroutines these are.
func callers(all []callsite.Goroutines) (n int) {
	for _, g := range all {
		n += g.Count
	}
	return n
}

func (c *candidates) add(all []callsite.Goroutines, taken time.Time, skip []string) {
	c.all = callers(all)
	for _, g := range all {
		s := newStack(g.Frames, taken, skip)
		s.Alike = c.all
		c.stacks = append(c.stacks, s)
		c.counts = append(c.counts, g.Count)
	}
}

// mayWait says whether the stacks tell which of the holds wait for a connection: where there
// are as many as holds; or where all of them do, for then it does not matter whose is which.
// passed is that all are in the function that has the hold, past its line.
func (c *candidates) mayWait(passed bool) {
	exact := c.all == c.holds
	if !exact && !(passed && !slices.ContainsFunc(c.stacks, func(s *Stack) bool { return !s.waiting })) {
		return
	}
	oneLine := !slices.ContainsFunc(c.stacks, func(s *Stack) bool { return s.line != c.stacks[0].line })
	for _, s := range c.stacks {
		s.certain = true
		if !exact && !oneLine {
			s.line = Site{}
		}
	}
}

// next is the stack of the next hold of the group: they have each as often as it was
// seen.
func (c *candidates) next() *Stack {
	place := (2*c.given + 1) * c.all // of 2*c.holds
	c.given++
	for i, n := range c.counts {
		if place -= 2 * c.holds * n; place < 0 {
			return c.stacks[i]
		}
	}
	return nil
}

// holding picks, of the goroutines of one label, the one that has a hold: it is
// within the function that took the connection or, where that was a helper that has
// returned, within the one that sent the last statement, or in Do, or at least in
// some code of the application's. Others only have the label because somebody within
// Do has started them, as the first request to a host starts two goroutines of
// net/http's.
func holding(goroutines []callsite.Goroutines, site, last Site, skip []string) []callsite.Site {
	for _, is := range []func(callsite.Site) bool{
		func(f callsite.Site) bool { return f.Func == site.Func },
		func(f callsite.Site) bool { return f.Func == last.Func },
		func(f callsite.Site) bool { return f.Func == doFrame },
	} {
		for _, g := range goroutines {
			if slices.ContainsFunc(g.Frames, is) {
				return g.Frames
			}
		}
	}
	for _, g := range goroutines {
		if callsite.Application(g.Frames, skip) >= 0 {
			return g.Frames
		}
	}
	return nil
}

func newStack(frames []callsite.Site, taken time.Time, skip []string) *Stack {
	s := &Stack{Taken: taken, Where: callsite.Where(frames, skip)}
	for _, f := range frames {
		s.Frames = append(s.Frames, Site(f))
	}
	if i := callsite.Application(frames, skip); i >= 0 {
		s.line = Site(frames[i])
	}
	s.waiting = inQueue(frames)
	return s
}

// inQueue reports whether a goroutine is where database/sql lets callers wait.
func inQueue(frames []callsite.Site) bool {
	inner := slices.IndexFunc(frames, func(f callsite.Site) bool { return !strings.HasPrefix(f.Func, "runtime.") })
	return inner >= 0 && frames[inner].Func == "database/sql.(*DB).conn"
}

// sampleAfter is how long a hold has to be silent until it is looked where it is.
func (r *Recorder) sampleAfter() time.Duration { return max(r.cfg.StuckAfter/2, minSampleAfter) }

const minSampleAfter = 100 * time.Millisecond

// sampleFor is how long a hold is silent when it is looked at no more: one that will
// never end, say of a test's, does not keep a timer going.
const sampleFor = time.Hour

// sample looks where silent holds are, for as long as any is open. There is one timer for
// a recorder, and none where nobody has a connection.
func (r *Recorder) sample() {
	if r.stacks.sampling.Swap(true) {
		return
	}
	r.sampleLater()
}

func (r *Recorder) sampleLater() {
	time.AfterFunc(2*r.sampleAfter(), func() {
		open, due := r.silentFor(r.now())
		if due {
			r.profile()
		}
		if open {
			r.sampleLater()
			return
		}
		r.stacks.sampling.Store(false)
		if open, _ := r.silentFor(r.now()); open { // somebody may have come between the two
			r.sample()
		}
	})
}

// silentFor reports whether holds are open that may be looked at, and whether there is one of whose gap a
// sample is due: it has lasted for long, and for twice as long as when the last was
// taken.
func (r *Recorder) silentFor(now time.Duration) (open, due bool) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for c := s.first; c != nil && !due; c = c.next {
			c.mu.Lock()
			open = open || now-c.since < sampleFor
			if silent := now - c.since; !c.intended && c.running == 0 && silent >= r.sampleAfter() && silent < sampleFor {
				due = c.seen == nil || c.seen.since != c.since || now-c.since >= 2*(c.seen.last-c.since)
			}
			c.mu.Unlock()
		}
		s.mu.Unlock()
	}
	return open, due
}
