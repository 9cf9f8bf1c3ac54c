package plan

import (
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// estimate is a figure of an answer, and where it is with a probability of 95 %. All
// figures of an answer are made of one list of runs. Today these differ by the chance of
// the simulation only; runs whose inputs differ too, by as much as is not known of them,
// make the same intervals wider, and nothing here changes.
type estimate struct{ mean, low, high float64 }

func estimateOf(runs []*experiment.RouteResult, of func(*experiment.RouteResult) float64) estimate {
	if len(runs) == 1 {
		v := of(runs[0])
		return estimate{v, v, v}
	}
	sum := 0.0
	for _, r := range runs {
		sum += of(r)
	}
	i := interval(runs, of)
	return estimate{sum / float64(len(runs)), i[0], i[1]}
}

// put writes the estimate to figures, under a name that ends in its unit: wait_p95_s,
// and, where there is an interval, wait_p95_low_s and wait_p95_high_s.
func (e estimate) put(figures map[string]float64, name, unit string) {
	figures[name+unit] = e.mean
	if e.low != e.high {
		figures[name+"_low"+unit], figures[name+"_high"+unit] = e.low, e.high
	}
}

// in shows the estimate, with its interval where that is to be seen in three digits.
func (e estimate) in(show func(float64) string) string {
	text := show(e.mean)
	if low, high := show(e.low), show(e.high); low != high {
		number, unit, _ := strings.Cut(low, " ")
		if strings.HasSuffix(high, " "+unit) {
			low = number
		}
		text += " (" + low + " to " + high + ")"
	}
	return text
}

// times shows seconds.
func times(s float64) string { return words.Short(seconds(s)) }

// atEnds is the mean of the runs with each figure that a target is about at the end of
// its interval that is better for the target, or at the one that is worse.
func atEnds(runs []*experiment.RouteResult, better bool) *experiment.RouteResult {
	r := *meanOf(runs)
	most := func(of func(*experiment.RouteResult) float64) float64 {
		e := estimateOf(runs, of)
		if better {
			return e.high
		}
		return e.low
	}
	least := func(of func(*experiment.RouteResult) time.Duration) time.Duration {
		e := estimateOf(runs, func(r *experiment.RouteResult) float64 { return of(r).Seconds() })
		if better {
			return seconds(e.low)
		}
		return seconds(e.high)
	}
	r.SuccessRatio = min(1, most(func(r *experiment.RouteResult) float64 { return r.SuccessRatio }))
	r.Throughput = most(func(r *experiment.RouteResult) float64 { return r.Throughput })
	r.Latency.P50 = least(func(r *experiment.RouteResult) time.Duration { return r.Latency.P50 })
	r.Latency.P90 = least(func(r *experiment.RouteResult) time.Duration { return r.Latency.P90 })
	r.Latency.P95 = least(func(r *experiment.RouteResult) time.Duration { return r.Latency.P95 })
	r.Latency.P99 = least(func(r *experiment.RouteResult) time.Duration { return r.Latency.P99 })
	r.SuccessLatency.Mean = least(func(r *experiment.RouteResult) time.Duration { return r.SuccessLatency.Mean })
	return &r
}
