package watch

import (
	"maps"
	"slices"
	"time"
)

// What is seen of statements message by message does not tell those that wait for a lock
// from those that run. Somebody who asks the server, again and again, tells it here.

// Running are the server's processes whose statements run.
func (l *Ledger) Running() (pids []uint32) {
	l.mu.Lock()
	sessions := slices.Collect(maps.Keys(l.sessions))
	l.mu.Unlock()
	for _, s := range sessions {
		s.mu.Lock()
		if s.state == busy {
			pids = append(pids, s.client.PID)
		}
		s.mu.Unlock()
	}
	return pids
}

// Waited says that the statements of these processes were found waiting for a lock at
// that moment, and when was looked before: the time since then, or since they began, is
// counted as that.
func (l *Ledger) Waited(pids []uint32, before, at time.Time) {
	l.mu.Lock()
	sessions := slices.Collect(maps.Keys(l.sessions))
	l.mu.Unlock()
	for _, s := range sessions {
		s.mu.Lock()
		if s.state == busy && slices.Contains(pids, s.client.PID) {
			from := s.since
			if from.Before(before) {
				from = before
			}
			s.locked += max(0, at.Sub(from))
		}
		s.mu.Unlock()
	}
}
