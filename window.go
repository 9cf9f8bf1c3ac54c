package pghold

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Window is what happened in a stretch of time that ends when the snapshot is taken.
type Window struct {
	// Asked is which one it is: a minute, ten minutes, or 0 for all since recording began.
	Asked time.Duration
	// Duration is how long it is: up to 10 s longer than asked, a minute where ten minutes
	// are asked, for that is how often counts are kept; or shorter, where recording began
	// later.
	Duration time.Duration
	// Routes are those for which somebody asked for a connection, or had one that came
	// back, the most arrivals first. Holds on purpose (Intend) are not among them.
	Routes []Arrivals
	// Pools are what pools count themselves, of those that do.
	Pools []PoolWaits
	// SchedulingLatency is how long goroutines of the process, whatever they are, waited for
	// a processor each time when they could run, on average and at least: by what
	// runtime/metrics has as /sched/latencies:seconds.
	SchedulingLatency time.Duration
	// Starved is that busy times say little of the database: SchedulingLatency is 1 ms or
	// more, and a quarter or more of what a statement took on average, of 100 or more. The
	// goroutine of a statement whose answer has come waits for a processor like others, and
	// is busy until it has one.
	Starved bool
}

// Arrivals are the callers of one pool and route who asked for a connection within a
// window, and what became of those whose wait or hold ended in it.
type Arrivals struct {
	Pool  string `json:"pool"`
	Route string `json:"route"`
	// Arrivals counts the callers who came, whether they got a connection or not. Of a pool
	// that does not say who waits (database/sql), those who still wait, and those who gave
	// up, are not known by their routes: see PoolWaits.
	Arrivals            uint64        `json:"arrivals"`
	Holds               uint64        `json:"holds"` // that ended
	Wait                time.Duration `json:"-"`     // a sum, as those below: of these holds, and of waits without a connection
	Held                time.Duration `json:"-"`
	Busy                time.Duration `json:"-"`
	Silent              time.Duration `json:"-"`
	SilentInTransaction time.Duration `json:"-"`
	Statements          uint64        `json:"statements"`
	Timeouts            uint64        `json:"timeouts"` // waits that ended so, as in PoolSnapshot
	Cancelled           uint64        `json:"cancelled"`
	Failures            uint64        `json:"failures"`
}

// PoolWaits are the waits of a pool by its own count, as in PoolStat.
type PoolWaits struct {
	Pool     string
	Waits    uint64        // callers who had to queue
	WaitTime time.Duration // of those whose wait ended
}

// The windows there are beside the one since the start.
var windowLengths = []time.Duration{time.Minute, 10 * time.Minute}

const (
	frameEvery = 10 * time.Second
	// Frames are kept one by one for so long, then one a minute, for ten minutes: at most
	// 20, each with what a pool and route has counted in some 150 bytes.
	framesInFull = time.Minute + frameEvery
)

// frames are the counts of a recorder at some moments, of which windows are the
// differences.
type frames struct {
	running atomic.Bool // a timer runs

	mu   sync.Mutex
	kept []frame // in the order of time
}

// frame is what had been counted at a moment.
type frame struct {
	at     time.Duration
	paused bool // nothing was counted until the next one
	routes map[routeOf]Arrivals
	pools  map[string]PoolWaits
	crowds map[*Pool]crowd

	runnable runnable
}

// routeOf names a route of a pool.
type routeOf struct{ pool, route string }

// count is what has been counted until now.
func (r *Recorder) count() frame {
	f := frame{at: r.now(), routes: map[routeOf]Arrivals{}, pools: map[string]PoolWaits{}, crowds: map[*Pool]crowd{}, runnable: r.readRunnable()}
	waiting := map[*Pool]time.Duration{} // in waits that go on, and of holds that are open
	add := func(pool, route string, more Arrivals) {
		k := routeOf{pool, route}
		sum := f.routes[k]
		sum.Pool, sum.Route = pool, route
		sum.add(more, 1)
		f.routes[k] = sum
	}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, series := range s.series {
			if n := series.Held.Count(); !series.Intended {
				add(series.Pool, series.Route, Arrivals{Arrivals: n, Holds: n, Wait: series.Wait.Sum(), Held: series.Held.Sum(), Busy: series.Busy,
					Silent: series.Silent.Sum(), SilentInTransaction: series.SilentInTransaction, Statements: series.Statements})
			}
		}
		for k, failed := range s.failed {
			add(k.pool, k.route, failed)
		}
		for _, list := range []*Checkout{s.first, s.queue} {
			for c := list; c != nil; c = c.next {
				if !c.intended {
					c.mu.Lock()
					route := c.route
					c.mu.Unlock()
					add(c.pool.name, route, Arrivals{Arrivals: 1})
					waiting[c.pool] += c.waited(f.at)
				}
			}
		}
		s.mu.Unlock()
	}
	r.pools.Range(func(_, v any) bool {
		p := v.(*Pool)
		stat := p.Stat()
		if stat.Waits > 0 {
			f.pools[p.name] = PoolWaits{p.name, stat.Waits, stat.WaitTime}
		}
		f.crowds[p] = f.crowd(p, stat, waiting[p])
		return true
	})
	return f
}

// add adds counts, sign times. What would be less than nothing is nothing: a route may
// have given way to others, and be counted under Folded.
func (a *Arrivals) add(o Arrivals, sign int64) {
	n := func(a *uint64, o uint64) { *a = uint64(max(0, int64(*a)+sign*int64(o))) }
	d := func(a *time.Duration, o time.Duration) { *a = max(0, *a+time.Duration(sign)*o) }
	n(&a.Arrivals, o.Arrivals)
	n(&a.Holds, o.Holds)
	n(&a.Statements, o.Statements)
	n(&a.Timeouts, o.Timeouts)
	n(&a.Cancelled, o.Cancelled)
	n(&a.Failures, o.Failures)
	d(&a.Wait, o.Wait)
	d(&a.Held, o.Held)
	d(&a.Busy, o.Busy)
	d(&a.Silent, o.Silent)
	d(&a.SilentInTransaction, o.SilentInTransaction)
}

// keepFrames keeps what has been counted until now, and again every frameEvery for as long
// as something happens.
func (r *Recorder) keepFrames() {
	if r.frames.running.Swap(true) {
		return
	}
	go func() { // whoever has just got a connection does not count
		last := r.activity()
		r.keepFrame(false)
		r.nextFrame(last)
	}()
}

func (r *Recorder) nextFrame(last uint64) {
	time.AfterFunc(frameEvery, func() {
		now := r.activity()
		r.keepFrame(now == last)
		if now != last {
			r.nextFrame(now)
			return
		}
		r.frames.running.Store(false)
		if r.activity() != last { // somebody may have come between the two
			r.keepFrames()
		}
	})
}

// activity changes whenever somebody comes or goes.
func (r *Recorder) activity() (n uint64) {
	r.pools.Range(func(_, v any) bool {
		p := v.(*Pool)
		n += p.checkouts.Load() + p.releases.Load() + p.timeouts.Load() + p.cancelled.Load() + p.failures.Load() + uint64(p.waiting.Load())<<32
		return true
	})
	return n
}

func (r *Recorder) keepFrame(paused bool) {
	f := r.count()
	f.paused = paused
	s := &r.frames
	s.mu.Lock()
	base, last := r.before(s.kept, f.at, windowLengths[0]), f
	if n := len(s.kept); n > 0 {
		last = s.kept[n-1]
	}
	s.keep(f)
	s.mu.Unlock()
	r.tellStarved(f.since(base, windowLengths[0]))
	r.tellCrowds(last, f)
	r.tellStrays()
}

// keep keeps a frame. The caller holds the lock.
func (s *frames) keep(f frame) {
	s.kept = append(s.kept, f)
	// Of the older ones, the last before each minute is kept.
	var kept []frame
	for i, old := range s.kept {
		age := f.at - old.at
		next := f.at
		if i+1 < len(s.kept) {
			next = s.kept[i+1].at
		}
		switch {
		case age <= framesInFull:
		case f.at-next > windowLengths[len(windowLengths)-1]+time.Minute: // the next one does as well
			continue
		case old.at/time.Minute == next/time.Minute && f.at-next > framesInFull:
			continue
		}
		kept = append(kept, old)
	}
	s.kept = kept
}

// windows are those that end now.
func (r *Recorder) windows() []Window {
	now := r.count()
	r.frames.mu.Lock()
	kept := slices.Clone(r.frames.kept)
	r.frames.mu.Unlock()
	var all []Window
	for _, asked := range windowLengths {
		all = append(all, now.since(r.before(kept, now.at, asked), asked))
	}
	return append(all, now.since(r.before(nil, now.at, 0), 0))
}

// before is the frame with which a window begins that ends now: the last of those that are
// old enough or, where there is none, that of when recording began.
func (r *Recorder) before(kept []frame, now, asked time.Duration) frame {
	base := frame{runnable: r.runnable}
	for i, f := range kept {
		if f.at > now-asked {
			break
		}
		if base = f; f.paused {
			base.at = now - asked
			if i+1 < len(kept) {
				base.at = min(base.at, kept[i+1].at)
			}
		}
	}
	return base
}

// since is what was counted after an earlier frame.
func (f frame) since(base frame, asked time.Duration) Window {
	w := Window{Asked: asked, Duration: f.at - base.at}
	// Routes may have given way to others meanwhile, and be counted under Folded: that has
	// what is left of the pool's.
	left := map[string]Arrivals{}
	for k, sum := range f.routes {
		rest := left[k.pool]
		rest.add(sum, 1)
		left[k.pool] = rest
	}
	for k, sum := range base.routes {
		rest := left[k.pool]
		rest.add(sum, -1)
		left[k.pool] = rest
	}
	for k, sum := range f.routes {
		if k.route == Folded {
			continue
		}
		sum.add(base.routes[k], -1)
		rest := left[k.pool]
		rest.add(sum, -1)
		left[k.pool] = rest
		if sum.some() {
			w.Routes = append(w.Routes, sum)
		}
	}
	for pool, rest := range left {
		if rest.Pool, rest.Route = pool, Folded; rest.some() {
			w.Routes = append(w.Routes, rest)
		}
	}
	for name, sum := range f.pools {
		before := base.pools[name]
		if before.Waits > sum.Waits || before.WaitTime > sum.WaitTime { // it is another pool, of the same name
			before = PoolWaits{}
		}
		w.Pools = append(w.Pools, PoolWaits{name, sum.Waits - before.Waits, sum.WaitTime - before.WaitTime})
	}
	w.sort()
	w.starve(f.runnable.since(base.runnable))
	return w
}

// some reports whether anything was counted.
func (a *Arrivals) some() bool {
	return a.Arrivals+a.Holds+a.Timeouts+a.Cancelled+a.Failures > 0
}

func (w *Window) sort() {
	slices.SortFunc(w.Routes, func(a, b Arrivals) int {
		return cmp.Or(cmp.Compare(b.Arrivals, a.Arrivals), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Route, b.Route))
	})
	slices.SortFunc(w.Pools, func(a, b PoolWaits) int { return cmp.Compare(a.Pool, b.Pool) })
}

// merge adds what another process has counted in a window of the same kind.
func (w *Window) merge(o Window) {
	w.Duration = max(w.Duration, o.Duration)
	w.SchedulingLatency = max(w.SchedulingLatency, o.SchedulingLatency) // where it is worst
	w.Starved = w.Starved || o.Starved
	for _, more := range o.Routes {
		i := slices.IndexFunc(w.Routes, func(mine Arrivals) bool { return mine.Pool == more.Pool && mine.Route == more.Route })
		if i < 0 {
			w.Routes = append(w.Routes, more)
			continue
		}
		w.Routes[i].add(more, 1)
	}
	for _, more := range o.Pools {
		i := slices.IndexFunc(w.Pools, func(mine PoolWaits) bool { return mine.Pool == more.Pool })
		if i < 0 {
			w.Pools = append(w.Pools, more)
			continue
		}
		w.Pools[i].Waits += more.Waits
		w.Pools[i].WaitTime += more.WaitTime
	}
	w.sort()
}

type (
	windowJSON struct {
		Asked    seconds     `json:"asked_s"` // 0: since recording began
		Duration seconds     `json:"duration_s"`
		Routes   []Arrivals  `json:"routes"`
		Pools    []PoolWaits `json:"pools,omitempty"`

		SchedulingLatency seconds `json:"scheduling_latency_s"`
		Starved           bool    `json:"starved,omitempty"`
	}
	plainArrivals Arrivals
	arrivalsJSON  struct {
		plainArrivals
		Wait                seconds `json:"wait_s"`
		Held                seconds `json:"held_s"`
		Busy                seconds `json:"busy_s"`
		Silent              seconds `json:"silent_s"`
		SilentInTransaction seconds `json:"silent_in_transaction_s"`
	}
	poolWaitsJSON struct {
		Pool     string  `json:"pool"`
		Waits    uint64  `json:"waits"`
		WaitTime seconds `json:"wait_s"`
	}
)

// MarshalJSON writes durations as seconds.
func (w Window) MarshalJSON() ([]byte, error) {
	return json.Marshal(windowJSON{seconds(w.Asked), seconds(w.Duration), w.Routes, w.Pools, seconds(w.SchedulingLatency), w.Starved})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (w *Window) UnmarshalJSON(b []byte) error {
	var j windowJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*w = Window{time.Duration(j.Asked), time.Duration(j.Duration), j.Routes, j.Pools, time.Duration(j.SchedulingLatency), j.Starved}
	return nil
}

// MarshalJSON writes durations as seconds.
func (a Arrivals) MarshalJSON() ([]byte, error) {
	return json.Marshal(arrivalsJSON{plainArrivals(a), seconds(a.Wait), seconds(a.Held), seconds(a.Busy), seconds(a.Silent), seconds(a.SilentInTransaction)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Arrivals) UnmarshalJSON(b []byte) error {
	var j arrivalsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*a = Arrivals(j.plainArrivals)
	a.Wait, a.Held, a.Busy, a.Silent, a.SilentInTransaction = time.Duration(j.Wait), time.Duration(j.Held), time.Duration(j.Busy), time.Duration(j.Silent), time.Duration(j.SilentInTransaction)
	return nil
}

// MarshalJSON writes durations as seconds.
func (p PoolWaits) MarshalJSON() ([]byte, error) {
	return json.Marshal(poolWaitsJSON{p.Pool, p.Waits, seconds(p.WaitTime)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *PoolWaits) UnmarshalJSON(b []byte) error {
	var j poolWaitsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*p = PoolWaits{j.Pool, j.Waits, time.Duration(j.WaitTime)}
	return nil
}
