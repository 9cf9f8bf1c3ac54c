package prove

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// Wire collects the transactions that end, one by one.
type Wire struct {
	ledger *watch.Ledger

	mu   sync.Mutex // guards what follows
	done []watch.Transaction
}

// NewWire collects from a ledger that has no session yet.
func NewWire(l *watch.Ledger) *Wire {
	w := &Wire{ledger: l}
	l.OnFinish(func(t watch.Transaction) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.done = append(w.done, t)
	})
	return w
}

// window is what the wire showed from a moment on.
type window struct {
	from     time.Time
	began    *watch.Report
	moments  []moment
	sessions int // at most
	silent   int // at most
}

// moment is a look at the ledger while a route is attacked.
type moment struct {
	watch.Moment
	inFlight, answered int
}

// open begins a window. What ended before is forgotten.
func (w *Wire) open(now time.Time) *window {
	r := w.ledger.Report(now)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = nil
	return &window{from: now, began: r}
}

// look takes note of a moment.
func (w *Wire) look(win *window, inFlight, answered int) watch.Moment {
	m := w.ledger.Now()
	win.moments = append(win.moments, moment{m, inFlight, answered})
	win.sessions, win.silent = max(win.sessions, m.Sessions), max(win.silent, m.InTransaction)
	return m
}

// seen is what a window came to.
type seen struct {
	txs      []watch.Transaction // in the order in which they began
	answers  int                 // of the server
	wired    bool                // there was a session, ever
	sessions int                 // at most
	silent   int                 // in transaction, at most at a time
	moments  []moment
	filled   []experiment.Filled

	mostInFlight int // requests, at a time
	sentAway     int // requests, by a pool in which nobody waits
}

// close ends a window.
func (w *Wire) close(win *window, now time.Time) *seen {
	r := w.ledger.Report(now)
	w.mu.Lock()
	txs := w.done
	w.done = nil
	w.mu.Unlock()
	for _, t := range r.Listed {
		if t.Open {
			txs = append(txs, t)
		}
	}
	txs = slices.DeleteFunc(txs, func(t watch.Transaction) bool { return t.StartedAt.Before(win.from) })
	slices.SortStableFunc(txs, func(a, b watch.Transaction) int { return a.StartedAt.Compare(b.StartedAt) })
	return &seen{
		txs: txs, answers: int(r.Statements - win.began.Statements), wired: r.SessionsAll > 0,
		sessions: win.sessions, silent: win.silent, moments: win.moments,
	}
}

// waited is how long a transaction waited for its client between statements.
func waited(t *watch.Transaction) time.Duration { return time.Duration(t.Silent + t.Aborted) }

// lasted is how long it was open.
func lasted(t *watch.Transaction) time.Duration { return time.Duration(t.S) }

// checkouts are the transactions as a picture has them: a lane each, the lowest that was
// free.
func (s *seen) checkouts(since time.Time) []experiment.Checkout {
	cs := make([]experiment.Checkout, 0, len(s.txs))
	var free []time.Time // from when on, by lane
	for i := range s.txs {
		t := &s.txs[i]
		lane := slices.IndexFunc(free, func(at time.Time) bool { return !at.After(t.StartedAt) })
		if lane < 0 {
			lane = len(free)
			free = append(free, time.Time{})
		}
		free[lane] = t.StartedAt.Add(lasted(t))
		cs = append(cs, experiment.Checkout{
			At: t.StartedAt.Sub(since), Connection: lane + 1, Held: lasted(t),
			Busy: lasted(t) - waited(t), SilentInTransaction: waited(t),
		})
	}
	return cs
}

// mostOpen is how many transactions were open at once, at most.
func (s *seen) mostOpen() int {
	var all []span
	for i := range s.txs {
		t := &s.txs[i]
		all = append(all, span{t.StartedAt, t.StartedAt.Add(lasted(t))})
	}
	return atOnce(all)
}

// openAt says how many transactions were open at a moment.
func (s *seen) openAt() func(time.Time) int {
	ends := make([]time.Time, 0, len(s.txs))
	for i := range s.txs {
		ends = append(ends, s.txs[i].StartedAt.Add(lasted(&s.txs[i])))
	}
	slices.SortFunc(ends, time.Time.Compare)
	return func(at time.Time) int {
		after := at.Add(1) // what begins now is open, and what ends now is not
		begun, _ := slices.BinarySearchFunc(s.txs, after, func(t watch.Transaction, at time.Time) int { return t.StartedAt.Compare(at) })
		ended, _ := slices.BinarySearchFunc(ends, after, time.Time.Compare)
		return begun - ended
	}
}

// sums are the time in all transactions, and what of it they waited for their clients.
func (s *seen) sums() (inside, silent time.Duration) {
	for i := range s.txs {
		inside += lasted(&s.txs[i])
		silent += waited(&s.txs[i])
	}
	return inside, silent
}

// gaps are the gaps of all transactions by route and statement, the costliest first.
func (s *seen) gaps() []experiment.GapGroup {
	type key struct{ route, after string }
	lengths := map[key][]time.Duration{}
	for _, t := range s.txs {
		for _, g := range t.Gaps {
			k := key{t.Route, g.After}
			lengths[k] = append(lengths[k], time.Duration(g.S))
		}
	}
	groups := []experiment.GapGroup{}
	for k, ds := range lengths {
		g := experiment.GapGroup{Route: k.route, After: k.after, Count: len(ds)}
		for _, d := range ds {
			g.Silent += experiment.Seconds(d)
		}
		q := experiment.NewQuantiles(ds)
		g.P50, g.Longest = experiment.Seconds(q.P50), experiment.Seconds(q.Max)
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b experiment.GapGroup) int {
		return cmp.Or(cmp.Compare(b.Silent, a.Silent), cmp.Compare(a.After, b.After), cmp.Compare(a.Route, b.Route))
	})
	return groups[:min(len(groups), experiment.MaxGapGroups)]
}

// describe sets what the window showed in a route's result.
func (s *seen) describe(r *experiment.RouteResult) {
	inside, silent := s.sums()
	var held, busy []time.Duration
	for i := range s.txs {
		held = append(held, lasted(&s.txs[i]))
		busy = append(busy, lasted(&s.txs[i])-waited(&s.txs[i]))
	}
	r.Holds = experiment.Holds{Count: len(s.txs), Held: experiment.NewQuantiles(held), SilentInTransaction: silent}
	if inside > 0 {
		ratio := silent.Seconds() / inside.Seconds()
		r.SilentRatio = &ratio
		r.Holds.BusyRatio = 1 - ratio
	}
	r.Connections = experiment.Connections{Max: s.sessions, MaxSilentInTransaction: s.silent, SilentInTransaction: silent}
	if n := len(s.moments); n > 0 {
		r.Connections.Left = s.moments[n-1].Sessions
	}
	r.Wire = &experiment.Wire{
		Transactions: len(s.txs), MaxInTransaction: s.mostOpen(), MaxInFlight: s.mostInFlight, Statements: s.answers,
		Gaps: s.gaps(), Filled: s.filled, PossiblyHeld: s.possiblyHeld(r),
	}
	if r.Requests > 0 {
		r.Wire.SilentPerRequest = experiment.Seconds(silent / time.Duration(r.Requests))
	}
	r.Wire.Busy, _ = meanOf(busy)
	if r.Wire.Costliest = s.costliest(r.Wire.Gaps, inside); r.Wire.Costliest != nil {
		rate := r.Rate
		if n := r.Wire.Costliest.Transactions; n < r.Outcomes.OK { // not every request has one
			rate *= float64(n) / float64(r.Outcomes.OK)
		}
		r.Wire.ExhaustedAt = s.exhaustedAt(rate, time.Duration(r.Wire.Costliest.Held))
	}
	if r.Wire.Refused = s.sentAway; s.sentAway > 0 {
		r.Wire.ExhaustedAt = r.Wire.MaxInTransaction
	}
}

// costliest are the transactions with the first of the gaps, of all, which were open for so
// long.
func (s *seen) costliest(gaps []experiment.GapGroup, inside time.Duration) *experiment.Costliest {
	if len(gaps) == 0 {
		return nil
	}
	var held, busy []time.Duration
	var all time.Duration
	for i := range s.txs {
		t := &s.txs[i]
		if t.Route != gaps[0].Route || !slices.ContainsFunc(t.Gaps, func(g watch.Gap) bool { return g.After == gaps[0].After }) {
			continue
		}
		held, busy = append(held, lasted(t)), append(busy, lasted(t)-waited(t))
		all += lasted(t)
	}
	c := &experiment.Costliest{Transactions: len(held), Others: experiment.Seconds(inside-all) / experiment.Seconds(len(held))}
	c.Held, _ = meanOf(held)
	c.Busy, c.BusyInterval = meanOf(busy)
	return c
}

// exhaustedAt is how many connections there were for transactions, if they were all in use
// while requests waited; else 0. Of the moments at which more requests were in flight than
// transactions open, at more than half as many were open, give or take one; and more were
// asked for than that: the rate of requests, times how long one of them has its transaction,
// is larger (Little's law). Without the second a steady load looks the same.
func (s *seen) exhaustedAt(rate float64, held time.Duration) int {
	count := map[int]int{}
	more := 0
	for _, m := range s.moments {
		if open := m.Busy + m.InTransaction; m.inFlight > open {
			more++
			count[open]++
		}
	}
	most := 0
	for open, n := range count {
		if n > count[most] || n == count[most] && open > most {
			most = open
		}
	}
	near := count[most-1] + count[most] + count[most+1]
	if more < 2 || 2*near <= more || rate*held.Seconds() <= atLeast*float64(most) {
		return 0
	}
	return most
}

// atLeast is how many times as many connections must be asked for as there are, for them to
// be exhausted.
const atLeast = 1.05

// meanOf is a mean, and where it is with a probability of 95 %, by the normal distribution.
func meanOf(ds []time.Duration) (mean experiment.Seconds, interval [2]experiment.Seconds) {
	n := float64(len(ds))
	if n == 0 {
		return 0, interval
	}
	var sum, squares float64
	for _, d := range ds {
		sum += float64(d)
	}
	m := sum / n
	for _, d := range ds {
		squares += (float64(d) - m) * (float64(d) - m)
	}
	half := 0.0
	if n > 1 {
		half = 1.96 * math.Sqrt(squares/(n-1)/n)
	}
	return experiment.Seconds(m), [2]experiment.Seconds{experiment.Seconds(max(0, m-half)), experiment.Seconds(m + half)}
}

// possiblyHeld reports whether connections may have been held outside of transactions: for
// most of the load there were hardly fewer requests than connections, no statement ran and
// no transaction was open. Two things would prove that not each request holds one: more
// requests past their statements than connections, and more requests in flight than
// connections without anybody having to wait, which latencies tell.
//
// How many are past their statements is reckoned from the statements so far and how many
// there are for an answer, those of requests that had none with them: so it is never too
// many.
func (s *seen) possiblyHeld(r *experiment.RouteResult) bool {
	var first, last uint64
	if n := len(s.moments); n > 0 {
		first, last = s.moments[0].Statements, s.moments[n-1].Statements
	}
	if last == first || r.Outcomes.OK == 0 || s.sessions == 0 {
		return false
	}
	each := float64(last-first) / float64(r.Outcomes.OK)
	under, still, past := 0, 0, 0.0
	for i, m := range s.moments {
		if m.inFlight > 0 {
			under = i + 1 // until then the load lasted, and not only its end
		}
		if m.Busy == 0 && m.InTransaction == 0 && m.inFlight > 0 && 5*m.inFlight >= 4*m.Sessions {
			still++
		}
		past = max(past, float64(m.Statements-first)/each-float64(m.answered))
	}
	nobodyWaits := s.mostInFlight > s.sessions && float64(r.SuccessLatency.P90) < waits*float64(r.SuccessLatency.Min)
	return 2*still > under && past <= 1.1*float64(s.sessions)+1 && !nobodyWaits
}

// waits is how many times as long as the shortest answer one in ten takes where requests
// wait for one another.
const waits = 1.5
