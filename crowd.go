package pghold

import "time"

// A crowd is that callers wait all the time, though each for less than LongWait: by Little's
// law the time that all have waited in a stretch, by its length, is how many wait at a moment
// of it, on average. Where that is one or more there is always somebody who waits. In a busy
// pool it is so, too, with waits that nobody minds, of a millisecond each: so these have to be
// a tenth of LongWait or more, on average.
const crowdWait = 10 // parts of LongWait

// crowd is what has been counted of a pool's waits until a moment.
type crowd struct {
	waited   time.Duration // by all, also in waits that go on, if the pool says who waits
	waits    uint64        // by the pool's own count; 0 where it has none
	arrivals uint64        // of all who came
}

// crowd is what a frame says of a pool.
func (f *frame) crowd(p *Pool, stat PoolStat, waiting time.Duration) crowd {
	c := crowd{waited: waiting, waits: stat.Waits}
	for of, a := range f.routes {
		if of.pool == p.name {
			c.waited += a.Wait
			c.arrivals += a.Arrivals
		}
	}
	if !p.tellsWaits.Load() {
		c.waited = stat.WaitTime
	}
	return c
}

// waited is how long the caller has waited, or had to, until an instant. The lock of the shard
// is held.
func (c *Checkout) waited(now time.Duration) time.Duration {
	if c.waiting {
		return max(0, now-c.queued)
	}
	return max(0, c.wait) // it may be unknown
}

// tellCrowds tells of crowds between a frame and the next.
func (r *Recorder) tellCrowds(last, f frame) {
	lasted := f.at - last.at
	if r.cfg.OnShortage == nil || lasted < frameEvery { // it went on after a pause
		return
	}
	for p, now := range f.crowds {
		before := last.crowds[p]
		waited, n := now.waited-before.waited, now.arrivals-before.arrivals
		if now.waits > 0 {
			n = now.waits - min(now.waits, before.waits)
		}
		if each := waited / time.Duration(max(1, n)); waited >= lasted && crowdWait*each >= r.cfg.LongWait {
			go p.report(Shortage{Waited: each, Waiting: int(p.waiting.Load()), MeanWaiting: waited.Seconds() / lasted.Seconds()})
		}
	}
}
