package pghold

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Shortage is that callers wait too long for a connection of a pool, or got none.
type Shortage struct {
	Pool string
	// Route is that of the caller who has waited longest, or who got none; "" also
	// where the pool does not say who waits (database/sql).
	Route string
	// Waited is how long that caller has waited. Where the pool does not say it is how
	// long one has at least, or how long callers did on average; 0 is unknown.
	Waited time.Duration
	// Waiting is how many callers wait now, also for a connection that is being opened;
	// by the pool's counts where it does not say.
	Waiting int
	Err     error    // of the wait that failed; nil where it goes on
	Holders []Holder // who holds the connections, at most the first five
}

// String is the shortage in a sentence.
func (s Shortage) String() string {
	var b strings.Builder
	b.WriteString(s.Pool + ": ")
	switch {
	case s.Err != nil && !isTimeout(s.Err):
		b.WriteString("no connection after " + inSeconds(s.Waited) + " (" + s.Err.Error() + ")")
	case s.Err != nil:
		b.WriteString("no connection within " + inSeconds(s.Waited))
	case s.Waited > 0:
		b.WriteString("no connection for " + inSeconds(s.Waited) + " so far")
	default:
		b.WriteString("all connections are in use")
	}
	for i, h := range s.Holders {
		b.WriteString([]string{": ", "; "}[min(i, 1)] + h.String())
	}
	return b.String()
}

// LogShortage makes a Config.OnShortage that logs a warning, to slog.Default()
// where logger is nil.
func LogShortage(logger *slog.Logger) func(Shortage) {
	return func(s Shortage) {
		l := logger
		if l == nil {
			l = slog.Default()
		}
		holders := make([]string, len(s.Holders))
		for i, h := range s.Holders {
			holders[i] = h.String()
		}
		attrs := []slog.Attr{slog.String("pool", s.Pool), slog.String("route", s.Route),
			slog.Float64("waited_s", s.Waited.Round(time.Millisecond).Seconds()), slog.Int("waiting", s.Waiting), slog.Any("holders", holders)}
		if s.Err != nil {
			attrs = append(attrs, slog.String("error", s.Err.Error()))
		}
		l.LogAttrs(context.Background(), slog.LevelWarn, "waiting for a database connection", attrs...)
	}
}

const (
	shortageEvery = 10 * time.Second // for each pool
	maxHolders    = 5                // that a shortage names
)

// shortage is what a pool needs to notice one.
type shortage struct {
	watching atomic.Bool // a timer runs

	mu   sync.Mutex
	next time.Duration // when the next one may be reported, after the last
}

// watch looks at who waits, once a LongWait has passed from now, and goes on for as
// long as anybody does. There is one timer for a pool, and none while nobody waits.
func (p *Pool) watch() {
	if p.recorder.cfg.OnShortage == nil || !p.scarce() || p.shortage.watching.Swap(true) {
		return
	}
	p.lookAfter(p.recorder.cfg.LongWait, p.count())
}

// scarce reports whether somebody waits or, of a pool that does not say so, all
// connections are in use.
func (p *Pool) scarce() bool {
	if p.waiting.Load() > 0 {
		return true
	}
	if p.stat.Load() == nil {
		return false
	}
	s := p.Stat()
	return s.Max > 0 && int(p.checkouts.Load()-p.releases.Load()) >= s.Max
}

// lookAfter looks at who waits after a time. last is what the pool's counts were at
// the last look.
func (p *Pool) lookAfter(d time.Duration, last counts) {
	time.AfterFunc(d, func() {
		now, long := p.recorder.now(), p.recorder.cfg.LongWait
		counted := p.count()
		oldest, route := p.oldestWait()
		next := long
		switch {
		case oldest >= 0 && now-oldest >= long:
			p.report(Shortage{Route: route, Waited: now - oldest, Waiting: int(p.waiting.Load())})
		case oldest >= 0: // look again when it has been long
			next = oldest + long - now
		case !p.tellsWaits.Load(): // it only counts
			if waited := counted.since(last); waited >= long && p.scarce() {
				p.report(Shortage{Waited: waited, Waiting: int(counted.pending)})
			}
		}
		if p.scarce() {
			p.lookAfter(next, counted)
			return
		}
		p.shortage.watching.Store(false)
		p.watch() // somebody may have come between the two
	})
}

// counts are what a pool knew of itself when it was looked at.
type counts struct {
	at        time.Duration
	waits     uint64
	waitTime  time.Duration // of the waits that have ended
	checkouts uint64
	pending   int64 // waits that had not ended, at least, as long as no caller gave up
}

func (p *Pool) count() counts {
	s := p.Stat()
	return counts{at: p.recorder.now(), waits: s.Waits, waitTime: s.WaitTime, checkouts: p.checkouts.Load()}
}

// since compares with the look before, and fills in pending. It returns how long
// somebody has waited at least, or how long those have on average whose wait has ended.
func (c *counts) since(last counts) time.Duration {
	began, ended := int64(c.waits-last.waits), c.waitTime-last.waitTime
	if began < 0 || ended < 0 { // it is another pool, of the same name
		return 0
	}
	served := int64(c.checkouts - last.checkouts) // at most
	switch {
	case ended > 0:
		served = max(1, served)
	case served > 0: // by connections that nobody waited for
		last.pending, served = 0, 0
	}
	c.pending = max(0, last.pending+began-served)
	if last.pending > served { // one of them still waits
		return c.at - last.at
	}
	if served > 0 {
		return ended / time.Duration(served)
	}
	return 0
}

// oldestWait is when who waits longest began to, -1 where nobody waits.
func (p *Pool) oldestWait() (since time.Duration, route string) {
	since = -1
	for i := range p.recorder.shards {
		s := &p.recorder.shards[i]
		s.mu.Lock()
		for c := s.first; c != nil; c = c.next {
			if c.waiting && c.pool == p && (since < 0 || c.queued < since) {
				since, route = c.queued, c.route
			}
		}
		s.mu.Unlock()
	}
	return since, route
}

// failed reports a wait that ended without a connection.
func (p *Pool) failed(c *Checkout, err error) {
	if p.recorder.cfg.OnShortage != nil {
		p.report(Shortage{Route: c.route, Waited: p.recorder.now() - c.queued, Waiting: int(p.waiting.Load()), Err: err})
	}
}

func (p *Pool) report(s Shortage) {
	now := p.recorder.now()
	p.shortage.mu.Lock()
	if now < p.shortage.next {
		p.shortage.mu.Unlock()
		return
	}
	p.shortage.next = now + shortageEvery
	p.shortage.mu.Unlock()
	s.Pool = p.name
	s.Holders = p.Holders()
	s.Holders = s.Holders[:min(len(s.Holders), maxHolders)]
	p.recorder.cfg.OnShortage(s)
}
