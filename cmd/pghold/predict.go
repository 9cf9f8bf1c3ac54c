package main

import (
	"context"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
)

// patience is how long the predictions of a run that was interrupted may take.
const patience = 5 * time.Second

// predict sets a prediction beside what was measured of each route, with what the run
// itself tells of statements, connects, requests and calls. Where ctx ends before the
// last, the rest has none and says so; then finished is false. Of a run that ctx has
// interrupted, the routes that there are get theirs.
func predict(ctx context.Context, r *experiment.Result) (finished bool) {
	if len(r.Routes) == 0 {
		return true
	}
	if r.Interrupted && ctx.Err() != nil {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer done()
	}
	qs, err := plan.FromRun(r)
	if err != nil {
		for i := range r.Routes {
			r.Routes[i].NotPredicted = err.Error()
		}
		return true
	}
	o := plan.Calibrate(r)
	r.Overheads = &experiment.Overheads{Statement: o.Statement, Connect: o.Connect, Request: o.Request, Call: o.Call, Handover: o.Handover}
	finished = true
	for i, q := range qs {
		rr := &r.Routes[i]
		if rr.NotValid != "" {
			rr.NotPredicted = "it is not valid"
			continue
		}
		if rr.Predicted, rr.NotPredicted = beside(ctx, q, *rr); ctx.Err() != nil && rr.Predicted == nil {
			finished = false
		}
	}
	return finished
}

// beside predicts a route, and ends with ctx: a long simulation does not look whether it
// was told to.
func beside(ctx context.Context, q plan.Question, measured experiment.RouteResult) (*experiment.Prediction, string) {
	type answer struct {
		prediction *experiment.Prediction
		unknown    string
	}
	given := make(chan answer, 1)
	if ctx.Err() == nil {
		go func() {
			p, unknown := q.Beside(&measured)
			given <- answer{p, unknown}
		}()
	}
	select {
	case a := <-given:
		return a.prediction, a.unknown
	case <-ctx.Done():
		return nil, "pghold was interrupted before it was predicted"
	}
}
