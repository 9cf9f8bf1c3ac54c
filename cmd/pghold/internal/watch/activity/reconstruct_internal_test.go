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
}

// stamped is how long after its stamp a change is seen at the latest.
const stamped = 30 * time.Microsecond

// life is what a session did.
type life struct {
	all          []stretch
	end          time.Time // zero while it goes on
	transactions []period
}

type period struct{ from, to time.Time }

// scene is what may happen in lives.
type scene struct {
	errors bool // statements fail
	syncs  bool // clients send a Sync and nothing else
}

// a life that is drawn, from a moment to after another.
func draw(t *rapid.T, pid uint32, from, until time.Time, in scene) life {
	var (
		l     life
		now   = from
		is    = row{id: identity{from.UnixMicro(), pid}, client: watch.Client{PID: pid}}
		pause = rapid.Custom(func(t *rapid.T) time.Duration {
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
		for i := range rapid.IntRange(1, 3).Draw(t, "messages") {
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
			run(func() { open, failed = true, false })
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
			}
			break
		}
	}
	l.all[len(l.all)-1].to, l.all[len(l.all)-1].gone = now, now
	return l
}

// at is what is seen of it at a moment, and false where it is not there.
func (l *life) at(when time.Time) (*stretch, bool) {
	if when.Before(l.all[0].seen) || !l.end.IsZero() && !when.Before(l.end) {
		return nil, false
	}
	for i := range slices.Backward(l.all) {
		if !when.Before(l.all[i].seen) {
			return &l.all[i], true
		}
	}
	panic("unreachable")
}

// Of lives that are known, the ledger has all gaps that a sample fell into and no other;
// how long they were is within its bounds, and these are not further apart than the
// samples; what it counts is what was, or less.
func TestReconstruction_IsBounded(t *testing.T) {
	for name, in := range map[string]scene{"plain": {}, "errors": {errors: true}, "syncs": {syncs: true}, "both": {errors: true, syncs: true}} {
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
		lives[i] = draw(t, uint32(i+1), from, until.Add(time.Second), in)
	}

	// Here another clock goes.
	const ahead = 17 * time.Hour
	ledger := watch.New(zero.Add(ahead))
	var ended []watch.Transaction
	ledger.OnFinish(func(t watch.Transaction) { ended = append(ended, t) })
	var (
		made   *reconstruction
		last   sample
		read   = make([]map[string]bool, len(lives)) // the gaps that samples fell into
		counts = make([]map[int]bool, len(lives))    // and their transactions
		apart  time.Duration                         // at most, what two samples
	)
	for n := range samples {
		us := func(what string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, what)) * time.Microsecond
		}
		at := sample{before: zero.Add(time.Duration(n)*interval + us("late", int(interval.Microseconds()/2)))}
		now := at.before
		for i := range lives {
			now = now.Add(us("reads", 300))
			s, there := lives[i].at(now)
			if !there {
				continue
			}
			at.rows = append(at.rows, s.row)
			if s.gap != "" {
				if read[i] == nil {
					read[i], counts[i] = map[string]bool{}, map[int]bool{}
				}
				read[i][s.gap] = true
				counts[i][s.transaction] = true
			}
		}
		at.after = now.Add(us("writes", 300))
		if n == 0 {
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
		spent watch.Sums // in truth, while it was watched
	)
	for i, l := range lives {
		truth := map[string]stretch{}
		for _, s := range l.all {
			if s.gap != "" {
				truth[fmt.Sprintf("SELECT %s", s.gap[len("select "):])] = s
			}
			from, to := later(s.from, made.began), earlier(s.gone, last.after)
			if s.state.running() {
				from = later(s.query, made.began)
			}
			if d := watch.Seconds(to.Sub(from)); d > 0 {
				switch s.state {
				case Busy:
					spent.Busy += d
				case LockWait:
					spent.LockWait += d
				case ClientSlow:
					spent.SlowClient += d
				}
			}
		}
		found, of := 0, 0
		for _, tx := range all {
			if tx.PID != uint32(i+1) {
				continue
			}
			of++
			var gaps watch.Sums
			for _, g := range tx.Gaps {
				if g.Aborted {
					gaps.Aborted += g.S
				} else {
					gaps.Silent += g.S
				}
				found++
				if g.After == "" { // under a millisecond
					if g.AtMost >= watch.Seconds(time.Millisecond) {
						t.Errorf("a gap after nothing: %+v", g)
					}
					continue
				}
				s, ok := truth[g.After]
				if !ok || !read[i][s.gap] {
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
				if most := watch.Seconds(s.gone.Sub(s.from)); g.S > most || d > g.AtMost && !g.Open || g.AtMost-g.S > watch.Seconds(apart) {
					t.Errorf("gap %+v: it was %v, and samples are %v apart", g, time.Duration(d), apart)
				}
			}
			if gaps.Silent != tx.Silent || gaps.Aborted != tx.Aborted {
				t.Errorf("gaps of %+v are %+v", tx, gaps)
			}
			sums.Silent += gaps.Silent
			sums.Aborted += gaps.Aborted
			if tx.Busy < 0 || tx.LockWait < 0 || tx.SlowClient < 0 || tx.Silent < 0 || tx.Aborted < 0 {
				t.Errorf("below zero: %+v", tx)
			}
			if tx.Sums.Total() > time.Duration(tx.S) {
				t.Errorf("more than its time: %+v", tx)
			}
			if in.errors { // in which two may be taken for one
				continue
			}
			at := slices.IndexFunc(l.transactions, func(p period) bool { return p.from.Add(ahead).Equal(tx.StartedAt) })
			if at < 0 || !counts[i][at+1] {
				t.Fatalf("session %d: transaction %+v was not there, or not seen", i+1, tx)
			}
			d := watch.Seconds(l.transactions[at].to.Sub(l.transactions[at].from))
			if !tx.Open && (tx.S > d+watch.Seconds(stamped) || max(tx.S, tx.AtMost) < d) {
				t.Errorf("transaction %+v took %v", tx, time.Duration(d))
			}
		}
		if found != len(read[i]) {
			t.Errorf("session %d: %d gaps, want the %d that samples fell into", i+1, found, len(read[i]))
		}
		if of > len(counts[i]) || !in.errors && of != len(counts[i]) {
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
	if got, most := report.Busy+report.LockWait+report.SlowClient, spent.Busy+spent.LockWait+spent.SlowClient; got > most && !in.syncs {
		t.Errorf("statements: %+v, want together at most %+v", report.Sums, spent)
	}
}
