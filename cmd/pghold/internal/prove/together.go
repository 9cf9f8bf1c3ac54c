package prove

import (
	"cmp"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/attack"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// step is one attack: on a route, or on all at once.
type step struct {
	name     string // of what its result is called
	routes   []route
	together bool
}

// shown is a result, and which one's median says which of several runs it has: of routes that
// were attacked at once, the same run has to stand for all.
type shown struct{ name, medianOf string }

// stepsOf are the attacks, and the results that they come to, in order.
func stepsOf(routes []route, together bool) (steps []step, order []shown) {
	if !together {
		for _, r := range routes {
			steps, order = append(steps, step{r.name, []route{r}, false}), append(order, shown{r.name, r.name})
		}
		return steps, order
	}
	for _, r := range routes {
		alone := r
		alone.name, alone.file = experiment.Alone(r.name), r.file+aloneInFiles
		steps = append(steps, step{alone.name, []route{alone}, false})
		order = append(order, shown{alone.name, alone.name}, shown{r.name, experiment.Together})
	}
	return append(steps, step{experiment.Together, routes, true}), append(order, shown{experiment.Together, experiment.Together})
}

// aloneInFiles is at the end of the names of the files of a route that is attacked alone. No
// other route's file ends so.
const aloneInFiles = "@alone"

// mostInFlight is how many requests of all loads were under way at once, at most.
func mostInFlight(loads []*attack.Attack) int {
	var all []span
	for _, l := range loads {
		began := l.Began()
		for _, r := range l.Requests() {
			all = append(all, span{began.Add(r.Sent), began.Add(r.Sent + r.Latency)})
		}
	}
	return atOnce(all)
}

// span is from a moment to another.
type span struct{ from, to time.Time }

// atOnce is how many overlap, at most. What begins when another ends does not.
func atOnce(all []span) (most int) {
	type edge struct {
		at   time.Time
		step int
	}
	var edges []edge
	for _, s := range all {
		edges = append(edges, edge{s.from, 1}, edge{s.to, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(a.at.Compare(b.at), a.step-b.step) })
	now := 0
	for _, e := range edges {
		now += e.step
		most = max(most, now)
	}
	return most
}

// together is the result of several loads as one.
func together(loads []*attack.Attack, results []*experiment.RouteResult) *experiment.RouteResult {
	r := &experiment.RouteResult{Name: experiment.Together, File: "all-together", StatusCodes: map[string]int{}}
	var all, answered []time.Duration
	for i, l := range loads {
		of := results[i]
		r.Requests += of.Requests
		r.Rate += of.Rate
		r.BytesIn += of.BytesIn
		r.Elapsed = max(r.Elapsed, of.Elapsed)
		for code, n := range of.StatusCodes {
			r.StatusCodes[code] += n
		}
		for text, n := range of.Errors {
			if r.Errors == nil {
				r.Errors = map[string]int{}
			}
			r.Errors[text] += n
		}
		o := of.Outcomes
		r.Outcomes.OK += o.OK
		r.Outcomes.ClientTimeout += o.ClientTimeout
		r.Outcomes.PoolTimeout += o.PoolTimeout
		r.Outcomes.Rejected += o.Rejected
		r.Outcomes.Error += o.Error
		for _, req := range l.Requests() {
			all = append(all, req.Latency)
			if req.Outcome == experiment.OK {
				answered = append(answered, req.Latency)
			}
		}
	}
	r.Latency, r.SuccessLatency = experiment.NewQuantiles(all), experiment.NewQuantiles(answered)
	if r.Requests > 0 {
		r.SuccessRatio = float64(r.Outcomes.OK) / float64(r.Requests)
	}
	if r.Elapsed > 0 {
		r.Throughput = float64(r.Outcomes.OK) / r.Elapsed.Seconds()
		r.Goodput = r.Throughput
	}
	return r
}
