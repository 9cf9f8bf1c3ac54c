package plan

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestPredict_saysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(*experiment.Settings, *Model)
	}{
		{"--threads must be above zero", func(s *experiment.Settings, _ *Model) { s.Threads = 0 }},
		{"--pool-size must be above zero", func(s *experiment.Settings, _ *Model) { s.PoolSize = 0 }},
		{"--slow must not be negative", func(s *experiment.Settings, _ *Model) { s.Slow = -time.Second }},
		{"--rate must be above zero", func(s *experiment.Settings, _ *Model) { s.Rate = math.NaN() }},
		{"sends no request", func(s *experiment.Settings, _ *Model) { s.Duration = time.Millisecond }},
		{"there cannot be -1 replicas", func(_ *experiment.Settings, m *Model) { m.Replicas = -1 }},
		{"there cannot be -1 cores", func(_ *experiment.Settings, m *Model) { m.Cores = -1 }},
		{`requests come even or poisson, not "in waves"`, func(_ *experiment.Settings, m *Model) { m.Arrivals = "in waves" }},
		{`there is no shape "round" of a slow call`, func(_ *experiment.Settings, m *Model) { m.Shape = "round" }},
		{"a statement takes -1ms: a time cannot be negative", func(_ *experiment.Settings, m *Model) { m.Overheads.Statement = -time.Millisecond }},
		{"a handover takes -1ns: a time cannot be negative", func(_ *experiment.Settings, m *Model) { m.Overheads.Handover = -1 }},
		{"opening a connection takes -1ns: a time cannot be negative", func(_ *experiment.Settings, m *Model) { m.Overheads.Connect = -1 }},
		{"a request takes -1ns: a time cannot be negative", func(_ *experiment.Settings, m *Model) { m.Overheads.Request = -1 }},
		{"the slow call takes -1s: a time cannot be negative", func(_ *experiment.Settings, m *Model) { m.Overheads.Call = -3 * time.Second }},
		{"a recorded slow call took -1s: a time cannot be negative", func(_ *experiment.Settings, m *Model) { m.Calls = []time.Duration{1, -time.Second} }},
		{"a request came at -1s: a time cannot be negative", func(_ *experiment.Settings, m *Model) { m.Times = []time.Duration{-time.Second} }},
		{"a request came at 1s, after one at 2s: the times must be in order", func(_ *experiment.Settings, m *Model) {
			m.Times = []time.Duration{2 * time.Second, time.Second}
		}},
	} {
		s, m := experiment.Defaults(), Model{}
		c.change(&s, &m)
		_, err := Predict(s, experiment.CasesOf(experiment.RoutesOf("seed"), s), m)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("got the error %v, want a line with %q", err, c.want)
		}
	}
}

func TestPredict_ofNothingIsEmpty(t *testing.T) {
	r, err := Predict(experiment.Defaults(), nil, Model{})
	if err != nil || len(r.Routes) != 0 || r.Kind != experiment.Predicted {
		t.Errorf("got %+v, %v", r, err)
	}
}

// By chance nobody may come at all.
func TestPredict_whereNobodyComes(t *testing.T) {
	s := experiment.Defaults()
	s.Rate, s.Duration = 1, time.Second
	for seed := range uint64(50) {
		for _, replicas := range []int{1, 3} {
			r, err := predictCase(experiment.Case{Route: experiment.Routes[3], Settings: s}, Model{Arrivals: Poisson, Seed: seed, Replicas: replicas})
			if err != nil {
				t.Fatal(err)
			}
			if r.Requests == 0 && (r.SuccessRatio != 0 || r.Throughput != 0 || r.Elapsed != 0 || math.IsNaN(r.Rate)) {
				t.Fatalf("nobody came, and yet %+v", r)
			}
		}
	}
}

func TestPredict_recordedTimesAreThoseOfEvenOnes(t *testing.T) {
	s := experiment.Defaults()
	c := experiment.Case{Route: route(t, "sync_session_sleep_outside_session"), Settings: s}
	var times []time.Duration
	for next := even(s.Rate, s.Requests(), 0, 1); ; {
		at, more := next()
		if !more {
			break
		}
		times = append(times, time.Duration(at))
	}
	for _, replicas := range []int{1, 3} {
		evenly, err := predictCase(c, Model{Replicas: replicas})
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := predictCase(c, Model{Replicas: replicas, Times: times})
		if err != nil {
			t.Fatal(err)
		}
		if evenly.Latency != recorded.Latency || evenly.Outcomes != recorded.Outcomes {
			t.Errorf("%d replicas: recorded %+v, even %+v", replicas, recorded.Latency, evenly.Latency)
		}
	}
}
