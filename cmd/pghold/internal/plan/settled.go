package plan

import (
	"math"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// length is how long the load of a simulation lasts that stands for one without an end:
// so many times as long as a queue takes to forget how it began, and few requests at
// least, but no more than many for it.
type length struct {
	settles   float64
	few, many int
}

// toAnswer is the length of what an answer's figures are made of, and toLook of what only
// tells whether a number is enough.
var (
	toAnswer = length{settles: 40, few: 30_000, many: 120_000}
	toLook   = length{settles: 20, few: 15_000, many: 40_000}
)

const (
	// requestsInAll is how many requests all replications of an answer have together,
	// where that is not fewer than fewestRuns of them.
	requestsInAll = 400_000
	fewestRuns    = 5
	// withoutChance is how many requests are enough where nothing happens by chance.
	withoutChance = 3_000
	// overflows is how long a load lasts that is more than is carried: so many times as
	// long as it takes until requests fail.
	overflows = 6
)

// settled is the question under a load that lasts until it does not matter any more that
// it began with nobody in the queue.
func (q Question) settled() Question { return q.lastingFor(toAnswer) }

func (q Question) lastingFor(l length) Question {
	q = q.untimed()
	s := &q.Settings
	if !q.chance() {
		l.few = withoutChance
	}
	long := max(seconds(l.settles*q.forgets()), atRate(l.few, s.Rate))
	least := 10 * q.demand().answer
	if s.Rate >= q.capacity() { // until those who wait have waited as long as they may
		long = seconds(overflows * q.forgets())
		least = max(least, 3*min(s.ClientTimeout, s.PoolTimeout))
	}
	s.Duration = max(min(long, atRate(l.many, s.Rate)), least, atRate(2, s.Rate))
	return q
}

// unsettled reports whether the figures of the settled question hang on how long its load
// lasts: it is so near what can be carried that it would have to last too long.
func (q Question) unsettled() bool {
	return !q.overloaded() && q.Settings.Duration.Seconds() < toAnswer.settles/4*q.forgets()
}

// settledRuns predicts the settled question as often as an answer takes.
func (q Question) settledRuns() ([]*experiment.RouteResult, error) {
	q = q.settled()
	return q.replicateOwn(min(Replications, max(fewestRuns, requestsInAll/max(1, q.Settings.Requests()))))
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
