package rundir

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Traces reads what happened on the routes of a result, one by one, from the
// files beside it: ROUTE.bin with the requests, and ROUTE.checkouts.csv. dir is the
// run's folder or its result file. A file that is not there leaves its part empty,
// and a route of which neither is there has no trace.
func Traces(dir string, r *experiment.Result) (map[string]*experiment.Trace, error) {
	traces := map[string]*experiment.Trace{}
	for i := range r.Routes {
		rr := &r.Routes[i]
		var requests []experiment.Request
		var err error
		if rr.Name == experiment.Together && r.Service != nil {
			requests, err = allRequests(dir, r)
		} else {
			requests, err = readRequests(dir, r, rr)
		}
		none := errors.Is(err, fs.ErrNotExist)
		if err != nil && !none {
			return nil, err
		}
		checkouts, err := readCheckouts(dir, r, rr)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if !none || err == nil {
			traces[rr.Name] = &experiment.Trace{Requests: requests, Checkouts: checkouts}
		}
	}
	return traces, nil
}

// allRequests are those of all routes that were attacked at once.
func allRequests(dir string, r *experiment.Result) (all []experiment.Request, err error) {
	for i := range r.Routes {
		if !r.Beside(&r.Routes[i]) {
			continue
		}
		requests, err := readRequests(dir, r, &r.Routes[i])
		if err != nil {
			return nil, err
		}
		all = append(all, requests...)
	}
	slices.SortStableFunc(all, func(a, b experiment.Request) int { return cmp.Compare(a.Sent, b.Sent) })
	return all, nil
}

func readRequests(dir string, r *experiment.Result, rr *experiment.RouteResult) ([]experiment.Request, error) {
	timeout := r.SettingsOf(rr).ClientTimeout
	var requests []experiment.Request
	var sent []time.Time
	var began time.Time
	err := Hits(dir, r, rr, func(hit *vegeta.Result) {
		requests = append(requests, experiment.Request{Latency: hit.Latency, Outcome: outcomeOf(hit, timeout)})
		sent = append(sent, hit.Timestamp)
		if began.IsZero() || hit.Timestamp.Before(began) {
			began = hit.Timestamp
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range requests {
		requests[i].Sent = sent[i].Sub(began)
	}
	slices.SortStableFunc(requests, func(a, b experiment.Request) int { return cmp.Compare(a.Sent, b.Sent) })
	return requests, nil
}

// outcomeOf is how a request ended, as the lab counts it.
func outcomeOf(hit *vegeta.Result, clientTimeout time.Duration) experiment.Outcome {
	switch {
	case hit.Code >= 200 && hit.Code < 400:
		return experiment.OK
	// The lab compared before the times were stretched to the experiment's own, which
	// rounds them.
	case hit.Code == 0 && hit.Latency >= clientTimeout-time.Microsecond:
		return experiment.ClientTimeout
	case hit.Code == 503 && hit.Headers.Get("Retry-After") == "":
		return experiment.PoolTimeout
	case hit.Code == 429:
		return experiment.Rejected
	}
	return experiment.Failed
}

func readCheckouts(dir string, r *experiment.Result, rr *experiment.RouteResult) ([]experiment.Checkout, error) {
	path, err := caseFile(dir, rr, Checkouts)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cs, err := experiment.ReadCheckouts(f)
	if err != nil {
		return nil, brokenFile(path, r, rr, "is %w", err)
	}
	return cs, nil
}
