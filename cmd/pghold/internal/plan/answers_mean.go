package plan

import (
	"math"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// meanOf is the mean of several predictions of one question, with intervals where
// there is more than one.
func meanOf(runs []*experiment.RouteResult) *experiment.RouteResult {
	mean := *runs[0]
	if len(runs) == 1 {
		return &mean
	}
	ratio := func(of func(*experiment.RouteResult) float64) float64 {
		sum := 0.0
		for _, r := range runs {
			sum += of(r)
		}
		return sum / float64(len(runs))
	}
	count := func(of func(*experiment.RouteResult) int) int {
		return int(math.Round(ratio(func(r *experiment.RouteResult) float64 { return float64(of(r)) })))
	}
	length := func(of func(*experiment.RouteResult) time.Duration) time.Duration {
		return time.Duration(ratio(func(r *experiment.RouteResult) float64 { return float64(of(r)) }))
	}
	quantiles := func(of func(*experiment.RouteResult) experiment.Quantiles) experiment.Quantiles {
		at := func(f func(experiment.Quantiles) time.Duration) time.Duration {
			return length(func(r *experiment.RouteResult) time.Duration { return f(of(r)) })
		}
		return experiment.Quantiles{
			Min:  at(func(q experiment.Quantiles) time.Duration { return q.Min }),
			Mean: at(func(q experiment.Quantiles) time.Duration { return q.Mean }),
			P50:  at(func(q experiment.Quantiles) time.Duration { return q.P50 }),
			P90:  at(func(q experiment.Quantiles) time.Duration { return q.P90 }),
			P95:  at(func(q experiment.Quantiles) time.Duration { return q.P95 }),
			P99:  at(func(q experiment.Quantiles) time.Duration { return q.P99 }),
			Max:  at(func(q experiment.Quantiles) time.Duration { return q.Max }),
		}
	}

	mean.Rate = ratio(func(r *experiment.RouteResult) float64 { return r.Rate })
	mean.Throughput = ratio(func(r *experiment.RouteResult) float64 { return r.Throughput })
	mean.Goodput = ratio(func(r *experiment.RouteResult) float64 { return r.Goodput })
	mean.SuccessRatio = ratio(func(r *experiment.RouteResult) float64 { return r.SuccessRatio })
	mean.Elapsed = length(func(r *experiment.RouteResult) time.Duration { return r.Elapsed })
	mean.DrainedAfter = length(func(r *experiment.RouteResult) time.Duration { return r.DrainedAfter })
	mean.Latency = quantiles(func(r *experiment.RouteResult) experiment.Quantiles { return r.Latency })
	mean.SuccessLatency = quantiles(func(r *experiment.RouteResult) experiment.Quantiles { return r.SuccessLatency })

	o := &mean.Outcomes
	o.OK = count(func(r *experiment.RouteResult) int { return r.Outcomes.OK })
	o.ClientTimeout = count(func(r *experiment.RouteResult) int { return r.Outcomes.ClientTimeout })
	o.PoolTimeout = count(func(r *experiment.RouteResult) int { return r.Outcomes.PoolTimeout })
	o.Rejected = count(func(r *experiment.RouteResult) int { return r.Outcomes.Rejected })
	o.Error = count(func(r *experiment.RouteResult) int { return r.Outcomes.Error })
	mean.Requests = o.OK + o.ClientTimeout + o.PoolTimeout + o.Rejected + o.Error
	codes := map[string]int{}
	for _, r := range runs {
		for code := range r.StatusCodes {
			if n := count(func(r *experiment.RouteResult) int { return r.StatusCodes[code] }); n > 0 {
				codes[code] = n
			}
		}
	}
	mean.StatusCodes = codes

	mean.Time = experiment.TimeSplit{
		ThreadWait: length(func(r *experiment.RouteResult) time.Duration { return r.Time.ThreadWait }),
		PoolWait:   length(func(r *experiment.RouteResult) time.Duration { return r.Time.PoolWait }),
		Busy:       length(func(r *experiment.RouteResult) time.Duration { return r.Time.Busy }),
		Slow:       length(func(r *experiment.RouteResult) time.Duration { return r.Time.Slow }),
	}
	mean.Holds = experiment.Holds{
		Count:               count(func(r *experiment.RouteResult) int { return r.Holds.Count }),
		Held:                quantiles(func(r *experiment.RouteResult) experiment.Quantiles { return r.Holds.Held }),
		BusyRatio:           ratio(func(r *experiment.RouteResult) float64 { return r.Holds.BusyRatio }),
		SilentInTransaction: length(func(r *experiment.RouteResult) time.Duration { return r.Holds.SilentInTransaction }),
		Wait:                quantiles(func(r *experiment.RouteResult) experiment.Quantiles { return r.Holds.Wait }),
		MaxWaiting:          count(func(r *experiment.RouteResult) int { return r.Holds.MaxWaiting }),
	}
	mean.Connections = experiment.Connections{
		Max:                    count(func(r *experiment.RouteResult) int { return r.Connections.Max }),
		MaxSilentInTransaction: count(func(r *experiment.RouteResult) int { return r.Connections.MaxSilentInTransaction }),
		Left:                   count(func(r *experiment.RouteResult) int { return r.Connections.Left }),
		SilentInTransaction:    length(func(r *experiment.RouteResult) time.Duration { return r.Connections.SilentInTransaction }),
	}
	mean.PerRequest = experiment.PerRequest{
		Checkouts:  ratio(func(r *experiment.RouteResult) float64 { return r.PerRequest.Checkouts }),
		Statements: ratio(func(r *experiment.RouteResult) float64 { return r.PerRequest.Statements }),
		RoundTrips: ratio(func(r *experiment.RouteResult) float64 { return r.PerRequest.RoundTrips }),
	}
	if mean.Updates != nil {
		mean.Updates = &experiment.Updates{
			Recorded:      count(func(r *experiment.RouteResult) int { return r.Updates.Recorded }),
			Lost:          count(func(r *experiment.RouteResult) int { return r.Updates.Lost }),
			Retries:       count(func(r *experiment.RouteResult) int { return r.Updates.Retries }),
			Calls:         count(func(r *experiment.RouteResult) int { return r.Updates.Calls }),
			CallsRepeated: count(func(r *experiment.RouteResult) int { return r.Updates.CallsRepeated }),
		}
	}

	mean.Interval = map[string][2]float64{}
	for name, of := range intervals {
		mean.Interval[name] = interval(runs, of)
	}
	success := mean.Interval["success_ratio"]
	mean.Interval["success_ratio"] = [2]float64{min(1, success[0]), min(1, success[1])}
	return &mean
}

// intervals are the figures that have one, by their names in JSON.
var intervals = map[string]func(*experiment.RouteResult) float64{
	"success_ratio":    func(r *experiment.RouteResult) float64 { return r.SuccessRatio },
	"throughput_per_s": func(r *experiment.RouteResult) float64 { return r.Throughput },
	"latency_s.p50":    func(r *experiment.RouteResult) float64 { return r.Latency.P50.Seconds() },
	"latency_s.p99":    func(r *experiment.RouteResult) float64 { return r.Latency.P99.Seconds() },
}

// interval is where the mean of a figure is, with a probability of 95 %.
func interval(runs []*experiment.RouteResult, of func(*experiment.RouteResult) float64) [2]float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = of(r)
	}
	low, high := intervalOf(values)
	return [2]float64{low, high}
}

// intervalOf is where the mean of values is, with a probability of 95 %: Student's, as
// they are independent of each other. No figure is below zero.
func intervalOf(values []float64) (low, high float64) {
	n := float64(len(values))
	mean, squares := 0.0, 0.0
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	half := student(len(values)-1) * math.Sqrt(squares/(n-1)/n)
	return max(0, mean-half), mean + half
}

// student is the 97.5 % quantile of Student's distribution: from a table where there
// are few degrees of freedom, and from there on by Cornish and Fisher's expansion,
// which is within 0.1 %.
func student(freedom int) float64 {
	table := []float64{12.7062, 4.3027, 3.1824, 2.7764, 2.5706}
	if freedom <= len(table) {
		return table[max(freedom, 1)-1]
	}
	const z = 1.959964
	v := float64(freedom)
	return z + (z*z*z+z)/(4*v) + (5*math.Pow(z, 5)+16*z*z*z+3*z)/(96*v*v)
}
