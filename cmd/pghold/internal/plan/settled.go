package plan

import (
	"math"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// How long the load of a simulation lasts that stands for one without an end: settles
// times as long as a queue takes to forget how it began, and fewRequests at least, but
// no more than manyRequests for it. All replications together have requestsInAll, where
// that is not too few of them.
const (
	settles       = 40
	fewRequests   = 30_000
	manyRequests  = 120_000
	requestsInAll = 600_000
	fewestRuns    = 5
	overflows     = 6 // of a load that is more than is carried, times as long as it takes until requests fail
)

// settled is the question under a load that lasts until it does not matter any more that
// it began with nobody in the queue.
func (q Question) settled() Question {
	q = q.untimed()
	s := &q.Settings
	long := max(seconds(settles*q.forgets()), atRate(fewRequests, s.Rate))
	least := 10 * q.demand().answer
	if s.Rate >= q.capacity() { // until those who wait have waited as long as they may
		long = seconds(overflows * q.forgets())
		least = max(least, 3*min(s.ClientTimeout, s.PoolTimeout))
	}
	s.Duration = max(min(long, atRate(manyRequests, s.Rate)), least, atRate(2, s.Rate))
	return q
}

// unsettled reports whether the figures of the settled question hang on how long its load
// lasts: it is so near what can be carried that it would have to last too long.
func (q Question) unsettled() bool {
	return !q.overloaded() && q.Settings.Duration.Seconds() < settles/4*q.forgets()
}

// settledRuns predicts the settled question as often as its figures take, and at most so
// many times.
func (q Question) settledRuns(atMost int) ([]*experiment.RouteResult, error) {
	q = q.settled()
	return q.replicateOwn(min(atMost, max(fewestRuns, requestsInAll/max(1, q.Settings.Requests()))))
}

// lastingSuccess is the share of the requests that are answered of a load that is more
// than is carried, once its beginning is over, in which all of them still are: of those
// that come in the second half of runs, whose first half is run by itself to be taken off.
func (q Question) lastingSuccess(runs []*experiment.RouteResult) (estimate, error) {
	half := q.settled()
	half.Settings.Duration /= 2
	first, err := half.replicateOwn(len(runs))
	if err != nil {
		return estimate{}, err
	}
	var seconds []*experiment.RouteResult
	for i, r := range runs {
		answered, sent := r.Outcomes.OK-first[i].Outcomes.OK, r.Requests-first[i].Requests
		seconds = append(seconds, &experiment.RouteResult{SuccessRatio: min(1, max(0, float64(answered)/float64(max(1, sent))))})
	}
	return estimateOf(seconds, func(r *experiment.RouteResult) float64 { return r.SuccessRatio }), nil
}

// forgets is how many seconds a queue takes to forget how it began. Where less comes than
// is carried that is the relaxation time of an M/M/c queue, h/(√c(1-√ρ))², by the places
// c of one replica; where more comes, the time until who is next has waited as long as he
// may; near where they meet, the shorter.
func (q Question) forgets() float64 {
	all := q.stations()
	if len(all) == 0 {
		return 0
	}
	first := all[0]
	rho := q.Settings.Rate / first.Capacity
	fills := min(q.Settings.ClientTimeout, q.Settings.PoolTimeout).Seconds() / math.Abs(rho-1)
	if rho >= 1 {
		return fills
	}
	c := float64(first.Places)
	if !first.shared() {
		c /= float64(q.replicas())
	}
	room := 1 - math.Sqrt(rho)
	return min(fills, first.Held.Seconds()/(c*room*room))
}
