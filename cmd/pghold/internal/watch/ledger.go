package watch

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// shortGap is how long a gap has to be for its statement to be looked at. Shorter ones,
// which are a client's way to the server and back, are counted together.
const shortGap = time.Millisecond

// maxTransactions is how many transactions are kept: those that waited longest for
// their clients.
const maxTransactions = 100

// Ledger is what is known of a server's sessions and transactions.
type Ledger struct {
	began      time.Time
	texts      *statements
	histogram  histogram
	statements atomic.Uint64

	mu           sync.Mutex // guards what follows
	sessions     map[*Session]bool
	most         int  // sessions at a time
	opened       int  // sessions
	ended        Sums // of sessions that are no more
	groups       *groups
	transactions int
	longest      []Transaction // of those that have ended
	rest         Rest
	longestGap   time.Duration
	onFinish     func(Transaction)
}

// New makes a ledger that begins now.
func New(now time.Time) *Ledger {
	return &Ledger{began: now, texts: newStatements(), sessions: map[*Session]bool{}, groups: newGroups()}
}

// OnFinish has f called with each transaction that ends, one at a time. Set it before
// the first session.
func (l *Ledger) OnFinish(f func(Transaction)) { l.onFinish = f }

// Open opens a session.
func (l *Ledger) Open(c Client) *Session {
	s := &Session{ledger: l, client: c}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[s] = true
	l.opened++
	l.most = max(l.most, len(l.sessions))
	return s
}

// Prepare is the statement of a text that will be run by a name.
func (l *Ledger) Prepare(sql []byte) *Statement { return l.texts.of(sql) }

// statement is what a session has sent last. Its caller has the session's lock.
func (l *Ledger) statement(s *last) *Statement {
	if s.of == nil {
		if len(s.text) == 0 {
			return unknownStatement
		}
		s.of = l.texts.of(s.text)
	}
	return s.of
}

func (l *Ledger) gap(c Client, after *Statement, route string, state state, from, to time.Time) {
	k := key{c.Application, c.User, c.Database, c.Address, after.Shape(), cmp.Or(after.Route(), route)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups.add(k, state, from, to, true)
	l.longestGap = max(l.longestGap, to.Sub(from))
}

func (l *Ledger) finished(t Transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.transactions++
	if l.onFinish != nil {
		l.onFinish(t)
	}
	if len(l.longest) == maxTransactions {
		out := l.longest[maxTransactions-1]
		if t.waited() <= out.waited() {
			l.rest.add(t)
			return
		}
		l.rest.add(out)
	}
	l.longest = keepLongest(l.longest, t, maxTransactions)
}

// Rest is transactions that are not listed.
type Rest struct {
	Count int `json:"count"`
	Sums
}

func (r *Rest) add(t Transaction) {
	r.Count++
	r.Sums.add(t.Sums)
}

// Report is the ledger at one moment.
type Report struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`

	Sessions     int    `json:"sessions"`      // open now
	SessionsMost int    `json:"sessions_most"` // at a time
	SessionsAll  int    `json:"sessions_all"`
	Statements   uint64 `json:"statements"` // answers to what clients asked for
	Transactions int    `json:"transactions_ended"`
	// Sums are all sessions' time, with what goes on. Busy has statements outside of
	// transactions too.
	Sums
	InTransaction int           `json:"in_transaction"`    // sessions in a gap now
	LongestOpen   Seconds       `json:"longest_open_s"`    // of these gaps
	LongestGap    Seconds       `json:"longest_gap_s"`     // of all
	Unseen        Seconds       `json:"unseen_s"`          // idle in transaction by the server's counter, and not seen
	UnseenKnown   bool          `json:"unseen_known"`      // whether the server has that counter, and it was asked
	Histogram     []Bin         `json:"gaps"`              // how long gaps were that have ended
	Groups        []Group       `json:"groups"`            // the costliest first
	Other         *Group        `json:"other,omitempty"`   // all groups without a name
	Listed        []Transaction `json:"transactions"`      // that waited longest for their clients, these first
	Rest          Rest          `json:"transactions_rest"` // the others
}

// Report describes the ledger at a moment that is not before anything that it was told.
func (l *Ledger) Report(at time.Time) *Report {
	r := &Report{From: l.began, To: at}
	l.mu.Lock()
	sessions := slices.Collect(maps.Keys(l.sessions))
	sums := l.ended
	l.mu.Unlock()

	type openGap struct {
		key
		from    time.Time
		aborted bool
	}
	var (
		gaps []openGap
		open []Transaction
	)
	for _, s := range sessions {
		s.mu.Lock()
		sums.add(s.sums)
		if t, ok := s.soFar(at); ok {
			open = append(open, t)
			sums.add(t.Sums)
		} else if s.state == busy {
			d := max(0, at.Sub(s.since))
			slow := min(s.slow, d)
			sums.add(Sums{Busy: Seconds(d - slow), SlowClient: Seconds(slow)})
		}
		if s.state.inGap() {
			after := shortStatement
			if at.Sub(s.since) >= shortGap {
				after = l.statement(&s.last)
			}
			c := s.client
			gaps = append(gaps, openGap{
				key{c.Application, c.User, c.Database, c.Address, after.Shape(), cmp.Or(after.Route(), s.tx.route)}, s.since, s.state == aborted,
			})
		}
		s.mu.Unlock()
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	r.Sums = sums
	r.Sessions, r.SessionsMost, r.SessionsAll = len(sessions), l.most, l.opened
	r.Statements, r.Transactions = l.statements.Load(), l.transactions
	r.InTransaction = len(gaps)
	r.LongestGap = Seconds(l.longestGap)
	r.Histogram = l.histogram.bins()

	groups := map[key]*Group{}
	of := func(g *group) *Group {
		return &Group{
			Application: g.application, User: g.user, Database: g.database, Address: g.address, After: g.after, Route: g.route,
			Gaps: g.gaps, Silent: Seconds(g.silent), Aborted: Seconds(g.aborted), Longest: Seconds(g.longest),
			Bounded: g.bounded, LastMinute: Seconds(g.minute.sum(at)), Missed: Seconds(g.missed),
		}
	}
	for k, g := range l.groups.named {
		groups[k] = of(g)
	}
	for _, o := range gaps {
		g := groups[o.key]
		if g == nil {
			g = of(&group{key: o.key})
			groups[o.key] = g
		}
		d := Seconds(max(0, at.Sub(o.from)))
		if o.aborted {
			g.Aborted += d
		} else {
			g.Silent += d
		}
		g.Longest, g.LongestOpen = max(g.Longest, d), max(g.LongestOpen, d)
		g.LastMinute += min(d, Seconds(time.Minute))
		g.Connections++
		r.LongestOpen = max(r.LongestOpen, d)
	}
	r.LongestGap = max(r.LongestGap, r.LongestOpen)
	for _, g := range groups {
		r.Groups = append(r.Groups, *g)
	}
	slices.SortFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(
			cmp.Compare(b.Silent+b.Aborted, a.Silent+a.Aborted), cmp.Compare(b.Gaps, a.Gaps),
			cmp.Compare(a.Application, b.Application), cmp.Compare(a.After, b.After), cmp.Compare(a.Route, b.Route),
			cmp.Compare(a.User, b.User), cmp.Compare(a.Database, b.Database), cmp.Compare(a.Address, b.Address))
	})
	if l.groups.other.gaps > 0 {
		r.Other = of(l.groups.other)
	}

	r.Rest = l.rest
	r.Listed = slices.Clone(l.longest)
	slices.SortFunc(open, func(a, b Transaction) int { return a.StartedAt.Compare(b.StartedAt) })
	for _, t := range open {
		if len(r.Listed) == maxTransactions {
			out := r.Listed[maxTransactions-1]
			if t.waited() <= out.waited() {
				out = t
			}
			r.Rest.add(out)
		}
		r.Listed = keepLongest(r.Listed, t, maxTransactions)
	}
	return r
}
