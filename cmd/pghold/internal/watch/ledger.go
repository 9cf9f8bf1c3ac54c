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
	statements atomic.Uint64

	mu           sync.Mutex // guards what follows
	sessions     map[*Session]bool
	most         int  // sessions at a time
	opened       int  // sessions
	ended        Sums // of sessions that are no more
	histograms   map[histogramKey]*histogram
	groups       *groups
	transactions int
	inside       Sums          // of transactions that have ended
	longest      []Transaction // of those that have ended
	rest         Rest
	longestGaps  [2]time.Duration // in transactions that were well, and in failed ones
	longestTx    time.Duration
	settled      Seconds // waited for clients, by transactions that have ended and were not lost
	counted      Seconds // the same by the server's counter, when that was asked last
	unseen       Seconds // the difference, then
	isCounted    bool
	onFinish     func(Transaction)
}

// New makes a ledger that begins now.
func New(now time.Time) *Ledger {
	return &Ledger{began: now, texts: newStatements(), sessions: map[*Session]bool{}, histograms: map[histogramKey]*histogram{}, groups: newGroups()}
}

// OnFinish has f called with each transaction that ends, one at a time. Set it before
// the first session.
func (l *Ledger) OnFinish(f func(Transaction)) { l.onFinish = f }

// Open opens a session.
func (l *Ledger) Open(c Client) *Session {
	s := &Session{ledger: l, client: c}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.histogram = l.histogramOf(c)
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
			return UnknownStatement
		}
		s.of = l.texts.of(s.text)
	}
	return s.of
}

func (l *Ledger) gap(c Client, after *Statement, route string, state state, from, to time.Time, exact bool) {
	k := key{c.Application, c.User, c.Database, c.Address, after.Shape(), cmp.Or(after.Route(), route)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups.add(k, state, from, to, exact)
	longest := &l.longestGaps[kind(state == aborted)]
	*longest = max(*longest, to.Sub(from))
}

// kind is the index of the gaps of transactions that were well, or had failed.
func kind(aborted bool) int {
	if aborted {
		return 1
	}
	return 0
}

func (l *Ledger) finished(t Transaction) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.transactions++
	l.inside.add(t.Sums)
	l.longestTx = max(l.longestTx, time.Duration(t.S))
	if !t.Lost {
		l.settled += t.waited()
	}
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

// Moment is what the sessions do at one moment.
type Moment struct {
	Sessions      int
	Busy          int    // a statement runs
	InTransaction int    // a transaction is open, no statement runs
	Statements    uint64 // answers so far
}

// Now is what the sessions do now. It costs far less than a Report.
func (l *Ledger) Now() Moment {
	l.mu.Lock()
	sessions := slices.Collect(maps.Keys(l.sessions))
	l.mu.Unlock()
	m := Moment{Sessions: len(sessions), Statements: l.statements.Load()}
	for _, s := range sessions {
		s.mu.Lock()
		switch {
		case s.state == busy:
			m.Busy++
		case s.state.inGap():
			m.InTransaction++
		}
		s.mu.Unlock()
	}
	return m
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
	Open         int    `json:"transactions_open"`

	// Sums are the time of all sessions, with what goes on; busy has statements outside of
	// transactions too. Inside has the time in transactions only.
	Sums
	Inside Sums `json:"in_transactions"`

	InTransaction      int     `json:"idle_in_transaction"`   // sessions in a gap now
	LongestOpen        Seconds `json:"longest_open_s"`        // of these gaps
	LongestSilent      Seconds `json:"longest_silent_s"`      // of all gaps, with those that go on
	LongestAborted     Seconds `json:"longest_aborted_s"`     // of those in failed transactions
	LongestTransaction Seconds `json:"longest_transaction_s"` // with those that go on

	// Counted is what the server has counted as idle in transaction, and Unseen what of that
	// was not seen. None where the source sees all, or the server does not count.
	Counted *Seconds `json:"counted_s,omitempty"`
	Unseen  *Seconds `json:"unseen_s,omitempty"`

	Groups []Group `json:"groups"`          // the costliest first
	Other  *Group  `json:"other,omitempty"` // all groups without a name
	// Listed are the transactions that waited longest for their clients, at most 100, these
	// first. The others are in Rest.
	Listed     []Transaction `json:"transactions"`
	Rest       Rest          `json:"transactions_rest"`
	Histograms []Histogram   `json:"gaps_histograms"`
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
		lasts   Seconds
		aborted bool
	}
	var (
		gaps []openGap
		open []Transaction
	)
	type client struct{ application, user, database, address string }
	present := map[client]int{}
	for _, s := range sessions {
		s.mu.Lock()
		c := s.client
		present[client{c.Application, c.User, c.Database, c.Address}]++
		sums.add(s.sums)
		if t, ok := s.soFar(at); ok {
			open = append(open, t)
			sums.add(t.Sums)
		} else if s.state == busy {
			sums.add(s.busySums(max(0, at.Sub(s.since))))
		}
		if s.state.inGap() {
			after := shortStatement
			if at.Sub(s.since) >= shortGap {
				after = l.statement(&s.last)
			}
			gaps = append(gaps, openGap{
				key{c.Application, c.User, c.Database, c.Address, after.Shape(), cmp.Or(after.Route(), s.tx.route)}, Seconds(max(0, s.until(at).Sub(s.since))), s.state == aborted,
			})
		}
		s.mu.Unlock()
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	r.Sums = sums
	r.Sessions, r.SessionsMost, r.SessionsAll = len(sessions), l.most, l.opened
	r.Open = len(open)
	r.Statements, r.Transactions = l.statements.Load(), l.transactions
	r.InTransaction = len(gaps)
	r.LongestSilent, r.LongestAborted = Seconds(l.longestGaps[0]), Seconds(l.longestGaps[1])
	r.LongestTransaction = Seconds(l.longestTx)
	r.Inside = l.inside
	r.Histograms = l.describeHistograms()
	if l.isCounted {
		counted, unseen := l.counted, l.unseen
		r.Counted, r.Unseen = &counted, &unseen
	}

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
		d := o.lasts
		if o.aborted {
			g.Aborted += d
			r.LongestAborted = max(r.LongestAborted, d)
		} else {
			g.Silent += d
			r.LongestSilent = max(r.LongestSilent, d)
		}
		g.Longest, g.LongestOpen = max(g.Longest, d), max(g.LongestOpen, d)
		g.LastMinute += min(d, Seconds(time.Minute))
		g.Connections++
		r.LongestOpen = max(r.LongestOpen, d)
	}
	r.Groups = []Group{}
	for _, g := range groups {
		g.Sessions = present[client{g.Application, g.User, g.Database, g.Address}]
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
	r.Listed = append([]Transaction{}, l.longest...)
	slices.SortFunc(open, func(a, b Transaction) int { return a.StartedAt.Compare(b.StartedAt) })
	for _, t := range open {
		r.Inside.add(t.Sums)
		r.LongestTransaction = max(r.LongestTransaction, t.S)
		if len(r.Listed) == maxTransactions {
			out := r.Listed[maxTransactions-1]
			if t.waited() <= out.waited() {
				out = t
			}
			r.Rest.add(out)
		}
		r.Listed = keepLongest(r.Listed, t, maxTransactions)
	}
	for i := range r.Listed {
		if r.Listed[i].Gaps == nil {
			r.Listed[i].Gaps = []Gap{}
		}
	}
	return r
}
