package plan

import (
	"fmt"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// BenchmarkEvents is one core's speed: 1000 requests/s for 100 s of the experiment's
// time, 2000 of them under way at once.
func BenchmarkEvents(b *testing.B) {
	s := experiment.Defaults()
	s.Rate, s.Duration = 1000, 100*time.Second
	s.PoolSize, s.MaxOverflow, s.Threads = 2100, 0, 2100
	crowded := s
	crowded.PoolSize = 1500 // everybody waits, and the time-outs of waits that are over lie about
	for _, bb := range []struct {
		name, route string
		settings    experiment.Settings
		model       Model
	}{
		{"async inside", "async_session_sleep_inside_session", s, Model{}},
		{"async outside", "async_session_sleep_outside_session", s, Model{}},
		{"sync inside", "sync_session_sleep_inside_session", s, Model{}},
		{"crowded", "async_session_sleep_inside_session", crowded, Model{}},
		{"by chance", "async_session_sleep_inside_session", s, Model{Arrivals: Poisson, Shape: Exponential}},
		{"updates", "update_split_version", s, Model{Overheads: Overheads{Statement: 100 * time.Microsecond}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			c := experiment.Case{Name: bb.route, Route: route(b, bb.route), Settings: bb.settings}
			sm, err := newSim(Question{Case: c, Model: bb.model}, 1)
			if err != nil {
				b.Fatal(err)
			}
			again := func() {
				sm.forget()
				sm.run(bb.model.arrivals(bb.settings, bb.model.chance(1)))
			}
			again() // so that all the memory is there that it needs
			sm.processed = 0
			b.ReportAllocs()
			for b.Loop() {
				again()
			}
			b.ReportMetric(float64(sm.processed)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkSeed predicts the seed's four routes.
func BenchmarkSeed(b *testing.B) {
	s := experiment.Defaults()
	cases := experiment.CasesOf(experiment.RoutesOf("seed"), s)
	for b.Loop() {
		if _, err := Predict(s, cases, Model{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMillion predicts a million requests/s, over 1000 replicas, for 10 s.
func BenchmarkMillion(b *testing.B) {
	s := experiment.Defaults()
	s.Rate, s.Duration = 1e6, 10*time.Second
	s.PoolSize, s.MaxOverflow = 2100, 0
	for _, bb := range []struct {
		name  string
		model Model
	}{
		{"even", Model{Replicas: 1000}},
		{"by chance", Model{Replicas: 1000, Arrivals: Poisson, RandomReplica: true, Shape: Exponential}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			c := experiment.CasesOf([]experiment.Route{route(b, "async_session_sleep_inside_session")}, s)
			for b.Loop() {
				if _, err := Predict(s, c, bb.model); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func route(t testing.TB, name string) experiment.Route {
	t.Helper()
	r, err := experiment.FindRoutes([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return r[0]
}

// BenchmarkMix is 20 routes that share the pools of 40 replicas, with intervals: 1,000
// requests/s for a minute, 20 times, and as often with inputs in doubt.
func BenchmarkMix(b *testing.B) {
	s := experiment.Defaults()
	s.Pool, s.PoolSize, s.MaxOverflow, s.Duration = experiment.PgxPool, 10, 0, time.Minute
	q := Question{Case: experiment.Case{Name: AllRoutes, Settings: s}, Model: Model{Arrivals: Poisson, Replicas: 40, RandomReplica: true}}
	q.Settings.Rate = 1000
	for i := range 20 {
		one := Question{Case: experiment.Case{Name: fmt.Sprint(i), Route: experiment.Route{Steps: callInside}, Settings: s}, Evidence: Evidence{Arrivals: 1000, Calls: 1000}}
		one.Settings.Rate = 50
		for j := range 1000 {
			one.Model.Calls = append(one.Model.Calls, time.Duration(j)*600*time.Microsecond)
		}
		q.Others = append(q.Others, one)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := q.answer(Replications); err != nil {
			b.Fatal(err)
		}
	}
}
