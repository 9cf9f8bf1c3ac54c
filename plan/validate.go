package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/pghold/pghold/experiment"
)

// longestDrain is how long handlers may go on after the last client has left, in the
// experiment's own time, for a case to be drawn: a lab has to wait for it.
const longestDrain = 60 * time.Second

// Draw draws n cases at random, to compare what is predicted with what the lab
// measures: the seed's four routes and the three pools in turn, 20 to 150 requests/s
// for 3 to 20 s, 2 to 40 connections, a slow call of 0.5 to 3 s, 10 to 80 threads, and
// time-outs of 3 to 40 s. Cases whose handlers would go on for more than a minute after
// their last client are drawn again.
func Draw(n int, seed uint64, speed float64) ([]experiment.Case, error) {
	rng := rand.New(rand.NewPCG(seed, 1))
	between := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	seconds := func(low, high float64) time.Duration {
		return time.Duration(between(low, high)*1000) * time.Millisecond
	}
	routes := experiment.RoutesOf("seed")
	var cases []experiment.Case
	for len(cases) < n {
		i := len(cases)
		s := experiment.Defaults()
		s.Speed = speed
		s.Rate = math.Round(between(20, 150))
		s.Duration, s.Slow = seconds(3, 20), seconds(0.5, 3)
		s.ClientTimeout, s.PoolTimeout = seconds(3, 40), seconds(3, 40)
		s.Threads = 10 + rng.IntN(71)
		connections := 2 + rng.IntN(39)
		s.Pool = experiment.Pools[i/len(routes)%len(experiment.Pools)]
		s.PoolSize, s.MaxOverflow = connections, 0
		if s.Pool == experiment.QueuePool {
			s.MaxOverflow = rng.IntN(connections)
			s.PoolSize = connections - s.MaxOverflow
		}
		c := experiment.Case{Name: fmt.Sprintf("%s@%d", routes[i%len(routes)].Name, i+1), Route: routes[i%len(routes)], Settings: s}
		r, err := predictCase(c, Model{})
		if err != nil {
			return nil, err
		}
		if r.DrainedAfter <= longestDrain {
			cases = append(cases, c)
		}
	}
	return cases, nil
}

// Check is one figure of a case, predicted and measured.
type Check struct {
	Case, Figure        string
	Predicted, Measured float64
	// Error is the difference by the measured, or the difference itself where nothing
	// was measured. Tolerance is the most that it may be.
	Error, Tolerance float64
	// Cause says, of a miss, why. Empty where it is not known.
	Cause string
}

// Missed reports whether the figures differ by more than they may.
func (c Check) Missed() bool { return math.Abs(c.Error) > c.Tolerance }

// The figures that are compared, and by how much they may differ.
var checked = []struct {
	name      string
	tolerance float64
	of        func(*experiment.RouteResult) float64
}{
	{"throughput", 0.03, func(r *experiment.RouteResult) float64 { return r.Throughput }},
	{"success", 0.03, func(r *experiment.RouteResult) float64 { return r.SuccessRatio }},
	{"p50", 0.05, func(r *experiment.RouteResult) float64 { return r.Latency.P50.Seconds() }},
	{"p99", 0.05, func(r *experiment.RouteResult) float64 { return r.Latency.P99.Seconds() }},
}

// Checks compares a case as it was measured with its prediction. For each figure that
// misses it looks whether the case hangs on a few milliseconds: whether a prediction
// with a little more or less overhead gives what was measured.
func Checks(c experiment.Case, measured *experiment.RouteResult, m Model) ([]Check, error) {
	predicted, err := predictCase(c, m)
	if err != nil {
		return nil, err
	}
	nearby, err := nearby(c, m)
	if err != nil {
		return nil, err
	}
	var checks []Check
	for _, f := range checked {
		k := Check{Case: c.Name, Figure: f.name, Predicted: f.of(predicted), Measured: f.of(measured), Tolerance: f.tolerance}
		k.Error = k.Predicted - k.Measured
		if k.Measured != 0 {
			k.Error /= k.Measured
		}
		if k.Missed() {
			low, high := k.Predicted, k.Predicted
			for _, n := range nearby {
				low, high = min(low, f.of(n)), max(high, f.of(n))
			}
			if k.Measured >= low*(1-f.tolerance) && k.Measured <= high*(1+f.tolerance) {
				k.Cause = fmt.Sprintf("it hangs on milliseconds: with up to %v more or less overhead for each request, predictions reach from %.4g to %.4g", wobble, low, high)
			}
		}
		checks = append(checks, k)
	}
	return checks, nil
}

// wobble is by how much the overheads of a machine vary within a run.
const wobble = 10 * time.Millisecond

// nearby are predictions for machines that are a little slower or faster, and, where
// chance decides, for other chances.
func nearby(c experiment.Case, m Model) ([]*experiment.RouteResult, error) {
	var all []*experiment.RouteResult
	for i := -4; i <= 4; i++ {
		other := m
		other.Seed += uint64(i + 5)
		d := wobble * time.Duration(i) / 4
		other.Overheads.Request = max(0, m.Overheads.Request+d)
		other.Overheads.Call = m.Overheads.Call + d
		r, err := predictCase(c, other)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}
