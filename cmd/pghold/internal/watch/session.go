package watch

import (
	"sync"
	"time"
)

// Client identifies the client of a session.
type Client struct {
	PID         uint32 `json:"pid"` // of the server's process
	Application string `json:"application_name"`
	User        string `json:"user"`
	Database    string `json:"database"`
	Address     string `json:"client_addr"` // without its port; "local" for a Unix socket
}

// Session is what is known of one of the server's sessions. Its methods are for sources
// that see each message, in order (Sent, Ready, Slow and End), or for one that takes
// samples (Spent, Began, Silent, Seen, Left, Over and Gone); several goroutines may call
// them. A time that is before the last one counts as that.
type Session struct {
	ledger *Ledger

	mu        sync.Mutex // guards what follows; it may be held while the ledger's is taken, not the other way round
	client    Client
	histogram *histogram // of its client
	state     state
	since     time.Time     // when the state began
	slow      time.Duration // of the time since then, the client's
	locked    time.Duration // and that of the wait for a lock
	seen      time.Time     // by the last sample; zero where each message is seen
	tx        *transaction  // nil where none is open
	last      last
	sums      Sums // but for the transaction that is open
}

type state uint8

const (
	idle    state = iota // no transaction is open, no statement runs
	busy                 // a statement runs
	silent               // a transaction is open, no statement runs
	aborted              // the same, after an error: only a rollback helps
)

// inGap reports whether it is one of the two in which a transaction waits for its client.
func (s state) inGap() bool { return s == silent || s == aborted }

// last is the statement that was sent last: its text, or what is known of it already.
type last struct {
	text []byte // reused
	of   *Statement
}

// Sums are what time was spent on.
type Sums struct {
	Busy       Seconds `json:"busy_s"`        // statements ran
	LockWait   Seconds `json:"lock_wait_s"`   // statements waited for a lock; where nobody asks the server, that is busy
	Silent     Seconds `json:"silent_s"`      // a transaction was open, and no statement ran
	SlowClient Seconds `json:"slow_client_s"` // a statement waited for its client to take or to send data
	Aborted    Seconds `json:"aborted_s"`     // the same as silent, after an error
}

func (s *Sums) add(o Sums) {
	s.Busy += o.Busy
	s.LockWait += o.LockWait
	s.Silent += o.Silent
	s.SlowClient += o.SlowClient
	s.Aborted += o.Aborted
}

func (s *Sums) sub(o Sums) {
	s.Busy -= o.Busy
	s.LockWait -= o.LockWait
	s.Silent -= o.Silent
	s.SlowClient -= o.SlowClient
	s.Aborted -= o.Aborted
}

// Total is the whole of it.
func (s Sums) Total() time.Duration {
	return time.Duration(s.Busy + s.LockWait + s.Silent + s.SlowClient + s.Aborted)
}

// transaction is one that is open.
type transaction struct {
	started time.Time
	client  Client        // as it called itself in its longest gap
	longest time.Duration // that gap
	sums    Sums
	route   string
	gaps    []Gap         // the longest
	more    int           // gaps that are not among them
	moreFor time.Duration // how long these were, together
}

// Known changes what is known of the session's client.
func (s *Session) Known(change func(*Client)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.client)
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	s.histogram = s.ledger.histogramOf(s.client)
}

// Text says what was sent: the gap that may follow is after this statement.
func (s *Session) Text(sql []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last.text = append(s.last.text[:0], sql...)
	s.last.of = nil
}

// Cut is Text, for a text of which the end is not known.
func (s *Session) Cut(sql []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last.text = append(append(s.last.text[:0], sql...), cutMark...)
	s.last.of = nil
}

// Runs is Text, for a statement of Ledger.Prepare; nil is the text that was given last.
func (s *Session) Runs(of *Statement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last.of = of
}

// Sent says that the client has sent something that the server will answer: a gap ends.
func (s *Session) Sent(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == busy {
		return
	}
	at = s.notBefore(at)
	s.leaveGap(at, at)
	s.enter(busy, at)
}

// Ready says that the server has answered, and the transaction's status as
// ReadyForQuery has it: 'I' none, 'T' open, 'E' failed. More says that the client has
// sent further statements already, so that no gap begins.
func (s *Session) Ready(at time.Time, status byte, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = s.notBefore(at)
	if s.state == busy {
		s.ledger.statements.Add(1)
	}
	if status != 'I' && s.tx == nil {
		s.tx = &transaction{started: at, client: s.client}
		if s.state == busy {
			s.tx.started = s.since
		}
	}
	s.leaveBusy(at)
	if status == 'I' {
		s.finish(at, at, false)
	}
	switch {
	case more:
		s.enter(busy, at)
	case status == 'T':
		s.enter(silent, at)
	case status == 'E':
		s.enter(aborted, at)
	default:
		s.enter(idle, at)
	}
}

// Slow says that of the time of the statement that runs so much was its client's.
func (s *Session) Slow(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == busy {
		s.slow += d
	}
}

// End says that the session has ended. What is called after it does nothing.
func (s *Session) End(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = s.notBefore(at)
	s.leaveGap(at, at)
	s.leaveBusy(at)
	s.finish(at, at, true)
	s.enter(idle, at)
	s.close()
}

// What follows is called with the lock.

// close counts the session with those that have ended.
func (s *Session) close() {
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	if s.ledger.sessions[s] {
		delete(s.ledger.sessions, s)
		s.ledger.ended.add(s.sums) // which a report that goes on still counts here
	}
}

func (s *Session) notBefore(at time.Time) time.Time {
	if at.Before(s.since) {
		return s.since
	}
	return at
}

func (s *Session) enter(state state, at time.Time) {
	s.state, s.since, s.slow, s.locked = state, at, 0, 0
}

// leaveBusy counts the time of the statement that ran.
func (s *Session) leaveBusy(at time.Time) {
	if s.state != busy {
		return
	}
	s.sumsNow().add(s.busySums(at.Sub(s.since)))
	s.enter(idle, at)
}

// busySums is what so much time was spent on, of the statement that runs.
func (s *Session) busySums(d time.Duration) Sums {
	slow := min(s.slow, d)
	locked := min(s.locked, d-slow)
	return Sums{Busy: Seconds(d - slow - locked), LockWait: Seconds(locked), SlowClient: Seconds(slow)}
}

// sumsNow is where time is counted.
func (s *Session) sumsNow() *Sums {
	if s.tx != nil {
		return &s.tx.sums
	}
	return &s.sums
}

// leaveGap counts the gap that was: it ended at a time, or later, but not after atMost.
func (s *Session) leaveGap(at, atMost time.Time) {
	if !s.state.inGap() {
		return
	}
	d := at.Sub(s.since)
	tx := s.tx
	tx.sums.add(gapSums(s.state, d))
	if d >= tx.longest {
		tx.client, tx.longest = s.client, d
	}
	s.histogram.add(d)
	exact := s.seen.IsZero()
	if atMost.Sub(s.since) < shortGap {
		tx.more++
		tx.moreFor += d
		s.ledger.gap(s.client, shortStatement, "", s.state, s.since, at, exact)
		return
	}
	st := s.ledger.statement(&s.last)
	if st.Route() != "" {
		tx.route = st.Route()
	}
	g := Gap{After: st.Shape(), S: Seconds(d), Exact: exact, Aborted: s.state == aborted}
	if !exact {
		g.AtMost = Seconds(atMost.Sub(s.since))
	}
	tx.keep(g)
	s.ledger.gap(s.client, st, tx.route, s.state, s.since, at, exact)
}

func gapSums(s state, d time.Duration) Sums {
	if s == aborted {
		return Sums{Aborted: Seconds(d)}
	}
	return Sums{Silent: Seconds(d)}
}

// finish ends the transaction, if one is open: at a time, or later, but not after atMost.
func (s *Session) finish(at, atMost time.Time, lost bool) {
	if s.tx == nil {
		return
	}
	s.sums.add(s.tx.sums)
	s.ledger.finished(s.described(at, atMost, lost))
	s.tx = nil
}

// described is the transaction that is open.
func (s *Session) described(at, atMost time.Time, lost bool) Transaction {
	tx := s.tx
	t := Transaction{
		Client: tx.client, Route: tx.route, StartedAt: tx.started, S: Seconds(max(0, at.Sub(tx.started))), Lost: lost,
		Sums: tx.sums, Gaps: tx.gaps, MoreGaps: tx.more, MoreGapsS: Seconds(tx.moreFor),
	}
	if at.Before(atMost) {
		t.AtMost = Seconds(atMost.Sub(tx.started))
	}
	return t
}

// until is until when the present state surely lasted, at a moment.
func (s *Session) until(at time.Time) time.Time {
	if !s.seen.IsZero() && s.seen.Before(at) {
		return s.seen
	}
	return at
}

// soFar is the transaction that is open and what there is of the present state, at a
// moment; false where none is open.
func (s *Session) soFar(at time.Time) (t Transaction, ok bool) {
	if s.tx == nil {
		return Transaction{}, false
	}
	until := s.until(at)
	t = s.described(until, at, false)
	t.Open = true
	d := max(0, until.Sub(s.since))
	switch {
	case s.state.inGap():
		t.Sums.add(gapSums(s.state, d))
		if d >= s.tx.longest {
			t.Client = s.client
		}
		copied := transaction{gaps: append([]Gap(nil), t.Gaps...), more: t.MoreGaps, moreFor: time.Duration(t.MoreGapsS)}
		g := Gap{After: s.ledger.statement(&s.last).Shape(), S: Seconds(d), Exact: s.seen.IsZero(), Open: true, Aborted: s.state == aborted}
		if !g.Exact {
			g.AtMost = max(g.S, Seconds(at.Sub(s.since)))
		}
		copied.keep(g)
		t.Gaps, t.MoreGaps, t.MoreGapsS = copied.gaps, copied.more, Seconds(copied.moreFor)
	case s.state == busy:
		t.Sums.add(s.busySums(d))
	}
	return t, true
}
