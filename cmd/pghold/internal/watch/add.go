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
	if t.MoreGaps > 0 { // short ones, and those beyond the longest: how long each was is not known
		k := key{c.Application, c.User, c.Database, c.Address, Other, ""}
		l.groups.add(k, silent, end.Add(-time.Duration(t.MoreGapsS)), end, true)
		g := l.groups.of(k)
		g.gaps += t.MoreGaps - 1
		g.longest = 0
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
