package plan

import (
	"math"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// A call that is never answered holds what its handler holds until that gives up.
func TestPredict_ofCallsThatStall(t *testing.T) {
	s := experiment.Defaults()
	s.SlowShape, s.Rate = experiment.Stalls, 5
	for _, name := range []string{"chat_inside_session", "chat_outside_session"} {
		r, err := predictCase(experiment.Case{Route: route(t, name), Settings: s}, Model{})
		if err != nil {
			t.Fatal(err)
		}
		if want := (experiment.Outcomes{OK: 24, ClientTimeout: 1}); r.Outcomes != want {
			t.Errorf("%s: %+v, want %+v", name, r.Outcomes, want)
		}
		if r.DrainedAfter > s.ClientTimeout {
			t.Errorf("%s: handlers go on for %v after their clients", name, r.DrainedAfter)
		}
	}
}

// The server takes a row back from who is silent, and others get it before he notices.
func TestPredict_aSilentTransactionLosesItsRow(t *testing.T) {
	s := experiment.Defaults()
	s.Accounts, s.Rate, s.Duration, s.PoolSize, s.Slow = 1, 1, 2*time.Second, 10, 10*time.Second
	s.IdleInTransactionTimeout = 3 * time.Second
	c := experiment.Case{Route: route(t, "update_in_one_transaction"), Settings: s}
	r, err := predictCase(c, Model{})
	if err != nil {
		t.Fatal(err)
	}
	// The first is silent from 0 to 3 s, the second waits from 1 to 3 s; both notice 10 s
	// after they began to call.
	if r.Outcomes.Error != 2 || r.Latency.Max != 12*time.Second || r.Updates.Recorded != 0 {
		t.Errorf("got %+v, latencies up to %v, updates %+v", r.Outcomes, r.Latency.Max, r.Updates)
	}
}

// A connection is nobody's while it is on its way to who was queued for it: three who come
// at once and read for 10 ms are done after 10, 21 and 32.
func TestPredict_aHandoverTakesTime(t *testing.T) {
	s := experiment.Defaults()
	s.PoolSize, s.MaxOverflow, s.Rate, s.Duration = 1, 0, 3000, time.Millisecond
	q := Question{Case: experiment.Case{Route: route(t, "read_autocommit"), Settings: s}, Model: Model{
		Times:     []time.Duration{0, 0, 0},
		Overheads: Overheads{Statement: 10 * time.Millisecond, Handover: time.Millisecond},
	}}
	r, err := predictCase(q.Case, q.Model)
	if err != nil {
		t.Fatal(err)
	}
	if want := 32 * time.Millisecond; r.Elapsed != want {
		t.Errorf("after %v, want %v", r.Elapsed, want)
	}
	if want := 11 * time.Millisecond; r.Time.PoolWait != want { // (0 + 11 + 22) / 3
		t.Errorf("waited for %v, want %v", r.Time.PoolWait, want)
	}
	if want := 10 * time.Millisecond; r.Holds.Held.Max != want {
		t.Errorf("held for %v, want %v", r.Holds.Held.Max, want)
	}
	if got, want := math.Round(q.stations()[0].Capacity), 91.0; got != want { // 1 / 11 ms
		t.Errorf("a capacity of %v/s, want %v", got, want)
	}
}

// A connection whose session the server has ended has to be opened again, and one more
// than the pool keeps is closed when nobody waits for it.
func TestPredict_opensConnectionsAgain(t *testing.T) {
	s := experiment.Defaults()
	s.Rate, s.Duration, s.Slow = 1, 3*time.Second, 500*time.Millisecond
	m := Model{Overheads: Overheads{Connect: 100 * time.Millisecond}}
	wait := func(change func(*experiment.Settings)) time.Duration {
		s := s
		change(&s)
		r, err := predictCase(experiment.Case{Route: route(t, "async_session_sleep_inside_session"), Settings: s}, m)
		if err != nil {
			t.Fatal(err)
		}
		return r.Time.PoolWait.Round(time.Microsecond) * 3
	}
	for _, c := range []struct {
		name   string
		change func(*experiment.Settings)
		want   time.Duration // of three requests one after the other
	}{
		{"kept", func(*experiment.Settings) {}, 100 * time.Millisecond},
		{"ended by the server", func(s *experiment.Settings) { s.IdleInTransactionTimeout = 100 * time.Millisecond }, 300 * time.Millisecond},
	} {
		if got := wait(c.change).Round(time.Millisecond); got != c.want {
			t.Errorf("%s: three requests wait %v for connections, want %v", c.name, got, c.want)
		}
	}

	s.PoolSize, s.MaxOverflow = 1, 1
	m.Times = []time.Duration{0, 0, 2 * time.Second, 2 * time.Second}
	opened := func(pool string) int {
		s := s
		s.Pool = pool
		sm, err := newSim(Question{Case: experiment.Case{Route: route(t, "async_session_sleep_inside_session"), Settings: s}, Model: m}, 1)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		sm.begin(m.arrivals(s, nil))
		for was := 0; sm.step(); was = sm.pool.openNow {
			n += max(0, sm.pool.openNow-was)
		}
		return n
	}
	for pool, want := range map[string]int{experiment.QueuePool: 3, experiment.SQLPool: 3, experiment.PgxPool: 2} {
		if got := opened(pool); got != want {
			t.Errorf("%s: twice two requests at once open %d connections, want %d", pool, got, want)
		}
	}
}

// Cores are for statements, and the way to the database needs none.
func TestPredict_theWayNeedsNoCore(t *testing.T) {
	s := experiment.Defaults()
	s.Rate, s.Duration, s.PoolSize, s.Distance = 100, time.Second, 100, 50*time.Millisecond
	r, err := predictCase(experiment.Case{Route: route(t, "read_autocommit"), Settings: s}, Model{Cores: 1, Overheads: Overheads{Statement: 9 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Latency.Max != 59*time.Millisecond {
		t.Errorf("the slowest read took %v, want 59 ms", r.Latency.Max)
	}
}
