package experiment

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// The kinds of results.
const (
	Measured  = "measured"  // by the lab
	Predicted = "predicted" // by plan
	Published = "published" // by somebody else: the seed
)

// Result is the answer: one entry for each route.
type Result struct {
	Kind      string     `json:"kind"`
	Version   string     `json:"version,omitempty"` // of pghold
	StartedAt *time.Time `json:"started_at,omitempty"`
	Settings  Settings   `json:"settings"`
	// Service is what was attacked where that is not the lab's app. Of Settings, those of
	// the load count then.
	Service *Service `json:"service,omitempty"`
	// Repeat is how many times each route was to be run, where that is more than once.
	Repeat int           `json:"repeat,omitempty"`
	Routes []RouteResult `json:"routes"`
	// Warnings are sentences that a reader must know before trusting or copying
	// the figures.
	Warnings []string `json:"warnings"`
	// Overheads are what the predictions of measured routes (RouteResult.Predicted) take
	// from the run beside its settings.
	Overheads *Overheads `json:"overheads_s,omitempty"`
	// ContradictedBy is what was recorded of the service that a prediction is made of and
	// that the prediction does not have: callers who wait for a connection. Its sentences
	// are the first of Warnings.
	ContradictedBy []Conclusion `json:"contradicted_by,omitempty"`
	// Conclusions are what follows from the figures of a prediction.
	Conclusions []Conclusion `json:"conclusions,omitempty"`
	// Interrupted is true when the run was ended before its last route was done.
	// The routes that are there are whole.
	Interrupted bool `json:"interrupted,omitempty"`
	// Failed says in a sentence what ended the run, where it was an error. Interrupted is
	// true then.
	Failed string `json:"failed,omitempty"`
}

// NotValid says in a sentence why nothing follows from the result, or nothing: some
// route's figures do not count (RouteResult.NotValid).
func (r *Result) NotValid() string {
	var first *RouteResult
	n := 0
	for i := range r.Routes {
		if r.Routes[i].NotValid == "" {
			continue
		}
		if n++; first == nil {
			first = &r.Routes[i]
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return first.Name + ": " + first.NotValid
	}
	return fmt.Sprintf("%d of %d routes, %s among them: %s", n, len(r.Routes), first.Name, first.NotValid)
}

// SettingsOf are the settings that a route of the result was run with.
func (r *Result) SettingsOf(rr *RouteResult) Settings {
	if rr.Settings != nil {
		return *rr.Settings
	}
	return r.Settings
}

// Of returns the route that a result is of; the zero Route where this version does
// not know it.
func (rr *RouteResult) Of() Route {
	name := rr.Route
	if name == "" {
		name = rr.Name
	}
	for _, r := range Routes {
		if r.Name == name {
			return r
		}
	}
	return Route{}
}

// Route returns the result of the route of that name, or nil.
func (r *Result) Route(name string) *RouteResult {
	for i := range r.Routes {
		if r.Routes[i].Name == name {
			return &r.Routes[i]
		}
	}
	return nil
}

// RouteResult is what one route did under the attack. All times and rates are
// the experiment's own.
type RouteResult struct {
	// Name is the route's, or "route@variant" where one route was asked under
	// several settings.
	Name string `json:"name"`
	// Route is the route's name where Name has a variant.
	Route string `json:"route,omitempty"`
	// File is what the names of its files begin with where that is not Name.
	File string `json:"file,omitempty"`
	// Settings are those of this route where they are not the result's.
	Settings *Settings `json:"settings,omitempty"`
	// Requests is how many were sent.
	Requests int `json:"requests"`
	// Rate is how many were sent per second, from the first to the last.
	Rate float64 `json:"rate_per_s"`
	// Throughput is vegeta's: successes over the time from the first request to
	// the last answer. It depends on the attack's length and is not a capacity.
	Throughput float64 `json:"throughput_per_s"`
	// Elapsed is the time from the first request to the last answer or time-out.
	Elapsed time.Duration `json:"-"`
	// SuccessRatio is successes over requests.
	SuccessRatio float64 `json:"success_ratio"`
	// Goodput is how many answers found their client, per second of Elapsed.
	Goodput float64 `json:"goodput_per_s"`
	// Latency is over all requests; a client's time-out counts as its timeout.
	Latency Quantiles `json:"latency_s"`
	// SuccessLatency is over the successes only.
	SuccessLatency Quantiles `json:"success_latency_s"`
	Outcomes       Outcomes  `json:"outcomes"`
	// StatusCodes counts the answers by HTTP status; "0" had no answer.
	StatusCodes map[string]int `json:"status_codes"`
	// BytesIn is the size of all the answers' bodies.
	BytesIn int64 `json:"bytes_in"`
	// Errors are the commonest texts of the requests that Outcomes counts under
	// Error, and how often each was seen.
	Errors map[string]int `json:"errors,omitempty"`
	// Time says where the requests whose handler reached its end without an error
	// spent their time, as means; whether their client was still there or not.
	Time        TimeSplit   `json:"time_s"`
	Holds       Holds       `json:"holds"`
	Connections Connections `json:"connections"`
	// Sides is the silence in transactions as others saw it; nil where nobody asked.
	Sides *Sides `json:"sides,omitempty"`
	// SilentRatio is the share of the time in transactions in which no statement ran, of a
	// service's route; nil where there was no transaction.
	SilentRatio *float64 `json:"silent_in_transaction_ratio,omitempty"`
	// Wire is what the wire showed of a service's route; nil for the lab's, and where the
	// database saw several routes at once.
	Wire *Wire `json:"wire,omitempty"`
	// PerRequest is what a request did, as means over all that reached a handler.
	PerRequest PerRequest `json:"per_request"`
	// Updates is what became of the updates, of the routes that make some.
	Updates *Updates `json:"updates,omitempty"`
	// SentLate is how long after its planned time a request was sent. Where it
	// is large the attack was not the one that was asked for.
	SentLate Quantiles `json:"sent_late_s"`
	// DrainedAfter is how long handlers went on after the last client had its
	// answer or had left: work that nobody waited for.
	DrainedAfter time.Duration `json:"-"`
	// Repeats has the figures of each repetition, in the order they were run, where
	// there was more than one. All other fields are those of one of them: the one with
	// the median throughput; of an even number, the lower of the two in the middle.
	Repeats []Figures `json:"repeats,omitempty"`
	// Interval is where the mean of a figure is with a probability of 95 %, of a
	// prediction in which there is chance: of success_ratio, throughput_per_s,
	// latency_s.p50 and latency_s.p99. All other fields are means then, and the counts
	// are rounded.
	Interval map[string][2]float64 `json:"interval,omitempty"`
	// NotValid says in a sentence why the figures do not count: requests failed for
	// reasons that are neither the settings' nor the route's. Empty where they do.
	NotValid string `json:"not_valid,omitempty"`
	// Predicted is what the model says of a route that was measured, from the settings
	// and the run's Overheads. nil where nobody asked.
	Predicted *Prediction `json:"predicted,omitempty"`
	// NotPredicted says in a sentence why there is no prediction where one was asked for.
	NotPredicted string `json:"not_predicted,omitempty"`
}

// Outcomes counts requests by how they ended; together they are all requests.
type Outcomes struct {
	OK            int `json:"ok"`                 // an answer in time, status 200 to 399
	ClientTimeout int `json:"client_timeout"`     // the client left before its answer
	PoolTimeout   int `json:"pool_timeout"`       // no connection in time: status 503
	Rejected      int `json:"rejected,omitempty"` // too many in flight: status 429
	Error         int `json:"error"`              // anything else
}

// PerRequest is what a request did with the database.
type PerRequest struct {
	Checkouts  float64 `json:"checkouts"`
	Statements float64 `json:"statements"` // that found a connection; BEGIN with the first counts with it
	// RoundTrips to the server, those of opening connections left out, those of
	// preparing statements not. 0 where they were not counted.
	RoundTrips float64 `json:"round_trips"`
}

// Updates is what became of the updates of a route that reads a balance, makes a
// call that costs money, and writes the balance plus one.
type Updates struct {
	Recorded int `json:"recorded"` // committed, by the count of rows in the database
	// Lost is how many of these the balance does not show, because another update
	// overwrote them.
	Lost    int `json:"lost"`
	Retries int `json:"retries"` // of writes that found the row changed, or taken
	// Calls is how many calls were made, and CallsRepeated how many of these were
	// for an update that had made one before.
	Calls         int `json:"calls"`
	CallsRepeated int `json:"calls_repeated"`
	// Killed is what was found after the app was killed in the middle of updates,
	// several times. Its updates are not among those above.
	Killed *Killed `json:"killed,omitempty"`
}

// Killed is what a process leaves behind that is killed, restarted, and given the
// time to recover.
type Killed struct {
	Kills      int `json:"kills"`
	Begun      int `json:"begun"`    // updates
	Recorded   int `json:"recorded"` // of these, in the database
	Calls      int `json:"calls"`
	CallsAgain int `json:"calls_repeated"`
	// PaidNotRecorded updates were paid for and are in no row of the database.
	PaidNotRecorded int `json:"paid_not_recorded"`
	PaidTwice       int `json:"paid_twice"`
	Lost            int `json:"lost"` // as in Updates
}

// TimeSplit is where a request spent its time. What is missing to its latency
// is the network and the handler's own work.
type TimeSplit struct {
	ThreadWait time.Duration // queueing for one of the threads (sync only)
	PoolWait   time.Duration // queueing for a connection, connecting included
	Busy       time.Duration // statements
	Slow       time.Duration // the slow call
}

// Holds is what the route did with its connections.
type Holds struct {
	// Count is how many checkouts there were.
	Count int `json:"count"`
	// Held is the time from checkout to release. Its quantiles, and those of Wait,
	// are from the recorder's sketches and at most 3.2 % off.
	Held Quantiles `json:"held_s"`
	// BusyRatio is the time in which a statement was running over the time held.
	BusyRatio float64 `json:"busy_ratio"`
	// SilentInTransaction is how long all holds together had a transaction open
	// and no statement running.
	SilentInTransaction time.Duration `json:"-"`
	// Wait is the time queued before a checkout.
	Wait Quantiles `json:"wait_s"`
	// Opening is how long it took to open a connection, of a predicted result none.
	Opening Quantiles `json:"opening_s,omitzero"`
	// Handover is the time from the release of a connection until somebody who had been
	// queued for one had it; of a predicted result, none.
	Handover Quantiles `json:"handover_s,omitzero"`
	// MaxWaiting is the most callers that queued at once.
	MaxWaiting int `json:"max_waiting"`
}

// Connections is what the server saw, sampled from pg_stat_activity.
type Connections struct {
	Max                    int `json:"max"`
	MaxSilentInTransaction int `json:"max_silent_in_transaction"`
	// Left is how many were still open once the load had gone.
	Left int `json:"left"`
	// SilentInTransaction is how long all connections together were silent in
	// transaction. It is made of samples, and should agree with that of Holds,
	// which the app itself counted.
	SilentInTransaction time.Duration `json:"-"`
}

// Quantiles describes many durations in a few. All are zero when there were none.
type Quantiles struct {
	Min, Mean, P50, P90, P95, P99, Max time.Duration
}

// NewQuantiles sorts ds and describes it. A quantile q is the smallest value
// that at least a share q of the values does not exceed (the nearest rank).
func NewQuantiles(ds []time.Duration) Quantiles {
	if len(ds) == 0 {
		return Quantiles{}
	}
	slices.Sort(ds)
	var sum float64
	for _, d := range ds {
		sum += float64(d)
	}
	rank := func(q float64) time.Duration {
		return ds[max(0, int(math.Ceil(q*float64(len(ds))))-1)]
	}
	return Quantiles{
		Min: ds[0], Mean: time.Duration(sum / float64(len(ds))),
		P50: rank(0.50), P90: rank(0.90), P95: rank(0.95), P99: rank(0.99), Max: ds[len(ds)-1],
	}
}

type quantilesJSON struct {
	Min  seconds `json:"min"`
	Mean seconds `json:"mean"`
	P50  seconds `json:"p50"`
	P90  seconds `json:"p90"`
	P95  seconds `json:"p95"`
	P99  seconds `json:"p99"`
	Max  seconds `json:"max"`
}

// MarshalJSON writes seconds.
func (q Quantiles) MarshalJSON() ([]byte, error) {
	return json.Marshal(quantilesJSON{seconds(q.Min), seconds(q.Mean), seconds(q.P50),
		seconds(q.P90), seconds(q.P95), seconds(q.P99), seconds(q.Max)})
}

// UnmarshalJSON reads seconds.
func (q *Quantiles) UnmarshalJSON(b []byte) error {
	var j quantilesJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*q = Quantiles{time.Duration(j.Min), time.Duration(j.Mean), time.Duration(j.P50),
		time.Duration(j.P90), time.Duration(j.P95), time.Duration(j.P99), time.Duration(j.Max)}
	return nil
}

type timeSplitJSON struct {
	ThreadWait seconds `json:"thread_wait"`
	PoolWait   seconds `json:"pool_wait"`
	Busy       seconds `json:"busy"`
	Slow       seconds `json:"slow"`
}

// MarshalJSON writes seconds.
func (t TimeSplit) MarshalJSON() ([]byte, error) {
	return json.Marshal(timeSplitJSON{seconds(t.ThreadWait), seconds(t.PoolWait), seconds(t.Busy), seconds(t.Slow)})
}

// UnmarshalJSON reads seconds.
func (t *TimeSplit) UnmarshalJSON(b []byte) error {
	var j timeSplitJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*t = TimeSplit{time.Duration(j.ThreadWait), time.Duration(j.PoolWait), time.Duration(j.Busy), time.Duration(j.Slow)}
	return nil
}

// The plain types have the fields but not the methods, so that the wrappers
// below can add the durations without calling themselves.
type (
	plainRoute RouteResult
	plainHolds Holds
	plainConns Connections
	routeJSON  struct {
		plainRoute
		Elapsed      seconds `json:"elapsed_s"`
		DrainedAfter seconds `json:"drained_after_s"`
	}
	holdsJSON struct {
		plainHolds
		SilentInTransaction seconds `json:"silent_in_transaction_s"`
	}
)

// MarshalJSON writes durations as seconds.
func (r RouteResult) MarshalJSON() ([]byte, error) {
	return json.Marshal(routeJSON{plainRoute(r), seconds(r.Elapsed), seconds(r.DrainedAfter)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *RouteResult) UnmarshalJSON(b []byte) error {
	var j routeJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*r = RouteResult(j.plainRoute)
	r.Elapsed, r.DrainedAfter = time.Duration(j.Elapsed), time.Duration(j.DrainedAfter)
	return nil
}

// MarshalJSON writes durations as seconds.
func (h Holds) MarshalJSON() ([]byte, error) {
	return json.Marshal(holdsJSON{plainHolds(h), seconds(h.SilentInTransaction)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Holds) UnmarshalJSON(b []byte) error {
	var j holdsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*h = Holds(j.plainHolds)
	h.SilentInTransaction = time.Duration(j.SilentInTransaction)
	return nil
}

type connectionsJSON struct {
	plainConns
	SilentInTransaction seconds `json:"silent_in_transaction_s"`
}

// MarshalJSON writes durations as seconds.
func (c Connections) MarshalJSON() ([]byte, error) {
	return json.Marshal(connectionsJSON{plainConns(c), seconds(c.SilentInTransaction)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Connections) UnmarshalJSON(b []byte) error {
	var j connectionsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*c = Connections(j.plainConns)
	c.SilentInTransaction = time.Duration(j.SilentInTransaction)
	return nil
}

// ReadResult reads a result that was written as JSON.
func ReadResult(b []byte) (*Result, error) {
	var r Result
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("not a pghold result: %w", err)
	}
	if r.Kind == "" {
		return nil, fmt.Errorf("not a pghold result: it has no \"kind\"")
	}
	return &r, nil
}
