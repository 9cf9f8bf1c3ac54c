package prove_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/prove"
)

// concluded is the sentence about a route that holds, as changed.
func concluded(change func(*experiment.Result, *experiment.RouteResult)) string {
	ratio := 0.975
	rr := experiment.RouteResult{
		Name: "GET /checkout/{n}", Requests: 100, Outcomes: experiment.Outcomes{OK: 100}, Throughput: 5, SilentRatio: &ratio,
		Holds:       experiment.Holds{Count: 100, Held: experiment.Quantiles{Mean: 2 * time.Second}, SilentInTransaction: 195 * time.Second},
		Connections: experiment.Connections{Max: 12},
		Wire: &experiment.Wire{
			Transactions: 100, MaxInTransaction: 10, MaxInFlight: 50, Statements: 300, ExhaustedAt: 10,
			Costliest: &experiment.Costliest{
				Transactions: 100, Held: 1999e6, Busy: 49e6, BusyInterval: [2]experiment.Seconds{39e6, 59e6}, Others: 1e6,
			},
			Gaps: []experiment.GapGroup{{After: "SELECT id, total FROM carts WHERE id = $1", Count: 100, Silent: 195e9, P50: 1950e6, Longest: 2e9}},
		},
	}
	r := &experiment.Result{Settings: experiment.Defaults(), Service: &experiment.Service{}, Routes: []experiment.RouteResult{rr}}
	change(r, &r.Routes[0])
	prove.Conclude(r)
	if len(r.Conclusions) == 0 {
		return ""
	}
	return r.Conclusions[0].Sentence
}

func TestConclude(t *testing.T) {
	const (
		idle    = "It is idle in transaction for 97.5 % of the time that one is open: 1.95 s after SELECT id, total FROM carts WHERE id = $1."
		carries = " 10 connections carry 5 requests/s, and all other requests wait. With what fills the gaps outside of the transaction they would carry 170 to 250/s, as far as connections go: its statements take 50 ms of each request, as a mean of 100, with an interval of 95 %."
	)
	for want, change := range map[string]func(*experiment.Result, *experiment.RouteResult){
		idle + carries: func(*experiment.Result, *experiment.RouteResult) {},
		idle + strings.Replace(carries, "170 to 250", "at least 170", 1): func(_ *experiment.Result, rr *experiment.RouteResult) { rr.Wire.Costliest.BusyInterval[0] = 0 },
		// Requests that got no connection had no transaction: those that did still hold one.
		idle + carries + " ": func(_ *experiment.Result, rr *experiment.RouteResult) { rr.Requests, rr.Outcomes.OK = 200, 200 },
		// Each request has two of them.
		idle + strings.NewReplacer("carry 5 requests/s", "carry 2.5 requests/s", "170 to 250", "83 to 130", "50 ms", "100 ms", "mean of 100", "mean of 200").Replace(carries): func(_ *experiment.Result, rr *experiment.RouteResult) { rr.Wire.Costliest.Transactions = 200 },
		idle + " At this load at most 10 transactions were open at once, on 12 connections.":                                                                                  func(_ *experiment.Result, rr *experiment.RouteResult) { rr.Wire.ExhaustedAt = 0 },
		strings.Replace(idle, "$1.", "$1 (route /checkout).", 1) + " By its recorder, it waits meanwhile for sleep (a.go:7): 190 s in 100 calls." + carries: func(_ *experiment.Result, rr *experiment.RouteResult) {
			rr.Wire.Gaps[0].Route = "/checkout"
			rr.Wire.Filled = []experiment.Filled{{What: "sleep", Where: "a.go:7", Count: 100, S: 190e9}}
		},
		"Its transactions take 2 s in the mean, and are idle for 1.95 s of that.": func(_ *experiment.Result, rr *experiment.RouteResult) {
			rr.Wire.Gaps[0].P50, rr.Wire.Gaps[0].Silent = 49e6, 49e8
		},
		"Its transactions take 2 s in the mean, and are idle for 1.95 s of that. ": func(_ *experiment.Result, rr *experiment.RouteResult) {
			below := 0.49
			rr.SilentRatio = &below
		},
		"It did not use the database: 100 of 100 requests were answered.": func(_ *experiment.Result, rr *experiment.RouteResult) {
			rr.SilentRatio, rr.Wire = nil, &experiment.Wire{}
		},
		"It ran 300 statements, and no transaction stayed open after any of them.": func(_ *experiment.Result, rr *experiment.RouteResult) {
			rr.SilentRatio, rr.Wire = nil, &experiment.Wire{Statements: 300, MaxInFlight: 50}
		},
		"No sample found it in a transaction. Samples do not show whether connections are held outside of transactions.": func(r *experiment.Result, rr *experiment.RouteResult) {
			r.Service.Sampled = true
			rr.SilentRatio, rr.Wire = nil, &experiment.Wire{}
		},
		strings.Replace(idle, "It is", "By samples, it is", 1) + " About 10 connections carry about 5 requests/s, and all other requests wait. " +
			"What they would carry with what fills the gaps outside of the transaction is not known: samples do not see how long statements take. Samples do not show whether connections are held outside of transactions.": func(r *experiment.Result, rr *experiment.RouteResult) {
			r.Service.Sampled = true
		},
		"":  func(_ *experiment.Result, rr *experiment.RouteResult) { rr.NotValid = "It is not." },
		" ": func(_ *experiment.Result, rr *experiment.RouteResult) { rr.Requests = 0 },
	} {
		if got := concluded(change); got != strings.TrimSuffix(want, " ") {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Where a pool refuses, requests are quicker beside the others, for they are not answered: that
// is said first.
func TestConclude_BesideOthersThatAreRefused(t *testing.T) {
	rr := func(name string, ok int, p99 time.Duration) experiment.RouteResult {
		return experiment.RouteResult{
			Name: name, Requests: 100, Outcomes: experiment.Outcomes{OK: ok, Error: 100 - ok}, SuccessRatio: float64(ok) / 100,
			Latency: experiment.Quantiles{P50: time.Millisecond, P99: p99},
		}
	}
	alone := rr("GET /a alone", 100, 5*time.Millisecond)
	alone.Wire = &experiment.Wire{Statements: 100}
	r := &experiment.Result{Service: &experiment.Service{Together: true}, Routes: []experiment.RouteResult{alone, rr("GET /a", 22, 2*time.Millisecond)}}
	prove.Conclude(r)
	const want = "Beside the others 22 of 100 requests were answered, alone 100 of 100; its p99 is 2 ms, alone it is 5 ms; half of its requests take 1 ms or more, alone 1 ms."
	if got := r.Conclusions[1].Sentence; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	r.Routes[0].NotValid = "It is not."
	prove.Conclude(r)
	if got := r.Conclusions[0].Sentence; got != "Beside the others its p99 is 2 ms, and half of its requests take 1 ms or more; 22 of 100 requests were answered." {
		t.Errorf("of what is not valid alone it is said %s", got)
	}
}
