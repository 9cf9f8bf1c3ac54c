package plan

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// What a simulation keeps hangs on how many requests are under way, not on how many
// there were.
func TestSim_memoryDoesNotGrowWithRequests(t *testing.T) {
	kept := func(d time.Duration) (requests, events, exact int) {
		s := experiment.Defaults()
		s.Rate, s.Duration, s.PoolSize = 2000, d, 5000
		sm, err := newSim(Question{Case: experiment.Case{Route: route(t, "async_session_sleep_inside_session"), Settings: s}, Model: Model{}}, 1)
		if err != nil {
			t.Fatal(err)
		}
		sm.run(even(s.Rate, s.Requests(), 0, 1))
		return len(sm.reqs), sm.events.kept(), cap(sm.classes[0].stats.latency.exact)
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
	sm, err := newSim(Question{Case: experiment.Case{Route: route(t, "async_session_sleep_inside_session"), Settings: s}, Model: Model{}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	run := func() {
		sm.forget()
		sm.run(even(s.Rate, s.Requests(), 0, 1))
	}
	run()
	if n := testing.AllocsPerRun(3, run); n > 10 {
		t.Errorf("40,000 events made %v allocations", n)
	}
}

// What would take more memory than there is room for is refused, and says what to lower;
// whatever runs beside it.
func TestAsk_RefusesWhatIsTooLarge(t *testing.T) {
	for name, c := range map[string]struct {
		q    Question
		want string
	}{
		"requests that queue":        {ask(t, inside, nil), "requests under way at once would take more than 1 GB of memory: lower --rate, --duration or --pool-timeout"},
		"requests that do not queue": {ask(t, outside, nil), "requests under way at once, and more to come, would take more than 1 GB"},
		"with chance":                {ask(t, inside, func(q *Question) { q.Model.Arrivals = Poisson }), "lower --rate"},
		"replicas":                   {ask(t, inside, func(q *Question) { q.Model.Replicas = 3 }), "lower --rate"},
		"replicas that share":        {ask(t, inside, func(q *Question) { q.Model.Replicas, q.Model.Cores, q.Settings.Rate = 2000, 1, 1 }), "2000 replicas would take more than 1 GB of memory: lower --replicas"},
		"accounts":                   {ask(t, "update_in_one_transaction", func(q *Question) { q.Settings.Accounts = 2000 }), "2000 accounts would take more than 1 GB of memory: lower --accounts"},
	} {
		q := c.q
		q.Model.memory = 16 << 10
		_, err := Ask(q.Settings, []Question{q}, 4)
		var large *TooLargeError
		if !errors.As(err, &large) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	// What fits alone is predicted, one after the other where not beside others.
	q := ask(t, inside, func(q *Question) { q.Model.Arrivals = Poisson })
	want, err := Ask(q.Settings, []Question{q}, 4)
	if err != nil {
		t.Fatal(err)
	}
	q.Model.memory = 120 << 10
	got, err := Ask(q.Settings, []Question{q}, 4)
	if err != nil || got.Routes[0].Outcomes != want.Routes[0].Outcomes {
		t.Errorf("got %v, %v", got, err)
	}
}
