package plan

import (
	"math"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// The seed's own table, from its settings alone.
func TestPredict_isTheSeedsTable(t *testing.T) {
	s := experiment.Defaults()
	predicted, err := Predict(s, experiment.CasesOf(experiment.RoutesOf("seed"), s), Model{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range predicted.Routes {
		p := &predicted.Routes[i]
		was := experiment.Seed().Route(p.Name)
		points := 0.005
		if p.Name == "sync_session_sleep_inside_session" {
			points = 0.006 // 238 and not 240 were answered there
		}
		near(t, p.Name+": success", p.SuccessRatio, was.SuccessRatio, points)
		near(t, p.Name+": throughput by the seed's", p.Throughput/was.Throughput, 1, 0.01)
		for _, q := range []struct {
			name     string
			got, was time.Duration
		}{
			{"p50", p.Latency.P50, was.Latency.P50}, {"p90", p.Latency.P90, was.Latency.P90},
			{"p99", p.Latency.P99, was.Latency.P99}, {"mean", p.Latency.Mean, was.Latency.Mean},
		} {
			off := q.got.Seconds()/q.was.Seconds() - 1
			t.Logf("%s: %s %v, the seed's %v: %+.1f %%", p.Name, q.name, q.got.Round(time.Millisecond), q.was, 100*off)
			if p.Name == "async_session_sleep_outside_session" && q.name == "p99" {
				// The slowest of the seed's requests took 0.1 s more than the others, and nothing
				// in the settings says why. An Overheads.Connect of 0.1 s would give it, but 0.1 s
				// is nowhere in the seed but in this figure: docs/plan.md, "What it cannot know".
				near(t, p.Name+": p99 by the seed's", 1+off, 1, 0.05)
				continue
			}
			near(t, p.Name+": "+q.name+" by the seed's", 1+off, 1, 0.02)
		}
	}
}

// What is known of the seed's load to the request.
func TestPredict_countsTheBurstExactly(t *testing.T) {
	for _, c := range []struct {
		route  string
		change func(*experiment.Settings)
		ok     int
		p99    time.Duration
	}{
		{"async_session_sleep_inside_session", func(*experiment.Settings) {}, 240, 30 * time.Second},
		{"sync_session_sleep_inside_session", func(*experiment.Settings) {}, 240, 30 * time.Second},
		{"async_session_sleep_inside_session", func(s *experiment.Settings) { s.Duration *= 24 }, 240, 30 * time.Second},
		{"sync_session_sleep_outside_session", func(*experiment.Settings) {}, 500, 21200 * time.Millisecond},
		{"async_session_sleep_outside_session", func(*experiment.Settings) {}, 500, 2 * time.Second},
		// A pool timeout below the client's less the slow call repairs it.
		{"async_session_sleep_inside_session", func(s *experiment.Settings) { s.Duration, s.PoolTimeout = time.Minute, 27900*time.Millisecond }, 660, 29900 * time.Millisecond},
	} {
		s := experiment.Defaults()
		c.change(&s)
		r, err := predictCase(experiment.Case{Name: c.route, Route: route(t, c.route), Settings: s}, Model{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Outcomes.OK != c.ok {
			t.Errorf("%s, %v, pool timeout %v: %d served, want %d", c.route, s.Duration, s.PoolTimeout, r.Outcomes.OK, c.ok)
		}
		if math.Abs((r.Latency.P99 - c.p99).Seconds()) > 0.1 {
			t.Errorf("%s: p99 %v, want about %v", c.route, r.Latency.P99, c.p99)
		}
	}
}

// The formulas of the burst say the same as the simulation, of any burst that they know.
func TestPredict_agreesWithTheFormulasOfABurst(t *testing.T) {
	for _, places := range []int{1, 3, 15, 60, 199, 250} {
		for _, hold := range []time.Duration{100 * time.Millisecond, 700 * time.Millisecond, 2 * time.Second} {
			for _, duration := range []time.Duration{10 * time.Millisecond, time.Second, 7 * time.Second} {
				s := experiment.Defaults()
				s.Slow, s.Duration, s.Threads, s.PoolTimeout = hold, duration, places, never
				b := Burst{Rate: s.Rate, Duration: duration, Hold: hold, Places: places}
				s.PoolSize = places // so that only the threads decide
				r, err := predictCase(experiment.Case{Route: route(t, "sync_session_sleep_inside_session"), Settings: s}, Model{})
				if err != nil {
					t.Fatal(err)
				}
				want, err := b.Served(s.ClientTimeout)
				if err != nil || r.Outcomes.OK != want {
					t.Errorf("%+v: %d are served, the formula says %d (%v)", b, r.Outcomes.OK, want, err)
				}
				drain, err := b.Drain()
				if done := r.Elapsed + r.DrainedAfter; err != nil || r.DrainedAfter > 0 && (done-drain).Abs() > time.Microsecond {
					t.Errorf("%+v: done after %v, the formula says %v (%v)", b, done, drain, err)
				}
			}
		}
	}
}
