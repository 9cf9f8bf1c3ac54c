package pghold

import (
	"runtime"
	"sync"
	"time"
)

// Config says how a Recorder works. The zero value is good.
type Config struct {
	// MaxSeries is how many combinations of pool, route and call site are kept
	// apart: those that were silent longest. Holds of further ones are counted
	// together, under the route Folded, one for each pool. Default 512.
	MaxSeries int
	// Skip names what stands between the application and its connections, beside
	// the drivers and mappers that pghold knows: packages by their import path
	// ("example.com/app/db", with what is below it), and types or functions by
	// their full name ("example.com/app/db.Pool"), also where their methods have
	// pointer receivers, or they have type parameters. A call site is the first line
	// outside of these and of other modules that the program depends on. Default none.
	Skip []string
	// OnShortage is told of callers who wait for a connection longer than
	// LongWait, or whose wait ends with an error that is not the caller's own
	// cancellation, and of who holds the connections: at most once in 10 s for each
	// pool, and apart from that of requests that wait for themselves, and of a deadlock,
	// as often. It is told, too, as often, and where it was told of no long wait in these
	// 10 s, that one caller or more waited at a moment of the last 10 s, on average, and
	// that each did for a tenth of LongWait or more (Shortage.MeanWaiting). It is called in a
	// goroutine of its own, or in that of the caller whose wait has failed, and must not wait
	// for a connection of the pool, as a logger does that writes to it. LogShortage makes one
	// that logs. Default none.
	//
	// A pool that does not say who waits, but how many did and for how long
	// (database/sql), is looked at every LongWait while all its connections are in
	// use. It has a shortage when a caller who had begun to wait at the last look has
	// not been served since, as far as counts, and goroutines that are seen to wait, can
	// tell: one who gives up counts as one who waits until a connection is free; or when the waits that have ended
	// since lasted LongWait on average. A single caller who waits long among many
	// who do not is missed, and so is one whose wait fails.
	OnShortage func(Shortage)
	// LongWait is how long a caller may wait until OnShortage is told. Default 1 s.
	LongWait time.Duration
	// OnHint is told what is to be said of how the recorder is set up, in a sentence or
	// two, once: that no route has a name, that one line takes most connections (see
	// Skip), that releases do not arrive, that two pools have one name, that busy times have
	// much waiting for a processor in them (Window.Starved), that slow calls have no context
	// of a handler's. It is called by who finds it, and must not wait for a connection.
	// Default: a warning in slog.Default().
	OnHint func(hint string)
	// StuckAfter is how old a hold must be for its goroutine's stack to be looked at, by
	// OpenHolds, SnapshotWithStacks and Holders. Half of it, and at least 100 ms, is how
	// long a hold must be silent until it is looked where it is, for Gaps.Seen.
	// Default 1 s.
	StuckAfter time.Duration
}

// Recorder knows the holds that are open and sums up those that were. It is safe for
// concurrent use; make one with NewRecorder. Its memory is bounded by Config.MaxSeries
// series and one for each pool, whatever number of holds, routes, call sites, stacks
// and hosts it is told of. It has a part for each processor, at most 16. In each part
// a series has three sketches of some 2 KB, one hold in full, and at most maxPlaces
// slow calls and gaps, and at most maxStacks stacks of each of five kinds are known.
// Beside these it keeps a stack for each open hold that is stuck, those that are alike
// once, and counts of at most 20 moments for the windows.
type Recorder struct {
	cfg     Config
	started time.Time
	pools   sync.Map // from name to *Pool
	stacks  stacks
	hints   hints
	frames  frames
	opening sync.Mutex // of pools, by OpenPool

	readRunnable func() runnable // readRunnable, but for tests
	runnable     runnable        // when recording began

	// A hold belongs to one of the shards, by chance, from its checkout to its
	// release, so that there is no lock that all share.
	shards []shard
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
	r := &Recorder{cfg: cfg, started: time.Now(), readRunnable: readRunnable, runnable: readRunnable(), shards: make([]shard, min(maxShards, runtime.GOMAXPROCS(0)))}
	for i := range r.shards {
		r.shards[i].series = map[seriesKey]*Series{}
	}
	return r
}

// now is the time since the recorder was made, by the monotonic clock: a clock
// that is set does not disturb it.
func (r *Recorder) now() time.Duration { return time.Since(r.started) }

// Snapshot is what the recorder knows now. The holds that are open are described
// one by one, but not yet counted in the series: each hold is in one of the two.
func (r *Recorder) Snapshot() *Snapshot {
	snap := &Snapshot{Version: snapshotVersion, Began: r.started.Round(0)}
	series := map[seriesKey]*Series{}
	var open []*Checkout
	var waits []waiting
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for key, part := range s.series {
			whole := series[key]
			if whole == nil {
				whole = newSeries(key)
				series[key] = whole
			}
			whole.Merge(part)
		}
		open = s.holds(open, nil)
		waits = s.waits(waits)
		s.mu.Unlock()
	}
	for _, c := range open {
		snap.Open = append(snap.Open, c.describeOpen())
	}
	snap.Windows = r.windows()
	snap.Hints = r.hints.all()
	snap.Waiters = r.waiters(waits)
	r.ownWaits(snap.Open)
	snap.Taken = r.started.Add(r.now()).Round(0) // a clock that was set meanwhile is not asked
	foldLeast(series, r.cfg.MaxSeries)
	for _, s := range series {
		snap.Series = append(snap.Series, s)
		if !s.named() {
			snap.FoldedHolds += s.Held.Count()
		}
	}
	r.pools.Range(func(_, v any) bool {
		p := v.(*Pool)
		released := p.releases.Load() // before the checkouts: so that held is never negative
		stat := p.Stat()
		snap.Pools = append(snap.Pools, PoolSnapshot{
			Name: p.name, Waiting: int(p.queueing(0)), MaxWaiting: int(p.maxWaiting.Load()),
			Checkouts: p.checkouts.Load(), Releases: released,
			Timeouts: p.timeouts.Load(), Cancelled: p.cancelled.Load(), Failures: p.failures.Load(),
			CountsOnly: p.checkouts.Load() > 0 && !p.tellsWaits.Load(), Deadlock: p.waiting.Load() > 0 && p.deadlocked() > 0,
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
	r.ownWaits(holds)
	return holds
}

const maxShards = 16

type shard struct {
	mu      sync.Mutex
	sites   sites
	first   *Checkout // of the list of those who hold
	queue   *Checkout // of the list of those who wait
	series  map[seriesKey]*Series
	counted uint64               // holds
	failed  map[routeOf]Arrivals // waits that ended without a connection, of at most maxFailed routes
	_       [64]byte             // the next shard's lock is on another cache line
}

func (s *shard) add(c *Checkout) {
	list := s.list(c)
	c.next = *list
	if *list != nil {
		(*list).prev = c
	}
	*list = c
}

// list is the one that c is on: of those who wait, or of those who hold.
func (s *shard) list(c *Checkout) **Checkout {
	if c.waiting {
		return &s.queue
	}
	return &s.first
}

// remove does nothing where c is not on its list.
func (s *shard) remove(c *Checkout) {
	if list := s.list(c); c.prev != nil {
		c.prev.next = c.next
	} else if *list == c {
		*list = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// holds appends the shard's open holds, of one pool or, where it is nil, of all. The
// caller holds the lock.
func (s *shard) holds(open []*Checkout, of *Pool) []*Checkout {
	for c := s.first; c != nil; c = c.next {
		if of == nil || c.pool == of {
			open = append(open, c)
		}
	}
	return open
}
