package watch

import "time"

// A source that takes samples tells of each session what it has found, and then that it
// was Seen. What it does not tell goes on.

// Spent says what time was spent on by statements, in the transaction where one is open.
func (s *Session) Spent(on Sums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sumsNow().add(on)
}

// Began says that a transaction is open, since when, and how much of what was Spent
// before was spent in it.
func (s *Session) Began(at time.Time, spent Sums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sums.sub(spent)
	s.tx = &transaction{started: at, client: s.client, sums: spent}
}

// Silent says that the transaction waits for its client, and since when exactly; failed
// where only a rollback helps.
func (s *Session) Silent(from time.Time, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if failed {
		s.enter(aborted, from)
	} else {
		s.enter(silent, from)
	}
}

// Seen says that what was told was so at that time.
func (s *Session) Seen(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = at
}

// Left says that the gap has ended: after it was Seen, and not after atMost.
func (s *Session) Left(atMost time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left(atMost)
}

// Over says that the transaction has ended: after it was Seen, and not after atMost.
func (s *Session) Over(atMost time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(s.until(atMost), atMost, false)
}

// Gone says that the session has ended: after it was Seen, and not after atMost. Lost is
// whether its transaction has not been committed before that.
func (s *Session) Gone(atMost time.Time, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left(atMost)
	s.finish(s.until(atMost), atMost, lost)
	s.close()
}

// left is Left, with the lock.
func (s *Session) left(atMost time.Time) {
	at := s.until(atMost)
	s.leaveGap(s.notBefore(at), s.notBefore(atMost))
	s.enter(idle, at)
}

// Counted says by how much the server's own counter of idle time in transactions has
// grown since the ledger began, at this moment.
//
// What of it was not seen is the difference to what was seen in transactions that have
// ended, and not by the end of their sessions: the others the server counts later, or
// never. It counts what a session did at the end of a transaction if the session has
// told it nothing for a second, else after up to ten; so each session may have
// told it of gaps before the ledger began, and may not yet of the last ones. That is of
// no account after some minutes, and the difference is not below zero before. Of a gap
// that is bounded, what may have been is unseen.
func (l *Ledger) Counted(grown time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counted, l.isCounted = Seconds(grown), true
	l.unseen = max(0, l.counted-l.settled)
}
