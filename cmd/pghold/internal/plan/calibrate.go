package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Calibrate returns what a measured run's statements, connects, requests and calls
// cost beyond its settings. Each is taken from what was measured, none is fitted to
// make a prediction come true, and each is the median of the routes that tell:
//
//   - Statement is Time.Busy by round trips, less the settings' distance. Of updates,
//     and behind a PgBouncer, only routes tell that were answered altogether and keep
//     no row and no server's connection through their call: with the others, much of
//     Busy is waiting.
//   - Call is Time.Slow less the settings' slow call, where it is of fixed length and
//     made once.
//   - CallJitter is how the latencies of requests differ that were all answered and
//     did next to nothing but call: what makes them differ, but for a twentieth of them,
//     is when the call woke up.
//   - Late is SentLate.
//   - Request is the mean latency less Time, of routes all of whose requests were
//     answered: only there the two means are of the same requests.
//   - Handover is the mean of Holds.Handover.
//   - Connect is the mean of Holds.Opening. Of results that do not have it, it is the
//     longest wait for a connection of routes that have one to spare, whose first request
//     waited for it to be opened; and the shortest of routes that used up all their
//     connections and where each request either opened one or queued.
//
// Routes that are not valid tell nothing. What no route tells is zero.
func Calibrate(r *experiment.Result) Overheads {
	var statements, connects, requests, calls, handovers []time.Duration
	var jitters, lates []Spread
	for i := range r.Routes {
		rr := &r.Routes[i]
		route, s := rr.Of(), r.SettingsOf(rr)
		if rr.Time == (experiment.TimeSplit{}) || len(route.Steps) == 0 || rr.NotValid != "" {
			continue
		}
		served := rr.Requests > 0 && rr.Outcomes.OK == rr.Requests
		plain := !route.Updates() ||
			served && !route.SilentInTransaction() && !route.AnswersEarly() && (route.Conflict == "" || route.Conflict == experiment.Overwrite)
		if n := route.RoundTrips(); n > 0 && plain && rr.Time.Busy > 0 && (s.PgBouncer == 0 || served && !route.SilentInTransaction()) {
			statements = append(statements, max(0, rr.Time.Busy/time.Duration(n)-s.Distance))
		}
		if once := route.Conflict != experiment.CallAgain && route.Conflict != experiment.Lease && !route.AnswersEarly(); once && route.Calls() && rr.Time.Slow > 0 && (s.SlowShape == experiment.Fixed || !httpCall(route)) {
			calls = append(calls, max(0, rr.Time.Slow-s.Slow))
		}
		if rr.Holds.Handover.Mean > 0 {
			handovers = append(handovers, rr.Holds.Handover.Mean)
		}
		if rr.SentLate.Max > 0 {
			lates = append(lates, spreadOf(rr.SentLate))
		}
		if t := rr.Time; served && plain && route.Calls() && !route.AnswersEarly() && 50*(t.ThreadWait+t.PoolWait+t.Busy) < rr.Latency.Mean &&
			(s.SlowShape == experiment.Fixed || !httpCall(route)) {
			jitters = append(jitters, spreadOf(rr.Latency).centred())
		}
		if t := rr.Time; served && plain {
			requests = append(requests, max(0, rr.Latency.Mean-t.ThreadWait-t.PoolWait-t.Busy-t.Slow))
		}
		switch wait, all := rr.Holds.Wait, rr.Connections.Max >= s.Connections(); {
		case rr.Holds.Opening.Mean > 0:
			connects = append(connects, rr.Holds.Opening.Mean)
		case rr.Holds.Count == 0:
		case served && !all && wait.P50 < wait.Max/10:
			connects = append(connects, wait.Max)
		case all && route.HoldsThroughCall() && wait.Min > 0:
			connects = append(connects, wait.Min)
		}
	}
	return Overheads{
		Statement: median(statements), Connect: median(connects), Request: median(requests), Call: median(calls), Handover: median(handovers),
		CallJitter: medianSpread(jitters).centred(), Late: medianSpread(lates),
	}
}

// CalibrateFor is Calibrate for one of a run's routes. What the app itself has timed is
// the route's own where it tells: a statement and a connect take longer the busier the
// machine is, and routes keep it busy in different degrees. What is concluded from
// latencies (Request, CallJitter) stays that of all: of the route itself it would be the
// answer. Where the route does not tell, Statement and Handover are taken from those with
// the same distance, since the timer that makes it is late too.
func CalibrateFor(r *experiment.Result, rr *experiment.RouteResult) Overheads {
	there, own := *r, *r
	there.Routes, own.Routes = nil, []experiment.RouteResult{*rr}
	for i := range r.Routes {
		if other := &r.Routes[i]; r.SettingsOf(other).Distance == r.SettingsOf(rr).Distance {
			there.Routes = append(there.Routes, *other)
		}
	}
	all, at, its := Calibrate(r), Calibrate(&there), Calibrate(&own)
	return Overheads{
		Statement: cmp.Or(its.Statement, at.Statement, all.Statement),
		Handover:  cmp.Or(its.Handover, at.Handover, all.Handover),
		Connect:   cmp.Or(its.Connect, all.Connect),
		Call:      cmp.Or(its.Call, all.Call),
		Late:      cmp.Or(its.Late, all.Late),
		Request:   all.Request, CallJitter: all.CallJitter,
	}
}

func median(ds []time.Duration) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	slices.Sort(ds)
	return (ds[(len(ds)-1)/2] + ds[len(ds)/2]) / 2
}
