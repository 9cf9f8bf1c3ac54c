package plan

import (
	"testing"
	"time"

	"github.com/pghold/pghold/experiment"
)

// What a simulation keeps hangs on how many requests are under way, not on how many
// there were.
func TestSim_memoryDoesNotGrowWithRequests(t *testing.T) {
	kept := func(d time.Duration) (requests, events, exact int) {
		s := experiment.Defaults()
		s.Rate, s.Duration, s.PoolSize = 2000, d, 5000
		sm, err := newSim(experiment.Case{Route: route(t, "async_session_sleep_inside_session"), Settings: s}, Model{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		sm.run(even(s.Rate, s.Requests(), 0, 1))
		return len(sm.reqs), cap(sm.events.heap), cap(sm.stats.latency.exact)
	}
	r1, e1, x1 := kept(80 * time.Second)
	r2, e2, x2 := kept(160 * time.Second)
	if r1 != r2 || e1 != e2 || x1 != x2 {
		t.Errorf("after 80 s %d requests, %d events and %d durations are kept, after 160 s %d, %d and %d", r1, e1, x1, r2, e2, x2)
	}
	if r1 > 4010 {
		t.Errorf("%d requests are kept where 4000 are under way at once", r1)
	}
}

func TestSim_allocatesNothingPerEvent(t *testing.T) {
	s := experiment.Defaults()
	s.Rate, s.Duration, s.PoolSize = 100, 100*time.Second, 500
	sm, err := newSim(experiment.Case{Route: route(t, "async_session_sleep_inside_session"), Settings: s}, Model{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	run := func() {
		sm.stats.reset()
		sm.run(even(s.Rate, s.Requests(), 0, 1))
	}
	run()
	if n := testing.AllocsPerRun(3, run); n > 10 {
		t.Errorf("40,000 events made %v allocations", n)
	}
}
