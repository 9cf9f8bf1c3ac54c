package plan

import (
	"math"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// needed is how many of something a service takes to meet targets where its load lasts.
type needed struct {
	number    int // 0: no number is enough, and limit says why
	low, high int // it is one of these, as far as the simulation tells
	limit     string
	threads   bool // as many threads as well
}

// runsToLook and runsToDecide are how many times a number is predicted while the least is
// looked for, and when it is found, to see how sure that is.
const (
	runsToLook   = 1
	runsToDecide = 5
)

// needs finds the smallest number of connections of each process (or of lambdas) with
// which the targets are met; where the threads forbid them, with as many threads.
func (s Service) needs(targets []Target, decide bool) (needed, error) {
	n, err := s.least(targets, decide, Service.with, Question.unlimited)
	if err != nil || n.number > 0 {
		return n, err
	}
	q := s.Question()
	if s.Sync {
		with := func(s Service, n int) Service {
			s.Settings.Threads = max(s.Settings.Threads, n)
			return s.with(n)
		}
		if n, err = s.least(targets, decide, with, func(q Question) int { return max(q.Settings.Threads, 2*q.Settings.Requests()) }); err != nil || n.number > 0 {
			n.threads = true
			return n, err
		}
	}
	n.limit, err = forbids(q, targets)
	return n, err
}

// needsOfPgBouncer is needs of the server connections of the PgBouncer.
func (s Service) needsOfPgBouncer(targets []Target, decide bool) (needed, error) {
	with := func(s Service, n int) Service {
		s.Settings.PgBouncer = n
		return s
	}
	most := func(q Question) int { return q.replicas() * q.Settings.Connections() }
	return s.least(targets, decide, with, most)
}

// least finds the smallest number with which targets are met, with being the service with
// so many, and most so many that no more help.
func (s Service) least(targets []Target, decide bool, with func(Service, int) Service, most func(Question) int) (found needed, err error) {
	q := s.Question().lastingFor(toLook)
	runs := func(n, times int, l length) (rs []*experiment.RouteResult) {
		if err == nil {
			rs, err = with(s, n).Question().lastingFor(l).replicateOwn(times)
		}
		return rs
	}
	meets := func(n int) bool {
		rs := runs(n, runsToLook, toLook)
		return err == nil && allMet(targets, meanOf(rs))
	}
	high := most(q)
	if !meets(high) {
		return found, err
	}
	low := 0 // does not meet them
	busy := q.Settings.Rate * q.demand().checkout.Seconds()
	places := with(s, 1).Question().stations()[0] // of which there are so many for each n
	busy /= float64(places.Places)
	if s.Lambdas == 0 && carriedPart(q, targets) == 1 { // else a part of the load is enough
		low = int(math.Ceil(busy-1e-9)) - 1
		if q.chance() { // which needs room
			low = int(math.Floor(busy + 1e-9))
		}
		low = min(high-1, low)
	}
	least := low + 1
	guess := low + 1
	if busy > 0 {
		if guess, err = SquareRootStaffing(busy, 1); err != nil {
			return found, err
		}
		guess = max(low+1, guess)
	}
	for step := 1; low < guess && guess < high; step *= 2 {
		if meets(guess) {
			high, guess = guess, guess-step
		} else {
			low, guess = guess, guess+step
		}
		if err != nil {
			return found, err
		}
	}
	for high-low > 1 && err == nil {
		if n := (low + high) / 2; meets(n) {
			high = n
		} else {
			low = n
		}
	}
	found = needed{number: high, low: high, high: high}
	if !decide || !q.chance() || err != nil {
		return found, err
	}
	// At the border chance decides: what the mean of more runs says, and its interval.
	known := map[int][]*experiment.RouteResult{}
	met := func(n int, of func([]*experiment.RouteResult) *experiment.RouteResult) bool {
		rs := known[n]
		if rs == nil {
			rs = runs(n, runsToDecide, toAnswer)
			known[n] = rs
		}
		return err == nil && allMet(targets, of(rs))
	}
	for !met(found.number, meanOf) && err == nil {
		found.number++
	}
	for err == nil && found.number > least && met(found.number-1, meanOf) {
		found.number--
	}
	found.low, found.high = found.number, found.number
	ends := func(better bool) func([]*experiment.RouteResult) *experiment.RouteResult {
		return func(rs []*experiment.RouteResult) *experiment.RouteResult { return atEnds(rs, better) }
	}
	for err == nil && found.low > least && met(found.low-1, ends(true)) {
		found.low--
	}
	for err == nil && !met(found.high, ends(false)) {
		found.high++
	}
	return found, err
}
