package plan

import (
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// stats is what a simulation has seen.
type stats struct {
	clientTimeout int64

	requests           int
	first, latest, end int64 // the first arrival, the last, the last answer or time-out
	last               int64 // the last request's end, which may be after its client's
	begun              bool

	latency, okLatency series
	outcomes           [experiment.Failed + 1]int

	wholeCount                          int
	threadWait, poolWait, busy, callSum float64

	held, waits           series
	busyInHolds           float64
	silentInTx            float64
	silentNow, silentMost int
	openNow, openMost     int // connections, of all replicas
	serversMost           int // of a PgBouncer's, in use
	waitingMost           int // for a connection of one replica
	trips                 int // to the database and back

	recorded, lost, retries, calls, callsAgain int

	each func(arrived, latency int64, how experiment.Outcome) // is told of each request, where it is not nil
}

func (s *stats) arrived(now int64) {
	if !s.begun {
		s.first, s.begun = now, true
	}
	s.latest = now
	s.requests++
}

// answered counts a request that ended for its client, unless that had left before.
func (s *stats) answered(now, network int64, how experiment.Outcome, q *request) {
	d := now + network - q.arrived
	if d >= s.clientTimeout && how != experiment.Rejected {
		d, how = s.clientTimeout, experiment.ClientTimeout
	}
	s.outcomes[how]++
	s.latency.add(d)
	if how == experiment.OK {
		s.okLatency.add(d)
	}
	s.end = max(s.end, q.arrived+d)
	if s.each != nil {
		s.each(q.arrived, d, how)
	}
}

// whole counts a request whose handler has reached its end.
func (s *stats) whole(q *request) {
	s.wholeCount++
	s.threadWait += float64(q.threadWait)
	s.poolWait += float64(q.poolWait)
	s.busy += float64(q.busy)
	s.callSum += float64(q.call)
}

func (s *stats) waiting(n int) { s.waitingMost = max(s.waitingMost, n) }
func (s *stats) took(d int64)  { s.waits.add(d) }
func (s *stats) hold(d int64)  { s.held.add(d) }

// opened counts connections that are opened, or closed.
func (s *stats) opened(change int) {
	s.openNow += change
	s.openMost = max(s.openMost, s.openNow)
}

// silent counts connections that are silent in a transaction, or no longer.
func (s *stats) silent(change int) {
	s.silentNow += change
	s.silentMost = max(s.silentMost, s.silentNow)
}

// merge adds what another simulation has seen, of replicas that have nothing to do with
// these. What was most at once is what it would be if it had been at the same time.
func (s *stats) merge(o *stats) {
	if o.begun {
		if !s.begun || o.first < s.first {
			s.first, s.begun = o.first, true
		}
		s.latest, s.end, s.last = max(s.latest, o.latest), max(s.end, o.end), max(s.last, o.last)
	}
	s.requests += o.requests
	s.latency.merge(&o.latency)
	s.okLatency.merge(&o.okLatency)
	for how, n := range o.outcomes {
		s.outcomes[how] += n
	}
	s.wholeCount += o.wholeCount
	s.threadWait += o.threadWait
	s.poolWait += o.poolWait
	s.busy += o.busy
	s.callSum += o.callSum
	s.held.merge(&o.held)
	s.waits.merge(&o.waits)
	s.busyInHolds += o.busyInHolds
	s.silentInTx += o.silentInTx
	s.silentMost += o.silentMost
	s.openMost += o.openMost
	s.waitingMost = max(s.waitingMost, o.waitingMost)
	s.trips += o.trips
	s.recorded += o.recorded
	s.lost += o.lost
	s.retries += o.retries
	s.calls += o.calls
	s.callsAgain += o.callsAgain
}

// share takes over what was seen of the pools, which is of all who share them.
func (s *stats) share(pool *stats) {
	s.silentMost, s.openMost, s.serversMost, s.waitingMost = pool.silentMost, pool.openMost, pool.serversMost, pool.waitingMost
}

// reset forgets all, and keeps the memory.
func (s *stats) reset() {
	was := *s
	*s = stats{clientTimeout: was.clientTimeout, latency: was.latency, okLatency: was.okLatency, held: was.held, waits: was.waits}
	for _, series := range []*series{&s.latency, &s.okLatency, &s.held, &s.waits} {
		series.reset()
	}
}

// result is what was seen of a route.
func (s *stats) result(c experiment.Case) experiment.RouteResult {
	r := experiment.RouteResult{
		Name: c.Name, Requests: s.requests,
		Latency: s.latency.quantiles(), SuccessLatency: s.okLatency.quantiles(),
		Outcomes: experiment.Outcomes{
			OK: s.outcomes[experiment.OK], ClientTimeout: s.outcomes[experiment.ClientTimeout],
			PoolTimeout: s.outcomes[experiment.PoolTimeout], Rejected: s.outcomes[experiment.Rejected], Error: s.outcomes[experiment.Failed],
		},
		Elapsed: time.Duration(s.end - s.first), DrainedAfter: time.Duration(max(0, s.last-s.end)),
		StatusCodes: map[string]int{},
		Holds: experiment.Holds{
			Count: int(s.held.count), Held: s.held.quantiles(), Wait: s.waits.quantiles(),
			SilentInTransaction: time.Duration(s.silentInTx), MaxWaiting: s.waitingMost,
		},
		Connections: experiment.Connections{
			Max: s.openMost, MaxSilentInTransaction: s.silentMost, SilentInTransaction: time.Duration(s.silentInTx),
		},
	}
	if c.Settings.PgBouncer > 0 { // that is what the server sees
		r.Connections.Max = s.serversMost
	}
	if c.Name != c.Route.Name {
		r.Route = c.Route.Name
	}
	if n := float64(s.wholeCount); n > 0 {
		r.Time = experiment.TimeSplit{
			ThreadWait: time.Duration(s.threadWait / n), PoolWait: time.Duration(s.poolWait / n),
			Busy: time.Duration(s.busy / n), Slow: time.Duration(s.callSum / n),
		}
	}
	if s.held.sum > 0 {
		r.Holds.BusyRatio = min(1, s.busyInHolds/s.held.sum)
	}
	if s.requests > 0 {
		r.SuccessRatio = float64(r.Outcomes.OK) / float64(s.requests)
	}
	if n := float64(s.requests - r.Outcomes.Rejected); n > 0 { // that reached a handler
		r.PerRequest.Checkouts = float64(s.held.count) / n
		r.PerRequest.Statements = float64(s.trips) / n
		r.PerRequest.RoundTrips = float64(s.trips) / n
	}
	if c.Route.Updates() {
		r.Updates = &experiment.Updates{
			Recorded: s.recorded, Lost: s.lost, Retries: s.retries,
			Calls: s.calls, CallsRepeated: s.callsAgain,
		}
	}
	if sending := time.Duration(s.latest - s.first); sending > 0 {
		r.Rate = float64(s.requests) / sending.Seconds()
	}
	if r.Elapsed > 0 {
		r.Throughput = float64(r.Outcomes.OK) / r.Elapsed.Seconds()
		r.Goodput = r.Throughput
	}
	codes := map[string]int{"200": r.Outcomes.OK, "0": r.Outcomes.ClientTimeout, "503": r.Outcomes.PoolTimeout, "429": r.Outcomes.Rejected, "500": r.Outcomes.Error}
	if c.Route.AnswersEarly() {
		codes["202"], codes["200"] = codes["200"], 0
	}
	for code, n := range codes {
		if n > 0 {
			r.StatusCodes[code] = n
		}
	}
	return r
}
