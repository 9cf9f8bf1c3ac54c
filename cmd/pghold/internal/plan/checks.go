package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Check is one figure of a case, predicted and measured.
type Check struct {
	Case, Figure        string
	Predicted, Measured float64
	// Error is the difference by the measured, or the difference itself where nothing
	// was measured. Tolerance is the most that it may be.
	Error, Tolerance float64
	// Uncounted figures are shown, and not asked for.
	Uncounted bool
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
// misses it looks whether single runs differ by so much, by chance alone, or whether the
// case hangs on a few milliseconds: whether a prediction with a little more or less
// overhead gives what was measured.
func Checks(c experiment.Case, measured *experiment.RouteResult, m Model) ([]Check, error) {
	runs, err := Question{Case: c, Model: m}.replicateOwn(Replications)
	if err != nil {
		return nil, err
	}
	predicted := meanOf(runs)
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
			reach := func(by []*experiment.RouteResult, tolerance float64) (low, high float64, reached bool) {
				low, high = k.Predicted, k.Predicted
				for _, n := range by {
					low, high = min(low, f.of(n)), max(high, f.of(n))
				}
				return low, high, k.Measured >= low*(1-tolerance) && k.Measured <= high*(1+tolerance)
			}
			if low, high, reached := reach(runs, 0); reached {
				k.Cause = fmt.Sprintf("it is chance: predictions of a single run reach from %.4g to %.4g", low, high)
			} else if low, high, reached := reach(nearby, f.tolerance); reached {
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
