package pghold

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how a Recorder works. The zero value is good.
type Config struct {
	// MaxSeries is how many combinations of pool, route and call site are kept
	// apart. Holds of further ones are counted together, under the route Folded,
	// one for each pool. Default 512.
	MaxSeries int
	// Skip names what stands between the application and its connections, beside
	// the drivers and mappers that pghold knows: packages by their import path
	// ("example.com/app/db", with what is below it), and types or functions by
	// their full name ("example.com/app/db.Pool"). A call site is the first line
	// outside of these and of other modules that the program depends on. Default none.
	Skip []string
	// OnShortage is told of callers who wait for a connection longer than
	// LongWait, or whose wait ends with an error that is not the caller's own
	// cancellation, and of who holds the connections: at most once in 10 s for each
	// pool. It is called in a goroutine of its own, or in that of the caller whose
	// wait has failed. LogShortage makes one that logs. Default none.
	//
	// A pool that does not say who waits, but how many did and for how long
	// (database/sql), is looked at every LongWait while all its connections are in
	// use. It has a shortage when a caller who had begun to wait at the last look has
	// not been served since, as far as counts can tell: one who gives up counts as
	// one who waits until a connection is free; or when the waits that have ended
	// since lasted LongWait on average. A single caller who waits long among many
	// who do not is missed, and so is one whose wait fails.
	OnShortage func(Shortage)
	// LongWait is how long a caller may wait until OnShortage is told. Default 1 s.
	LongWait time.Duration
	// StuckAfter is how old a hold must be for its goroutine's stack to be looked
	// at, by OpenHolds, SnapshotWithStacks and Holders. Default 1 s.
	StuckAfter time.Duration
}

// Folded is the route under which holds are counted together when there are more
// combinations than Config.MaxSeries, and the name under which slow calls are when
// a series has more than maxPlaces of them.
const Folded = "(other)"

const (
	maxSlowCalls = 8  // that a hold keeps one by one
	maxGaps      = 8  // of at least longGap that a hold keeps one by one
	maxPlaces    = 32 // of slow calls, and of long gaps, that a series keeps apart

	// longGap is the shortest gap that is counted by its place. Shorter ones are
	// the time in which a handler does its own work between two statements.
	longGap = time.Millisecond
)

// Recorder knows the holds that are open and sums up those that were. It is safe for
// concurrent use; make one with NewRecorder. Its memory is bounded by Config.MaxSeries
// series and one for each pool, whatever number of holds, routes, call sites, stacks
// and hosts it is told of. It has a part for each processor, at most 16. In each part
// a series has three sketches of some 2 KB, one hold in full, and at most maxPlaces
// slow calls and gaps, and at most maxStacks stacks of each of three kinds are known.
// Beside these it keeps the stacks of at most 256 holds that are stuck.
type Recorder struct {
	cfg     Config
	started time.Time
	pools   sync.Map // from name to *Pool
	series  sync.Map // from seriesKey to struct{}: those that are kept apart
	kept    atomic.Int64
	folded  atomic.Uint64 // holds that were counted under Folded
	stacks  stacks

	// A hold belongs to one of the shards, by chance, from its checkout to its
	// release, so that there is no lock that all share.
	shards []shard
}

const maxShards = 16

type shard struct {
	mu     sync.Mutex
	sites  sites
	first  *Checkout // of the list of those who wait and those who hold
	series map[seriesKey]*Series
	_      [64]byte // the next shard's lock is on another cache line
}

func (s *shard) add(c *Checkout) {
	c.next = s.first
	if s.first != nil {
		s.first.prev = c
	}
	s.first = c
}

// remove does nothing where c is not on the list.
func (s *shard) remove(c *Checkout) {
	if c.prev != nil {
		c.prev.next = c.next
	} else if s.first == c {
		s.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// seriesKey names a series. A shard has a part of it under the same name: by its
// Site, not by the stack on which that was found, of which there may be any number.
type seriesKey struct {
	pool, route string
	site        Site
}

// NewRecorder makes a recorder.
func NewRecorder(cfg Config) *Recorder {
	if cfg.MaxSeries <= 0 {
		cfg.MaxSeries = 512
	}
	if cfg.LongWait <= 0 {
		cfg.LongWait = time.Second
	}
	if cfg.StuckAfter <= 0 {
		cfg.StuckAfter = time.Second
	}
	r := &Recorder{cfg: cfg, started: time.Now(), shards: make([]shard, min(maxShards, runtime.GOMAXPROCS(0)))}
	for i := range r.shards {
		r.shards[i].series = map[seriesKey]*Series{}
	}
	return r
}

// now is the time since the recorder was made, by the monotonic clock: a clock
// that is set does not disturb it.
func (r *Recorder) now() time.Duration { return time.Since(r.started) }

// Pool is a pool whose holds a Recorder records.
type Pool struct {
	recorder   *Recorder
	name       string
	stat       atomic.Pointer[func() PoolStat]
	size       atomic.Int64 // Max of the last PoolStat
	tellsWaits atomic.Bool  // some hold began with a Wait
	shortage   shortage

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
	// Waits counts the callers who had to queue, and WaitTime is how long they did
	// in all.
	Waits    uint64
	WaitTime time.Duration
}

// SetStat says how to ask the pool for what it knows of itself. stat is called at
// once and at each snapshot, and must not wait for a connection. Adapters do this;
// pools without it have no such figures.
func (p *Pool) SetStat(stat func() PoolStat) {
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

// Pool returns the pool of that name. Pools of one recorder are told apart by
// their names only: the same name is the same pool.
func (r *Recorder) Pool(name string) *Pool {
	if p, ok := r.pools.Load(name); ok {
		return p.(*Pool)
	}
	p, _ := r.pools.LoadOrStore(name, &Pool{recorder: r, name: name})
	return p.(*Pool)
}

// Wait is a caller that queues for a connection. It ends with Checkout or Fail.
type Wait struct{ c *Checkout } // the hold that it may become

// Wait begins a wait. ctx is the caller's: it may name the route, and slow calls
// made in it are seen by the hold.
func (p *Pool) Wait(ctx context.Context) Wait {
	n := p.queueing(1)
	for most := p.maxWaiting.Load(); n > most && !p.maxWaiting.CompareAndSwap(most, n); most = p.maxWaiting.Load() {
	}
	c := p.newCheckout(ctx)
	c.waiting = true
	if p.recorder.cfg.OnShortage != nil { // nobody else asks who waits
		c.shard.mu.Lock()
		c.shard.add(c)
		c.shard.mu.Unlock()
		p.watch()
	}
	return Wait{c}
}

// Fail ends a wait that got no connection.
func (w Wait) Fail(err error) {
	p := w.c.pool
	p.waiting.Add(-1)
	w.c.shard.mu.Lock()
	w.c.shard.remove(w.c)
	w.c.shard.mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled):
		p.cancelled.Add(1)
	case isTimeout(err):
		p.timeouts.Add(1)
		p.failed(w.c, err)
	default:
		p.failures.Add(1)
		p.failed(w.c, cmp.Or(err, errNone))
	}
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
	if !p.tellsWaits.Load() {
		p.tellsWaits.Store(true)
	}
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
		c.route = c.scope.route()
	}
	return c
}

// begin begins the hold.
func (c *Checkout) begin() {
	c.pool.checkouts.Add(1)
	r := c.pool.recorder
	var pcs stack
	runtime.Callers(3, pcs[:]) // above Checkout
	s := c.shard
	s.mu.Lock()
	c.site = s.sites.at(&pcs, r.cfg.Skip)
	c.after, c.sameLine, c.depth = c.site, c.site.first == sameLine, c.site.statements
	if c.depth == 0 {
		c.depth = uint8(len(pcs))
	}
	c.began = r.now()
	c.wait = unknownWait
	c.since = c.began
	if c.waiting {
		c.wait, c.waiting = c.began-c.queued, false
		s.remove(c)
	}
	s.add(c)
	s.mu.Unlock()
	c.scope.add(c)
}

const unknownWait = -1

// seriesOf returns the part of the series that c belongs to. The caller holds the
// lock of c's shard.
func (r *Recorder) seriesOf(c *Checkout) *Series {
	last := &c.site.last
	if last.series == nil || last.pool != c.pool || last.route != c.route {
		key := seriesKey{c.pool.name, c.route, c.site.Site}
		folded := !r.keeps(key)
		if folded {
			key = seriesKey{pool: c.pool.name, route: Folded}
		}
		s := c.shard.series[key]
		if s == nil {
			s = &Series{Pool: key.pool, Route: key.route, Site: key.site}
			c.shard.series[key] = s
		}
		*last = lastSeries{c.pool, c.route, s, folded}
	}
	if last.folded {
		r.folded.Add(1)
	}
	return last.series
}

// keeps reports whether a series is kept apart. It is where there is room for it.
func (r *Recorder) keeps(key seriesKey) bool {
	if _, kept := r.series.Load(key); kept {
		return true
	}
	if r.kept.Add(1) > int64(r.cfg.MaxSeries) {
		r.kept.Add(-1)
		return false
	}
	if _, other := r.series.LoadOrStore(key, struct{}{}); other {
		r.kept.Add(-1)
	}
	return true
}

// Snapshot is what the recorder knows now. The holds that are open are described
// one by one, but not yet counted in the series: each hold is in one of the two.
func (r *Recorder) Snapshot() *Snapshot {
	snap := &Snapshot{Version: snapshotVersion, Began: r.started.Round(0)}
	series := map[seriesKey]*Series{}
	var open []*Checkout
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for key, part := range s.series {
			whole := series[key]
			if whole == nil {
				whole = &Series{Pool: part.Pool, Route: part.Route, Site: part.Site}
				series[key] = whole
			}
			whole.Merge(part)
		}
		open = s.holds(open, nil)
		s.mu.Unlock()
	}
	for _, c := range open {
		snap.Open = append(snap.Open, c.describeOpen())
	}
	snap.FoldedHolds = r.folded.Load()
	snap.Taken = r.started.Add(r.now()).Round(0) // a clock that was set meanwhile is not asked
	for _, s := range series {
		snap.Series = append(snap.Series, s)
	}
	r.pools.Range(func(_, v any) bool {
		p := v.(*Pool)
		released := p.releases.Load() // before the checkouts: so that held is never negative
		stat := p.Stat()
		snap.Pools = append(snap.Pools, PoolSnapshot{
			Name: p.name, Waiting: int(p.queueing(0)), MaxWaiting: int(p.maxWaiting.Load()),
			Checkouts: p.checkouts.Load(), Releases: released,
			Timeouts: p.timeouts.Load(), Cancelled: p.cancelled.Load(), Failures: p.failures.Load(),
			Open: stat.Open, Max: stat.Max, Waits: stat.Waits, WaitTime: stat.WaitTime,
		})
		return true
	})
	snap.sort()
	return snap
}

// openHolds describes the holds that are open, of one pool or, where it is nil, of
// all.
func (r *Recorder) openHolds(of *Pool) []Hold {
	var open []*Checkout
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		open = s.holds(open, of)
		s.mu.Unlock()
	}
	var holds []Hold
	for _, c := range open {
		if h, ok := c.Describe(); ok {
			holds = append(holds, h)
		}
	}
	return holds
}

// holds appends the shard's open holds, of one pool or, where it is nil, of all. The
// caller holds the lock.
func (s *shard) holds(open []*Checkout, of *Pool) []*Checkout {
	for c := s.first; c != nil; c = c.next {
		if !c.waiting && (of == nil || c.pool == of) {
			open = append(open, c)
		}
	}
	return open
}

func (s *Snapshot) sort() {
	slices.SortFunc(s.Pools, func(a, b PoolSnapshot) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Series, func(a, b *Series) int { // what costs most comes first
		return cmp.Or(cmp.Compare(b.Silent.Sum(), a.Silent.Sum()), cmp.Compare(a.Pool, b.Pool),
			cmp.Compare(a.Route, b.Route), cmp.Compare(a.Site.File, b.Site.File), cmp.Compare(a.Site.Line, b.Site.Line))
	})
	for _, series := range s.Series {
		slices.SortFunc(series.SlowCalls, func(a, b SlowCalls) int {
			return cmp.Or(cmp.Compare(b.Duration, a.Duration), cmp.Compare(a.What, b.What))
		})
		slices.SortFunc(series.Gaps, func(a, b Gaps) int {
			return cmp.Or(cmp.Compare(b.Duration, a.Duration), cmp.Compare(a.After.Line, b.After.Line))
		})
	}
	sortHolds(s.Open)
}

func sortHolds(holds []Hold) {
	slices.SortFunc(holds, func(a, b Hold) int { return cmp.Compare(b.Held, a.Held) })
}
