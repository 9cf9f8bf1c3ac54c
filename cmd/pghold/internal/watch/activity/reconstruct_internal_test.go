package activity

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// stretch is a time in which what pg_stat_activity has of a session stays the same, but
// for the wait event.
type stretch struct {
	row
	from, to    time.Time // until the message that ended it
	seen, gone  time.Time // when it can be seen: until a moment after that
	transaction int       // which; 0 is none
	gap         string    // a gap's own name
	read        bool      // a sample fell into it
	told        bool      // a sample fell between this statement and the next
	next        time.Time // the xact_start, another one, in the next sample after this gap
	sharp       bool      // its end is known, though not that it is
}

// stamped is how long after its stamp a change is seen at the latest.
const stamped = 30 * time.Microsecond

// life is what a session did.
type life struct {
	all          []stretch
	end          time.Time // zero while it goes on
	transactions []period
}

type period struct {
	from, to time.Time
	lost     bool // its session ended before it did
}

// scene is what may happen in lives.
type scene struct {
	errors bool // statements fail
	syncs  bool // clients send a Sync and nothing else
	long   bool // a sample falls into all that they do, one at least
}

// a life that is drawn, from a moment to after another.
func draw(t *rapid.T, pid uint32, from, until time.Time, interval time.Duration, in scene) life {
	var (
		l     life
		now   = from
		is    = row{id: identity{from.UnixMicro(), pid}, client: watch.Client{PID: pid}}
		pause = rapid.Custom(func(t *rapid.T) time.Duration {
			if in.long {
				return 2*interval + time.Duration(rapid.Int64Range(0, interval.Microseconds()).Draw(t, "more"))*time.Microsecond
			}
			most := rapid.SampledFrom([]time.Duration{time.Millisecond, 40 * time.Millisecond, time.Second}).Draw(t, "most")
			return time.Duration(rapid.Int64Range(1, most.Microseconds()).Draw(t, "us")) * time.Microsecond
		})
		open, failed bool
	)
	enter := func(state State, lasts time.Duration) {
		is.state, is.change = state, now
		s := stretch{row: is, from: now, seen: now.Add(time.Duration(rapid.Int64Range(0, stamped.Microseconds()).Draw(t, "stamped")) * time.Microsecond)}
		if open {
			s.transaction = len(l.transactions)
		}
		if state.InTransaction() {
			s.gap = fmt.Sprintf("select g%d_%d", pid, len(l.all))
			s.text = []byte(s.gap)
		}
		if n := len(l.all); n > 0 {
			l.all[n-1].to, l.all[n-1].gone = now, s.seen
			if state.running() {
				l.all[n-1].to = is.query
			}
		}
		l.all = append(l.all, s)
		now = now.Add(lasts)
	}
	// run runs a statement, for which its client sends up to three messages.
	run := func(ends func()) {
		kind := rapid.SampledFrom([]State{Busy, LockWait, ClientSlow}).Draw(t, "kind")
		outside := !open
		messages := 1
		if !in.long {
			messages = rapid.IntRange(1, 3).Draw(t, "messages")
		}
		for i := range messages {
			is.query = now
			if outside && i == 0 {
				is.xact = now
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "noticed")) * time.Microsecond)
			enter(kind, pause.Draw(t, "runs"))
		}
		ends()
		if !open {
			is.xact = time.Time{}
		}
	}
	enter(Silent, pause.Draw(t, "connected"))
	for now.Before(until) {
		switch {
		case !open && rapid.Bool().Draw(t, "outside"):
			run(func() {})
		case !open:
			began := now
			first := len(l.all)
			run(func() {
				open, failed = true, in.errors && rapid.Bool().Draw(t, "fails at once")
				if failed {
					is.xact = time.Time{}
				}
			})
			l.transactions = append(l.transactions, period{from: began})
			for i := first; i < len(l.all); i++ {
				l.all[i].transaction = len(l.transactions)
			}
		case in.errors && !failed && rapid.IntRange(0, 3).Draw(t, "fails") == 0:
			run(func() { failed, is.xact = true, time.Time{} })
		case in.syncs && rapid.Bool().Draw(t, "sync"):
		case rapid.Bool().Draw(t, "goes on"):
			run(func() {})
		default:
			run(func() { open, failed = false, false })
			l.transactions[len(l.transactions)-1].to = now
		}
		switch {
		case failed:
			enter(Aborted, pause.Draw(t, "gap"))
		case open:
			enter(SilentInTransaction, pause.Draw(t, "gap"))
		default:
			enter(Silent, pause.Draw(t, "pause"))
		}
		if rapid.IntRange(0, 9).Draw(t, "leaves") == 0 {
			l.end = now
			if open {
				l.transactions[len(l.transactions)-1].to = now
				l.transactions[len(l.transactions)-1].lost = true
			}
			break
		}
	}
	l.all[len(l.all)-1].to, l.all[len(l.all)-1].gone = now, now
	return l
}

// at is what is seen of it at a moment, and false where it is not there.
func (l *life) at(when time.Time) (i int, there bool) {
	if when.Before(l.all[0].seen) || !l.end.IsZero() && !when.Before(l.end) {
		return 0, false
	}
	for i := range slices.Backward(l.all) {
		if !when.Before(l.all[i].seen) {
			return i, true
		}
	}
	panic("unreachable")
}

// Of lives that are known, the ledger has all gaps that a sample fell into and no other;
// how long they were is within its bounds, and these are not further apart than the
// samples; what it counts is what was, or less.
func TestReconstruction_IsBounded(t *testing.T) {
	for name, in := range map[string]scene{"plain": {}, "errors": {errors: true}, "syncs": {syncs: true}, "both": {errors: true, syncs: true}, "long": {long: true}, "long, errors": {long: true, errors: true}} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { bounded(t, in) })
		})
	}
}

func bounded(t *rapid.T, in scene) {
	zero := time.Unix(1_000_000_000, 0)
	interval := time.Duration(rapid.IntRange(10, 500).Draw(t, "interval")) * time.Millisecond
	const samples = 12
	until := zero.Add(samples * interval)

	lives := make([]life, rapid.IntRange(1, 3).Draw(t, "sessions"))
	for i := range lives {
		// Some are there already.
		from := zero.Add(time.Duration(rapid.IntRange(-1000, 500).Draw(t, "from")) * time.Millisecond)
		lives[i] = draw(t, uint32(i+1), from, until.Add(time.Second), interval, in)
	}

	// Here another clock goes.
	const ahead = 17 * time.Hour
	ledger := watch.New(zero.Add(ahead))
	var ended []watch.Transaction
	ledger.OnFinish(func(t watch.Transaction) { ended = append(ended, t) })
	var (
		made   *reconstruction
		first  sample
		last   sample
		was    = make([]int, len(lives))          // what the last sample has found of each
		counts = make([]map[int]bool, len(lives)) // transactions of gaps that samples fell into
		apart  time.Duration                      // at most, what two samples
	)
	for n := range samples {
		us := func(what string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, what)) * time.Microsecond
		}
		at := sample{before: zero.Add(time.Duration(n)*interval + us("late", int(interval.Microseconds()/2)))}
		at.before = later(at.before, last.after) // one after the other
		now := at.before
		for i := range lives {
			now = now.Add(us("reads", 3000))
			is, there := lives[i].at(now)
			if !there {
				was[i] = -1
				continue
			}
			s := &lives[i].all[is]
			s.read = true
			// A gap's end is known to the server's stamp where one message has ended it, of which
			// the statement runs or ran last.
			if n > 0 && was[i] >= 0 && (is == was[i]+1 || is == was[i]+2 && lives[i].all[is-1].state.running() && !s.state.running()) {
				lives[i].all[was[i]].sharp = true
			}
			if n > 0 && was[i] >= 0 && !s.xact.IsZero() && !s.xact.Equal(lives[i].all[was[i]].xact) {
				lives[i].all[was[i]].next = s.xact
			}
			if is > 0 && !s.state.running() && lives[i].all[is-1].state.running() {
				lives[i].all[is-1].told = true
			}
			was[i] = is
			at.rows = append(at.rows, s.row)
			if s.gap != "" {
				if counts[i] == nil {
					counts[i] = map[int]bool{}
				}
				counts[i][s.transaction] = true
			}
		}
		at.after = now.Add(us("writes", 300))
		if n == 0 {
			first = at
			made = newReconstruction(ledger, at.before, at.before.Add(ahead))
		} else {
			apart = max(apart, at.after.Sub(last.before))
		}
		made.take(&at)
		last = at
	}

	report := ledger.Report(last.after.Add(ahead))
	if report.Rest.Count > 0 || report.Other != nil {
		t.Fatalf("not all are listed")
	}
	all := slices.Clone(ended)
	for _, listed := range report.Listed {
		if listed.Open {
			all = append(all, listed)
		}
	}
	var (
		sums  watch.Sums // of all gaps that are listed
		spent watch.Sums // in truth, by statements, while it was watched
		told  watch.Sums // that, of those of which a sample has both stamps
		known watch.Sums // that, of those that a sample fell into, until their end or the last one
	)
	for i, l := range lives {
		truth := map[string]stretch{}
		found, of, read, short := 0, 0, 0, 0
		for _, s := range l.all {
			if s.gap != "" {
				if s.read {
					read++
					if s.to.Sub(s.from) < time.Millisecond {
						short++
					}
				}
				truth[fmt.Sprintf("SELECT %s", s.gap[len("select "):])] = s
			}
			from, to := later(s.from, made.began), earlier(s.gone, last.after)
			if s.state.running() {
				from = later(s.query, made.began)
			}
			spend(&spent, s.state, to.Sub(from))
			if s.told {
				spend(&told, Busy, s.to.Sub(from))
			}
			if s.read {
				spend(&known, s.state, earlier(s.to, last.before).Sub(from))
			}
		}
		for _, tx := range all {
			if tx.PID != uint32(i+1) {
				continue
			}
			of++
			var gaps watch.Sums
			short -= tx.MoreGaps // under a millisecond
			found += tx.MoreGaps
			for _, g := range tx.Gaps {
				if g.Aborted {
					gaps.Aborted += g.S
				} else {
					gaps.Silent += g.S
				}
				found++
				s, ok := truth[g.After]
				if !ok || !s.read {
					t.Fatalf("session %d: gap %+v was not there, or not seen", i+1, g)
				}
				delete(truth, g.After)
				if g.Aborted != (s.state == Aborted) || g.Exact {
					t.Errorf("gap %+v: aborted is %v", g, s.state == Aborted)
				}
				d := watch.Seconds(s.to.Sub(s.from))
				if g.Open {
					if d := watch.Seconds(last.before.Sub(s.from)); g.S != max(0, d) || !tx.Open {
						t.Errorf("gap %+v is open, since %v before the last sample", g, time.Duration(d))
					}
					d = min(d, watch.Seconds(last.after.Sub(s.from)))
				}
				if s.sharp && g.AtMost != max(d, g.S) {
					t.Errorf("gap %+v: it was %v, and that was to be seen", g, time.Duration(d))
				}
				if !s.next.IsZero() && g.AtMost > max(g.S, watch.Seconds(s.next.Sub(s.from))) {
					t.Errorf("gap %+v: the next transaction began %v after it had", g, s.next.Sub(s.from))
				}
				if !s.next.IsZero() && tx.AtMost > max(tx.S, watch.Seconds(s.next.Sub(l.transactions[s.transaction-1].from))) && !in.errors {
					t.Errorf("transaction %+v: the next began %v after it had", tx, s.next.Sub(l.transactions[s.transaction-1].from))
				}
				if most := watch.Seconds(s.gone.Sub(s.from)); g.S > most || d > g.AtMost && !g.Open || g.AtMost-g.S > watch.Seconds(apart) {
					t.Errorf("gap %+v: it was %v, and samples are %v apart", g, time.Duration(d), apart)
				}
			}
			if gaps.Silent > tx.Silent || gaps.Aborted > tx.Aborted || gaps.Silent+gaps.Aborted+tx.MoreGapsS != tx.Silent+tx.Aborted {
				t.Errorf("gaps of %+v are %+v", tx, gaps)
			}
			sums.Silent += tx.Silent
			sums.Aborted += tx.Aborted
			if tx.Busy < 0 || tx.LockWait < 0 || tx.SlowClient < 0 || tx.Silent < 0 || tx.Aborted < 0 {
				t.Errorf("below zero: %+v", tx)
			}
			// A statement may be seen for a moment after the stamp of its end.
			if tx.Sums.Total() > time.Duration(tx.S)+stamped*time.Duration(len(tx.Gaps)) {
				t.Errorf("more than its time: %+v", tx)
			}
			if in.errors && !in.long { // in which two may be taken for one
				continue
			}
			at := slices.IndexFunc(l.transactions, func(p period) bool { return p.from.Add(ahead).Equal(tx.StartedAt) })
			if at < 0 && in.errors && tx.Aborted > 0 && tx.Silent == 0 && tx.StartedAt.Before(first.after.Add(ahead)) {
				continue // it had failed before it was first seen, and when it began is not known
			}
			if at < 0 || !counts[i][at+1] {
				t.Fatalf("session %d: transaction %+v was not there, or not seen", i+1, tx)
			}
			d := watch.Seconds(l.transactions[at].to.Sub(l.transactions[at].from))
			var spent watch.Sums // by its statements that samples fell into, but for the one before the watch
			for _, s := range l.all {
				if s.transaction == at+1 && s.read && s.state.running() && s.query.After(made.began) {
					spend(&spent, s.state, earlier(s.to, last.before).Sub(s.query))
				}
			}
			if in.long && (tx.Busy < spent.Busy || tx.LockWait < spent.LockWait || tx.SlowClient < spent.SlowClient) {
				t.Errorf("statements of %+v: want at least %+v", tx, spent)
			}
			if in.long && !tx.Open && (tx.S != d || tx.AtMost != 0) && !l.transactions[at].lost {
				t.Errorf("transaction %+v took %v, and its end was to be seen", tx, time.Duration(d))
			}
			if !tx.Open && (tx.S > d+watch.Seconds(stamped) || max(tx.S, tx.AtMost) < d) {
				t.Errorf("transaction %+v took %v", tx, time.Duration(d))
			}
		}
		if short < 0 {
			t.Errorf("session %d: %d gaps are under a millisecond that were not", i+1, -short)
		}
		if found != read {
			t.Errorf("session %d: %d gaps, want the %d that samples fell into", i+1, found, read)
		}
		if of > len(counts[i]) || (!in.errors || in.long) && of != len(counts[i]) {
			t.Errorf("session %d: %d transactions, want the %d that samples fell into", i+1, of, len(counts[i]))
		}
	}
	if report.Silent != sums.Silent || report.Aborted != sums.Aborted {
		t.Errorf("sums %+v, want %+v of all gaps", report.Sums, sums)
	}
	var groups watch.Sums
	for _, g := range report.Groups {
		groups.Silent += g.Silent
		groups.Aborted += g.Aborted
	}
	if report.Silent != groups.Silent || report.Aborted != groups.Aborted {
		t.Errorf("sums %+v, want %+v of all groups", report.Sums, groups)
	}
	if report.Busy < 0 || report.LockWait < 0 || report.SlowClient < 0 || !in.syncs && (report.LockWait > spent.LockWait || report.SlowClient > spent.SlowClient) {
		t.Errorf("statements: %+v, want at most %+v", report.Sums, spent)
	}
	if in.long && (report.Busy < known.Busy || report.LockWait < known.LockWait || report.SlowClient < known.SlowClient) {
		t.Errorf("statements: %+v, want at least %+v", report.Sums, known)
	}
	if got := report.Busy + report.LockWait + report.SlowClient; got < told.Busy {
		t.Errorf("statements: %+v, want together at least %v", report.Sums, time.Duration(told.Busy))
	}
	if got, most := report.Busy+report.LockWait+report.SlowClient, spent.Busy+spent.LockWait+spent.SlowClient; got > most && !in.syncs {
		t.Errorf("statements: %+v, want together at most %+v", report.Sums, spent)
	}
}

// A counter grows from where it was first, and goes on where it was reset.
func TestCounter(t *testing.T) {
	var c counter
	for i, at := range []struct{ now, want time.Duration }{{100, 0}, {100, 0}, {130, 30}, {20, 50}, {25, 55}} {
		if got := c.grown(at.now); got != at.want {
			t.Errorf("%d: got %d, want %d", i, got, at.want)
		}
	}
}

// spend counts time as a statement's of that state.
func spend(to *watch.Sums, state State, d time.Duration) {
	if d <= 0 {
		return
	}
	switch state {
	case Busy:
		to.Busy += watch.Seconds(d)
	case LockWait:
		to.LockWait += watch.Seconds(d)
	case ClientSlow:
		to.SlowClient += watch.Seconds(d)
	}
}
