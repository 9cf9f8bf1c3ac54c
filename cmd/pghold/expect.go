package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// expectFlags are what a result is expected to be.
type expectFlags struct {
	Expect []string `placeholder:"ROUTE.FIELD>=NUMBER" sep:"none" help:"Exit with 3 where the result misses this, and with 1 where the route is not valid; may be repeated. FIELD is a figure of the route in result.json, as success_ratio, latency_s.p99 or updates.lost, and is compared with >= <= > < or ==. Of repeated runs, that with the median throughput counts."`
}

func (f expectFlags) expectations() (es []experiment.Expectation, err error) {
	for _, text := range f.Expect {
		e, err := experiment.ParseExpectation(text)
		if err != nil {
			return nil, usage(fmt.Errorf("--expect: %w", err))
		}
		es = append(es, e)
	}
	return es, nil
}

// askable returns a mistake in the command line where an expectation cannot be met
// by anything that is asked.
func askable(es []experiment.Expectation, among func(experiment.Expectation) error) error {
	for _, e := range es {
		if err := among(e); err != nil {
			return usage(fmt.Errorf("--expect: %w", err))
		}
	}
	return nil
}

// errFound ends a command that worked and found what it was told to look for.
var errFound = errors.New("found")

// check says which expectations a result misses, a line each. That one is of a route
// which is not valid is a failure.
func check(s streams, es []experiment.Expectation, r *experiment.Result) error {
	var found, invalid error
	for _, e := range es {
		if met, got := e.Check(r); !met {
			fmt.Fprintf(s.err, "pghold: missed: want %s, got %s\n", e, got)
			found = errFound
		}
		if rr := r.Route(e.Route); rr != nil && rr.NotValid != "" {
			invalid = valid(r)
		}
	}
	return cmp.Or(invalid, found)
}

// valid is the error of a run that is not.
func valid(r *experiment.Result) error {
	if why := r.NotValid(); why != "" {
		return fmt.Errorf("the run is not valid: %s", strings.TrimSuffix(why, "."))
	}
	return nil
}
