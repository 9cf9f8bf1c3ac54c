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
	// LongWait, or whose wait ends with a time-out, and of who holds the
	// connections: at most once in 10 s for each pool. It is called in a goroutine
	// of its own, or in that of the caller who timed out. LogShortage makes one
	// that logs. Default none.
	OnShortage func(Shortage)
	// LongWait is how long a caller may wait until OnShortage is told. Default 1 s.
	LongWait time.Duration
	// StuckAfter is how old a hold must be for its goroutine's stack to be looked
	// at, by OpenHolds and Holders. Default 1 s.
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

// Recorder knows the holds that are open and sums up those that were. It is safe
// for concurrent use; make one with New. Its memory is bounded by Config.MaxSeries
// series, whatever number of holds, routes and hosts it is told of. A series has a
// part for each processor, at most 16, and each part three sketches of some 2 KB,
// one hold in full, and at most maxPlaces slow calls and gaps.
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
	series map[seriesPart]*Series
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

// seriesKey names a series; seriesPart does in a shard, where a site has one
// address.
type (
	seriesKey struct {
		pool, route string
		site        Site
	}
	seriesPart struct {
		pool  *Pool
		route string
		site  *place
	}
)

// New makes a recorder.
func New(cfg Config) *Recorder {
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
		r.shards[i].series = map[seriesPart]*Series{}
	}
	return r
}

// now is the time since the recorder was made, by the monotonic clock: a clock
// that is set does not disturb it.
func (r *Recorder) now() time.Duration { return time.Since(r.started) }

// Pool is a pool whose holds a Recorder records.
type Pool struct {
	recorder *Recorder
	name     string

	waiting, maxWaiting           atomic.Int64
	checkouts, releases           atomic.Uint64
	timeouts, cancelled, failures atomic.Uint64 // of waits
	stat                          atomic.Pointer[func() PoolStat]
	shortage                      shortage
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
// each snapshot and must not wait for a connection. Adapters do this; pools
// without it have no such figures.
func (p *Pool) SetStat(stat func() PoolStat) { p.stat.Store(&stat) }

// Stat is what the pool says of itself, or nothing where nobody said how to ask.
func (p *Pool) Stat() PoolStat {
	if stat := p.stat.Load(); stat != nil {
		return (*stat)()
	}
	return PoolStat{}
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
	n := p.waiting.Add(1)
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
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, context.Canceled):
		p.cancelled.Add(1)
	case errors.As(err, &timeout) && timeout.Timeout(): // context.DeadlineExceeded among them
		p.timeouts.Add(1)
		p.timedOut(w.c, err)
	default:
		p.failures.Add(1)
	}
}

// Checkout ends a wait that got its connection, and begins the hold.
func (w Wait) Checkout() *Checkout {
	w.c.pool.waiting.Add(-1)
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
	c.after = c.site
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
	part := seriesPart{c.pool, c.route, c.site}
	if s, ok := c.shard.series[part]; ok {
		return s
	}
	key := seriesKey{c.pool.name, part.route, c.site.Site}
	if _, kept := r.series.Load(key); !kept {
		if r.kept.Add(1) > int64(r.cfg.MaxSeries) {
			r.kept.Add(-1)
			r.folded.Add(1)
			part = seriesPart{pool: c.pool, route: Folded}
			key = seriesKey{pool: c.pool.name, route: Folded}
			if s, ok := c.shard.series[part]; ok {
				return s
			}
		} else if _, other := r.series.LoadOrStore(key, struct{}{}); other {
			r.kept.Add(-1)
		}
	}
	s := &Series{Pool: key.pool, Route: key.route, Site: key.site}
	c.shard.series[part] = s
	return s
}

// Snapshot is what the recorder knows now. The holds that are open are described
// one by one, but not yet counted in the series.
func (r *Recorder) Snapshot() *Snapshot {
	snap := &Snapshot{Version: snapshotVersion, Began: r.started.Round(0), FoldedHolds: r.folded.Load()}
	series := map[seriesKey]*Series{}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, part := range s.series {
			key := seriesKey{part.Pool, part.Route, part.Site}
			whole := series[key]
			if whole == nil {
				whole = &Series{Pool: part.Pool, Route: part.Route, Site: part.Site}
				series[key] = whole
			}
			whole.merge(part)
		}
		s.mu.Unlock()
	}
	snap.Open = r.openHolds(nil)
	snap.Taken = time.Now().Round(0)
	for _, s := range series {
		snap.Series = append(snap.Series, s)
	}
	r.pools.Range(func(_, v any) bool {
		p := v.(*Pool)
		released := p.releases.Load() // before the checkouts: so that held is never negative
		stat := p.Stat()
		snap.Pools = append(snap.Pools, PoolSnapshot{
			Name: p.name, Waiting: int(p.waiting.Load()), MaxWaiting: int(p.maxWaiting.Load()),
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
		for c := s.first; c != nil; c = c.next {
			if !c.waiting && (of == nil || c.pool == of) {
				open = append(open, c)
			}
		}
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
