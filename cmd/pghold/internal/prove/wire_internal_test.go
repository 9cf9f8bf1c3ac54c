package prove

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

const sec = watch.Seconds(time.Second)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// tx is a transaction that began and ended so many seconds after start.
func tx(from, to float64, silent watch.Seconds, gaps ...watch.Gap) watch.Transaction {
	d := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return watch.Transaction{StartedAt: start.Add(d(from)), S: watch.Seconds(d(to - from)), Sums: watch.Sums{Silent: silent}, Gaps: gaps}
}

func TestSeen_Transactions(t *testing.T) {
	failed := tx(3, 5, 0, watch.Gap{After: "select 2", S: sec / 2})
	failed.Aborted = sec
	failed.Route = "/b"
	s := &seen{txs: []watch.Transaction{
		tx(0, 2, sec, watch.Gap{After: "select 1", S: sec}, watch.Gap{After: "select 2", S: sec / 4}),
		tx(1, 3, sec, watch.Gap{After: "select 1", S: 3 * sec}),
		tx(2, 4, 0), // begins when the first ends
		failed,
	}}
	if got := s.mostOpen(); got != 2 {
		t.Errorf("at most %d were open at once, want 2", got)
	}
	for at, want := range map[float64]int{-1: 0, 0: 1, 1: 2, 2: 2, 3.5: 2, 5: 0} {
		if got := s.openAt()(start.Add(time.Duration(at * float64(time.Second)))); got != want {
			t.Errorf("after %v s %d were open, want %d", at, got, want)
		}
	}
	if inside, silent := s.sums(); inside != 8*time.Second || silent != 3*time.Second {
		t.Errorf("%v in transactions, idle for %v of it; want 8 s and 3 s, a failed one's with it", inside, silent)
	}
	want := []experiment.GapGroup{
		{After: "select 1", Count: 2, Silent: 4e9, P50: 1e9, Longest: 3e9},
		{Route: "/b", After: "select 2", Count: 1, Silent: 5e8, P50: 5e8, Longest: 5e8},
		{After: "select 2", Count: 1, Silent: 25e7, P50: 25e7, Longest: 25e7},
	}
	if d := cmp.Diff(want, s.gaps()); d != "" {
		t.Errorf("gaps, want (-), got (+):\n%s", d)
	}
	inside, _ := s.sums()
	if c := s.costliest(s.gaps(), inside); c.Transactions != 2 || c.Held != 2e9 || c.Busy != 1e9 || c.Others != 2e9 {
		t.Errorf("the transactions with the costliest gap: %+v", c)
	}
	if c := s.costliest(nil, inside); c != nil {
		t.Errorf("without gaps: %+v", c)
	}
	var lanes []int
	for _, c := range s.checkouts(start) {
		lanes = append(lanes, c.Connection)
	}
	if d := cmp.Diff([]int{1, 2, 1, 2}, lanes); d != "" {
		t.Errorf("lanes, want (-), got (+):\n%s", d)
	}
	if c := s.checkouts(start)[3]; c.At != 3*time.Second || c.Held != 2*time.Second || c.Busy != time.Second || c.SilentInTransaction != time.Second {
		t.Errorf("got %+v", c)
	}
}

// A window has what began in it, what is open at its end, and no more.
func TestWire_Window(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ledger := watch.New(time.Now())
		w := NewWire(ledger)
		one, other, third := ledger.Open(watch.Client{}), ledger.Open(watch.Client{}), ledger.Open(watch.Client{})
		statement := func(s *watch.Session, d time.Duration, status byte) {
			s.Text([]byte("select 1"))
			s.Sent(time.Now())
			time.Sleep(d)
			s.Ready(time.Now(), status, false)
		}
		statement(one, time.Second, 'I') // before
		statement(other, time.Second, 'T')
		win := w.open(time.Now())
		time.Sleep(time.Second)
		statement(other, time.Second, 'I') // it began before
		statement(one, 2*time.Second, 'I') // outside of a transaction
		statement(one, time.Second, 'T')
		time.Sleep(5 * time.Second)
		w.look(win, 7, 3)
		statement(one, time.Second, 'I')
		statement(third, time.Second, 'T')
		time.Sleep(3 * time.Second)
		s := w.close(win, time.Now())
		if s.answers != 5 || s.sessions != 3 || s.silent != 1 {
			t.Errorf("%d answers, %d sessions, %d of them silent", s.answers, s.sessions, s.silent)
		}
		if len(s.txs) != 2 || s.txs[0].S != 7*sec || s.txs[0].Silent != 5*sec || !s.txs[1].Open || s.txs[1].Silent != 3*sec {
			t.Errorf("got %+v", s.txs)
		}
		r := &experiment.RouteResult{Requests: 10}
		s.mostInFlight = 7
		s.describe(r)
		if time.Duration(r.Wire.SilentPerRequest) != 800*time.Millisecond || r.Wire.MaxInFlight != 7 || r.Wire.Statements != 5 || r.Connections.Left != 3 || r.Holds.Count != 2 ||
			*r.SilentRatio != 8./11 || r.Connections.MaxSilentInTransaction != 1 || time.Duration(r.Wire.Busy) != 1500*time.Millisecond {
			t.Errorf("got %+v, %+v, %v", r, r.Wire, *r.SilentRatio)
		}
		if again := w.close(w.open(time.Now()), time.Now()); len(again.txs) != 0 || again.answers != 0 {
			t.Errorf("the next window has %+v", again)
		}
	})
}

// Beside a route that holds, another's requests do not ask for connections in transactions.
func TestSeen_ExhaustedAtIsOfThoseThatHaveTransactions(t *testing.T) {
	s := &seen{sessions: 30, moments: moments([3]int{20, 0, 10}, [3]int{20, 0, 10}, [3]int{20, 0, 10})}
	for i := range 10 {
		s.txs = append(s.txs, tx(float64(i), float64(i)+2, 2*sec, watch.Gap{After: "select 1", S: 2 * sec}))
	}
	for ok, want := range map[int]int{20: 0, 10: 10} { // at 10/s: 5 of them have a transaction each second, or all
		r := &experiment.RouteResult{Requests: ok, Rate: 10, Outcomes: experiment.Outcomes{OK: ok}}
		if s.describe(r); r.Wire.ExhaustedAt != want {
			t.Errorf("of %d requests 10 have a transaction: exhausted at %d, want %d", ok, r.Wire.ExhaustedAt, want)
		}
	}
}

func TestMeanOf(t *testing.T) {
	var ds []time.Duration
	for range 50 {
		ds = append(ds, 1*time.Second, 3*time.Second)
	}
	mean, interval := meanOf(ds)
	// The standard deviation is 1.00504 s, of the mean it is a tenth of that.
	if mean != 2e9 || (time.Duration(interval[0])-1803012*time.Microsecond).Abs() > time.Microsecond || (time.Duration(interval[1])-2196988*time.Microsecond).Abs() > time.Microsecond {
		t.Errorf("got %v, %v to %v", time.Duration(mean), time.Duration(interval[0]), time.Duration(interval[1]))
	}
	if mean, interval := meanOf(ds[:1]); mean != 1e9 || interval[0] != 1e9 || interval[1] != 1e9 {
		t.Errorf("of one: %v, %v", mean, interval)
	}
	if mean, _ := meanOf(nil); mean != 0 {
		t.Errorf("of none: %v", mean)
	}
}

// moments are looks at a ledger: requests in flight, sessions that are busy and that are
// idle in transaction, of five.
func moments(all ...[3]int) (ms []moment) {
	for _, m := range all {
		ms = append(ms, moment{Moment: watch.Moment{Sessions: 5, Busy: m[1], InTransaction: m[2]}, inFlight: m[0]})
	}
	return ms
}

func TestSeen_ExhaustedAt(t *testing.T) {
	for name, c := range map[string]struct {
		moments []moment
		rate    float64 // of requests that have a transaction for a second
		want    int
	}{
		"all of the time":                   {moments([3]int{9, 1, 4}, [3]int{9, 0, 5}, [3]int{9, 5, 0}), 9, 5},
		"most of it":                        {moments([3]int{9, 1, 1}, [3]int{9, 0, 5}, [3]int{9, 5, 0}), 9, 5},
		"a job beside":                      {moments([3]int{9, 1, 5}, [3]int{9, 0, 5}, [3]int{9, 5, 0}, [3]int{9, 4, 0}), 9, 5},
		"half of it":                        {moments([3]int{9, 1, 1}, [3]int{9, 0, 5}), 9, 0},
		"no more requests than connections": {moments([3]int{5, 1, 4}, [3]int{5, 0, 5}), 9, 0},
		"never but before and after":        {moments([3]int{0, 0, 0}, [3]int{1, 1, 0}, [3]int{9, 0, 5}, [3]int{9, 0, 5}, [3]int{2, 1, 0}), 9, 5},
		"one look":                          {moments([3]int{9, 0, 5}), 9, 0},
		"none open":                         {moments([3]int{9, 0, 0}, [3]int{9, 0, 0}), 9, 0},
		"a steady load":                     {moments([3]int{9, 0, 5}, [3]int{9, 0, 5}), 5.25, 0},
		"just more than that":               {moments([3]int{9, 0, 5}, [3]int{9, 0, 5}), 5.26, 5},
	} {
		if got := (&seen{moments: c.moments}).exhaustedAt(c.rate, time.Second); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestSeen_PossiblyHeld(t *testing.T) {
	// Each request runs one statement at its beginning. Of 10 there were 5 answered.
	at := func(inFlight, busy, inTx int, statements uint64, answered int) moment {
		return moment{watch.Moment{Sessions: 5, Busy: busy, InTransaction: inTx, Statements: 100 + statements}, inFlight, answered}
	}
	held := []moment{at(5, 0, 0, 0, 0), at(9, 0, 0, 5, 0), at(9, 0, 0, 5, 0), at(5, 0, 0, 10, 5), at(0, 0, 0, 10, 10)}
	for name, c := range map[string]struct {
		moments []moment
		want    bool
	}{
		"held": {held, true},
		"more are past their statements than there are connections": {append(held[:1:1], at(9, 0, 0, 9, 0), at(9, 0, 0, 10, 0), at(5, 0, 0, 10, 5)), false},
		"fewer requests than connections":                           {[]moment{at(3, 0, 0, 0, 0), at(3, 0, 0, 3, 0), at(3, 0, 0, 3, 0), at(3, 0, 0, 6, 3)}, false},
		"hardly fewer":                                              {[]moment{at(4, 0, 0, 0, 0), at(4, 0, 0, 4, 0), at(4, 0, 0, 4, 0), at(4, 0, 0, 8, 4)}, true},
		"long over":                                                 {append(held[:len(held):len(held)], at(0, 0, 0, 10, 10), at(0, 0, 0, 10, 10), at(0, 0, 0, 10, 10), at(0, 0, 0, 10, 10)), true},
		"now and then":                                              {[]moment{at(0, 0, 0, 0, 0), at(5, 0, 0, 5, 0), at(0, 0, 0, 5, 5), at(0, 0, 0, 5, 5)}, false},
		"nobody waits":                                              {append([]moment{at(6, 0, 0, 0, 0)}, held...), false},
		"statements run":                                            {[]moment{at(9, 1, 0, 0, 0), at(9, 1, 0, 5, 0), at(9, 1, 0, 5, 0), at(5, 0, 0, 10, 5)}, false},
		"in transactions":                                           {[]moment{at(9, 0, 3, 0, 0), at(9, 0, 2, 5, 0), at(9, 0, 1, 5, 0), at(5, 0, 0, 10, 5)}, false},
		"no statement":                                              {[]moment{at(9, 0, 0, 0, 0), at(9, 0, 0, 0, 0)}, false},
		"nobody looked":                                             {nil, false},
	} {
		r := &experiment.RouteResult{Requests: 10, Outcomes: experiment.Outcomes{OK: 10}, SuccessLatency: experiment.Quantiles{Min: 2 * time.Second, P90: 3 * time.Second}}
		s := &seen{moments: c.moments, sessions: 5, mostInFlight: 9}
		if name == "nobody waits" {
			r.SuccessLatency.P90 = 2900 * time.Millisecond
		}
		if got := s.possiblyHeld(r); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCircumstances_NotValid(t *testing.T) {
	well := circumstances{wired: true, drained: drained{all: true}, limit: time.Minute, foreign: 5, text: "500", processor: 0.95}
	r := &experiment.RouteResult{Requests: 500, Latency: experiment.Quantiles{P50: time.Second}, SentLate: experiment.Quantiles{P99: 50 * time.Millisecond, Max: time.Second}}
	if got := well.notValid(r); got != "" {
		t.Errorf("at every limit: %s", got)
	}
	others := *r
	others.SentLate.P99 = 10 * time.Millisecond
	if got := (circumstances{wired: true, drained: drained{all: true}, processor: 1}).notValid(&others); got != "" {
		t.Errorf("others use up the processors, and requests are sent in time: %s", got)
	}
	for want, change := range map[string]func(*circumstances, *experiment.RouteResult){
		"No connection came over the tap: the service did not use the database that it was given in DATABASE_URL and PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE. " +
			"If it reads its address elsewhere, give it with --env 'NAME=postgresql://{user}:{password}@{host}:{port}/{database}'.": func(c *circumstances, _ *experiment.RouteResult) { c.wired = false },
		"requests were sent up to 1 s late (p99 51 ms), because this machine could not keep up: lower --rate, or let it do nothing else.": func(_ *circumstances, r *experiment.RouteResult) {
			r.SentLate.P99 = 51 * time.Millisecond
		},
		"This machine's processors were busy for 96.0 % of the time: what was measured is their limit. Lower --rate.":                            func(c *circumstances, _ *experiment.RouteResult) { c.processor = 0.96 },
		"6 of 500 requests failed, and as far as can be told not for the lack of a connection; most often: 500.":                                 func(c *circumstances, _ *experiment.RouteResult) { c.foreign = 6 },
		"The service was still at work 60 s after the last client had its answer or had left: what it does then would count for the next route.": func(c *circumstances, _ *experiment.RouteResult) { c.drained = drained{} },
	} {
		c, changed := well, *r
		change(&c, &changed)
		if got := c.notValid(&changed); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
