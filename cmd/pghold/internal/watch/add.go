package watch

import "time"

// Add counts a transaction that has ended, as a recording has it. When its gaps were is
// not in it: those of the last minute are taken to have been at its end.
func (l *Ledger) Add(t Transaction) {
	l.mu.Lock()
	end := t.StartedAt.Add(time.Duration(t.S))
	c := t.Client
	for _, g := range t.Gaps {
		l.addGap(key{c.Application, c.User, c.Database, c.Address, g.After, t.Route}, c, g.Aborted, time.Duration(g.S), end, g.Exact)
	}
	if t.MoreGaps > 0 {
		k := key{c.Application, c.User, c.Database, c.Address, ShortGaps, ""}
		l.addGap(k, c, false, time.Duration(t.MoreGapsS), end, true)
		l.groups.of(k).gaps += t.MoreGaps - 1
	}
	l.ended.add(t.Sums)
	l.mu.Unlock()
	l.finished(t)
}

func (l *Ledger) addGap(k key, c Client, failed bool, d time.Duration, end time.Time, exact bool) {
	in := silent
	if failed {
		in = aborted
	}
	l.groups.add(k, in, end.Add(-d), end, exact)
	l.histogramOf(c).add(d)
	longest := &l.longestGaps[kind(failed)]
	*longest = max(*longest, d)
}
