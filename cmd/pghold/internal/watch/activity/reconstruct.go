package activity

import (
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// sample is what the sessions of a database were doing, each at some moment between two
// of the server's clock.
type sample struct {
	before, after time.Time
	rows          []row
}

// row is what a sample says of a session, as in pg_stat_activity. Times are the server's;
// one that the server does not tell is zero.
type row struct {
	id     identity
	client watch.Client
	state  State
	change time.Time // state_change: when it got into this state
	query  time.Time // query_start: of the last message that ran something
	xact   time.Time // xact_start: zero in a transaction that has failed
	text   []byte    // of the last statement, in a gap
	cut    bool      // the text's end is missing
}

// identity tells sessions apart: a pid comes again.
type identity struct {
	start int64 // of its server process, in microseconds since 1970
	pid   uint32
}

// running reports whether a statement runs.
func (s State) running() bool { return s == Busy || s == LockWait || s == ClientSlow }

// reconstruction makes of samples what a ledger keeps.
//
// A gap begins when the server says so, at state_change. It has ended where that is
// another, or where the state is: after the last sample that has seen it, and at most
// when the statement began that was run last (query_start), or the next transaction
// (xact_start). Where one statement ran between two samples, that is the gap's end; but
// nothing tells whether there was one or several. So a gap is bounded, by less than two
// samples are apart, and of one that both begins and ends between two samples there is
// no trace: query_start moves with each message that runs something, three times for
// one statement.
//
// The statements' time is counted as far as it is known: while samples find them
// running, of what kind these say, and until state_change where the statement that has
// begun at query_start was the last. (A client that then sends a Sync and nothing else
// moves state_change once more; what is between is taken for the statement's.)
//
// A transaction is known by a gap: a statement outside of one has an xact_start too. One
// that has failed has none any more: one that had before it was first seen is as old as
// the statement that failed, and if the next one of a session has failed too by the next
// sample, they are taken for one.
type reconstruction struct {
	ledger   *watch.Ledger
	sessions map[identity]*session
	n        int       // samples
	began    time.Time // by the server's clock; what statements did before is not counted
	here     time.Time // the same moment by the clock of the ledger's reader
}

// session is a session as the last sample has found it.
type session struct {
	*watch.Session
	row
	n       int       // of that sample
	counted time.Time // the statements' time is counted until then
	open    bool      // the ledger has its transaction
	began   time.Time // that transaction's xact_start; zero where it is not known
	// spent is what statements of xact_start in have spent, where that may yet turn out to
	// be a transaction.
	spent watch.Sums
	in    time.Time
}

// newReconstruction begins with a moment of the server's clock, and the same, or a
// little before, of the clock here.
func newReconstruction(l *watch.Ledger, server, here time.Time) *reconstruction {
	return &reconstruction{ledger: l, sessions: map[identity]*session{}, began: server, here: here}
}

// local is a time of the server's clock by the one here.
func (r *reconstruction) local(t time.Time) time.Time { return r.here.Add(t.Sub(r.began)) }

// take takes the next sample.
func (r *reconstruction) take(at *sample) {
	r.n++
	for i := range at.rows {
		now := &at.rows[i]
		s := r.sessions[now.id]
		if s == nil {
			s = &session{Session: r.ledger.Open(now.client), counted: r.began}
			s.client = now.client
			r.sessions[now.id] = s
		}
		r.step(s, now, at)
		s.n = r.n
	}
	for id, s := range r.sessions {
		if s.n != r.n {
			s.Gone(r.local(at.after), false)
			delete(r.sessions, id)
		}
	}
}

// restarted says that the server has, before a time: its sessions' transactions are lost.
func (r *reconstruction) restarted(atMost time.Time) {
	for _, s := range r.sessions {
		s.Gone(atMost, true)
	}
	clear(r.sessions)
}

// step goes from what the last sample has found to what the next one does.
func (r *reconstruction) step(s *session, now *row, at *sample) {
	was := s.row
	same := now.change.Equal(was.change) && (now.state == was.state || now.state.running() && was.state.running())
	if now.client != was.client {
		s.Known(func(c *watch.Client) { *c = now.client })
	}

	// What has ended.
	if was.state.InTransaction() && !same {
		end := at.after
		for _, t := range []time.Time{now.query, now.change, now.xact} {
			if t.After(was.change) && t.Before(end) {
				end = t
			}
		}
		s.Left(r.local(end))
	}
	ran := !now.query.IsZero() && now.query.Equal(was.query) // what runs, or ran last, is what ran last then
	if was.state.running() && !now.state.running() && ran {
		s.spend(was.state, now.change)
		s.Seen(r.local(now.change))
	}
	if s.open && (now.state == Silent || !now.xact.IsZero() && !now.xact.Equal(s.began)) {
		end := at.after
		for _, t := range []time.Time{now.change, now.xact} {
			if t.After(was.change) && t.Before(end) {
				end = t
			}
		}
		s.Over(r.local(end))
		s.open = false
	}

	// What has begun.
	if now.state.InTransaction() && !s.open {
		s.open, s.began = true, now.xact
		if s.began.IsZero() && ran && was.state.running() { // the statement that failed
			s.began = was.xact
		}
		if !s.began.Equal(s.in) || s.began.IsZero() {
			s.spent = watch.Sums{}
		}
		began := s.began
		if began.IsZero() {
			began = earlier(now.query, now.change)
		}
		s.Began(r.local(began), s.spent)
	}
	if !now.xact.Equal(s.in) {
		s.spent, s.in = watch.Sums{}, now.xact
	}
	switch {
	case now.state.running():
		if !ran {
			s.counted = later(s.counted, earlier(now.query, now.change))
		}
		s.spend(now.state, at.before)
	case !ran && !now.query.IsZero(): // it ran between the samples
		s.counted = later(s.counted, now.query)
		s.spend(Busy, now.change)
	}
	if now.state.InTransaction() && !same {
		if now.cut {
			s.Cut(now.text)
		} else {
			s.Text(now.text)
		}
		s.Silent(r.local(now.change), now.state == Aborted)
	}
	s.Seen(r.local(later(at.before, now.change)))
	s.row = *now
	s.text = nil
}

// spend counts the time until then as a statement's.
func (s *session) spend(on State, until time.Time) {
	d := watch.Seconds(until.Sub(s.counted))
	if d <= 0 {
		return
	}
	s.counted = until
	var sums watch.Sums
	switch on {
	case LockWait:
		sums.LockWait = d
	case ClientSlow:
		sums.SlowClient = d
	default:
		sums.Busy = d
	}
	s.Spent(sums)
	if !s.open {
		s.spent.Busy += sums.Busy
		s.spent.LockWait += sums.LockWait
		s.spent.SlowClient += sums.SlowClient
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier is the earlier of two times, of which the first may not be known.
func earlier(a, b time.Time) time.Time {
	if !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}
