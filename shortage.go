package pghold

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Shortage is that callers wait too long for a connection of a pool, or got none, or that
// some wait all the time.
type Shortage struct {
	Pool string
	// Route is that of the caller who has waited longest, or who got none; "" also
	// where the pool does not say who waits (database/sql).
	Route string
	// Waited is how long that caller has waited. Where the pool does not say it is how
	// long one has at least, or how long callers did on average; 0 is unknown.
	Waited time.Duration
	// MeanWaiting is how many callers waited at a moment of the last 10 s, on average, and
	// Waited how long each did, where these are what is told; otherwise 0.
	MeanWaiting float64
	// Waiting is how many callers wait now, also for a connection that is being opened;
	// by the pool's counts where it does not say.
	Waiting int
	Err     error    // of the wait that failed; nil where it goes on
	Holders []Holder // who holds the connections, at most the first five
	// Waiters are those who were seen to wait within the last LongWait, at most the first
	// five routes; only of a pool that does not say who waits, as Waiter.Seen has it.
	Waiters []Waiter

	// Itself is that the caller waits for itself: its own request holds a connection of the
	// same pool, which it took at Own, and waits for another at At. A line that is not known
	// is none. Inferred is as OwnWait has it.
	Itself   bool
	Own, At  Site
	Inferred bool
	// Deadlock is how many connections are held by requests that wait for another, where
	// these are all, but for those that are held on purpose, and no statement runs: nobody
	// will get one but by a time-out. It is 0 otherwise.
	Deadlock int
}

// String is the shortage in a sentence.
func (s Shortage) String() string {
	var b strings.Builder
	b.WriteString(s.Pool + ": ")
	switch {
	case s.Deadlock > 0:
		b.WriteString(deadlockText(s.Deadlock, s.Inferred))
	case s.Itself:
		b.WriteString(s.own())
	case s.Err != nil && !isTimeout(s.Err):
		b.WriteString("no connection after " + inSeconds(s.Waited) + " (" + s.Err.Error() + ")")
	case s.Err != nil:
		b.WriteString("no connection within " + inSeconds(s.Waited))
	case s.MeanWaiting > 0:
		fmt.Fprintf(&b, "%.1f callers waited at a moment of the last 10 s, for %v each, on average", s.MeanWaiting, s.Waited.Round(time.Millisecond))
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

// defaultLogger is slog.Default(), or one to standard error where that is silenced by the
// log package's output, which a service may have discarded in favour of a logger of its own.
func defaultLogger() *slog.Logger {
	l := slog.Default()
	if log.Writer() == io.Discard && fmt.Sprintf("%T", l.Handler()) == "*slog.defaultHandler" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return l
}

// own says that a request waits for itself.
func (s Shortage) own() string {
	route := s.Route
	if route == "" {
		route = "a request"
	}
	text := route + " waits for another connection"
	if s.At != (Site{}) {
		text += " at " + s.At.String()
	}
	text += " while it holds one"
	if s.Own != (Site{}) {
		text += ", taken at " + s.Own.String()
	}
	if s.Inferred {
		text += " (inferred)"
	}
	return text
}

// deadlockText says that all do.
func deadlockText(connections int, inferred bool) string {
	text := fmt.Sprintf("deadlock: all %d connections are held by requests that wait for another", connections)
	if inferred {
		text += " (inferred)"
	}
	return text
}

// LogShortage makes a Config.OnShortage that logs a warning, to slog.Default()
// where logger is nil, and to standard error where that writes to the log package and its
// output is discarded (log.SetOutput(io.Discard)). The message is "waiting for a database
// connection"; a request that waits for itself, and a deadlock, have messages of their own.
func LogShortage(logger *slog.Logger) func(Shortage) {
	return func(s Shortage) {
		l := logger
		if l == nil {
			l = defaultLogger()
		}
		holders := make([]string, len(s.Holders))
		for i, h := range s.Holders {
			holders[i] = h.String()
		}
		waited := math.Round(s.Waited.Seconds()*1000) / 1000
		attrs := []slog.Attr{slog.String("pool", s.Pool), slog.String("route", s.Route),
			slog.Float64("waited_s", waited), slog.Int("waiting", s.Waiting), slog.String("holders", strings.Join(holders, "; "))}
		if len(s.Waiters) > 0 {
			seen := make([]string, len(s.Waiters))
			for i, w := range s.Waiters {
				seen[i] = fmt.Sprintf("%d of %s", w.Count, cmp.Or(w.Route, "no route"))
				if w.At != (Site{}) {
					seen[i] += ", " + w.At.String()
				}
			}
			attrs = append(attrs, slog.String("seen_waiting", strings.Join(seen, "; ")))
		}
		if s.MeanWaiting > 0 {
			attrs = append(attrs, slog.Float64("mean_waiting", math.Round(s.MeanWaiting*10)/10))
		}
		if s.Err != nil {
			attrs = append(attrs, slog.String("error", s.Err.Error()))
		}
		message := "waiting for a database connection"
		if s.Itself {
			message = "waiting for a database connection while holding one"
			attrs = append(attrs, slog.String("holds_since", s.Own.String()), slog.String("waits_at", s.At.String()), slog.Bool("inferred", s.Inferred))
		}
		if s.Deadlock > 0 {
			message = deadlockText(s.Deadlock, s.Inferred)
		}
		l.LogAttrs(context.Background(), slog.LevelWarn, message, attrs...)
	}
}

const (
	shortageEvery = 10 * time.Second // for each pool and kind
	maxHolders    = 5                // that a shortage names, and routes of waiters
)

// shortage is what a pool needs to notice one.
type shortage struct {
	watching atomic.Bool // a timer runs

	mu   sync.Mutex
	next [kinds]time.Duration // when the next one may be reported, after the last
}

// A shortage of another kind is told though one was told a moment ago.
const (
	aWait = iota
	anOwnWait
	aDeadlock
	aCrowd
	kinds
)

func (s *Shortage) kind() int {
	switch {
	case s.Deadlock > 0:
		return aDeadlock
	case s.Itself:
		return anOwnWait
	case s.MeanWaiting > 0:
		return aCrowd
	}
	return aWait
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
		oldest, waits := p.oldestWait()
		next := long
		switch {
		case waits && now-oldest.queued >= long:
			p.report(oldest.shortage(now))
		case waits: // look again when it has been long
			next = oldest.queued + long - now
		case !p.tellsWaits.Load(): // it only counts
			waited := counted.since(last)
			if n, known := p.queueingSince(last.at); known {
				counted.pending = max(counted.pending, min(int64(n), int64(counted.waits))) // some may wait in a pool that nobody recorded
			}
			if waited >= long && p.scarce() {
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

// queueingSince is how many goroutines wait in database/sql for a connection of the pool,
// by a profile that was taken after an instant; it is not known where none was. Counts
// alone take every checkout for that of one who had waited, and may miss those who do.
func (p *Pool) queueingSince(at time.Duration) (n int, known bool) {
	all, taken := p.queuers()
	return all.callers(), taken > at
}

// oldestWait is who waits longest; false where nobody waits.
func (p *Pool) oldestWait() (oldest waiting, _ bool) {
	for i := range p.recorder.shards {
		s := &p.recorder.shards[i]
		s.mu.Lock()
		for c := s.queue; c != nil; c = c.next {
			if c.pool == p && (oldest.of == nil || c.queued < oldest.queued) {
				oldest = waiting{c, c.queued, c.route, c.site}
			}
		}
		s.mu.Unlock()
	}
	return oldest, oldest.of != nil
}

// shortage is that of who waits.
func (w waiting) shortage(now time.Duration) Shortage {
	p := w.of.pool
	s := Shortage{Route: w.route, Waited: now - w.queued, Waiting: int(p.waiting.Load()), Deadlock: p.deadlocked()}
	if own := w.of.scope.holds(p); own != nil {
		s.Itself, s.Own = true, own.site.site()
		if w.at != nil {
			s.At = w.at.site()
		}
	}
	return s
}

// waitsForItself reports a wait in which a request that has a connection wants another.
// It is told at once: such a wait may never end.
func (p *Pool) waitsForItself(c *Checkout) {
	w := waiting{c, c.queued, c.route, c.site}
	go func() {
		c.shard.mu.Lock()
		waits := c.waiting
		c.shard.mu.Unlock()
		if s := w.shortage(p.recorder.now()); waits && s.Itself {
			p.report(s)
		}
	}()
}

// failed reports a wait that ended without a connection.
func (p *Pool) failed(c *Checkout, err error) {
	if p.recorder.cfg.OnShortage != nil {
		s := waiting{c, c.queued, c.route, c.site}.shortage(p.recorder.now())
		s.Err = err
		p.report(s)
	}
}

// report tells of a shortage, unless one of its kind was told a moment ago.
func (p *Pool) report(s Shortage) {
	s.Pool = p.name
	if !p.tellsWaits.Load() && s.Err == nil {
		p.infer(&s)
	}
	kind := s.kind()
	now, next := p.recorder.now(), &p.shortage.next[kind]
	p.shortage.mu.Lock()
	if now < *next || kind == aCrowd && now < p.shortage.next[aWait] { // a long wait says more
		p.shortage.mu.Unlock()
		return
	}
	*next = now + shortageEvery
	p.shortage.mu.Unlock()
	s.Holders = p.Holders()
	s.Holders = s.Holders[:min(len(s.Holders), maxHolders)]
	p.recorder.cfg.OnShortage(s)
}

// infer completes the shortage of a pool that does not tell who waits.
func (p *Pool) infer(s *Shortage) {
	holds := p.recorder.openHolds(nil)
	p.recorder.locate(holds)
	if seen, now := p.seenWaiters(holds); now > 0 {
		s.Waiters = seen[:min(len(seen), maxHolders)]
		s.Waiting = max(s.Waiting, min(now, int(p.Stat().Waits)))
	}
	for _, h := range holds {
		if h.of.pool == p && h.OwnWait != nil {
			s.Route, s.Itself, s.Own, s.At, s.Inferred = h.Route, true, h.Site, h.OwnWait.At, true
			s.Deadlock = p.allWait(holds)
			return
		}
	}
}
