package plan

import (
	"fmt"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// callOutside ends the name of a question with the slow call moved out.
const callOutside = "@call_outside"

// MovedOut is the question with the slow call after the release: what was held during
// it is given back before, and taken again where there are statements after it. It
// reports whether that changes anything.
func (q Question) MovedOut() (Question, bool) {
	if q.Together() {
		changed := false
		others := slices.Clone(q.Others)
		for i, o := range others {
			moved, changes := o.MovedOut()
			others[i].Route, changed = moved.Route, changed || changes
		}
		if changed {
			q.Others = others
			q.Name += callOutside
		}
		return q, changed
	}
	var steps []experiment.Step
	held := false
	for _, step := range q.Route.Steps {
		switch step {
		case experiment.SlowCall:
			if held {
				steps = append(steps, experiment.Release)
				held = false
			}
		case experiment.Release:
			if !held {
				continue
			}
			held = false
		case experiment.Answer:
		default:
			held = true
		}
		steps = append(steps, step)
	}
	if slices.Equal(steps, q.Route.Steps) {
		return q, false
	}
	q.Route.Steps = steps
	q.Name += callOutside
	return q, true
}

// Alternative is what becomes of a question whose slow call is moved out of the hold.
type Alternative struct {
	Case          string
	Before, After *experiment.RouteResult
	// HeldBefore and HeldAfter are how long a request has a connection in all.
	HeldBefore, HeldAfter time.Duration
	connections           int
	calls                 bool
}

// Changes reports whether the question holds a connection during its slow call: else
// there is nothing to move.
func (a Alternative) Changes() bool { return a.After != nil }

// WhatIf predicts a question as it is and with the slow call moved out of the hold.
func WhatIf(q Question, replications int) (Alternative, error) {
	a := Alternative{Case: q.Name, connections: q.replicas() * q.Settings.Connections(), calls: slices.ContainsFunc(q.classes(), func(c Question) bool { return c.Route.Calls() })}
	moved, changes := q.MovedOut()
	if !changes {
		return a, nil
	}
	a.HeldBefore, a.HeldAfter = q.demand().checkout, moved.demand().checkout
	res, err := Ask(q.Settings, []Question{q, moved}, replications)
	if err != nil {
		return a, err
	}
	a.Before, a.After = &res.Routes[0], &res.Routes[1]
	return a, nil
}

// Conclusion is the answer in words.
func (a Alternative) Conclusion() experiment.Conclusion {
	c := experiment.Conclusion{About: "what_if", Cases: []string{a.Case}}
	switch {
	case !a.calls:
		c.Sentence = "There is no slow call that could be moved out of the hold."
		return c
	case !a.Changes():
		c.Sentence = "The slow call is made outside of the hold already."
		return c
	}
	b, o := a.Before, a.After
	c.Figures = map[string]float64{
		"success_ratio": b.SuccessRatio, "success_ratio_moved": o.SuccessRatio,
		"p99_s": b.Latency.P99.Seconds(), "p99_s_moved": o.Latency.P99.Seconds(),
		"held_s": a.HeldBefore.Seconds(), "held_s_moved": a.HeldAfter.Seconds(),
	}
	many := fmt.Sprintf("answer %d of %d requests in place of %d", o.Outcomes.OK, o.Requests, b.Outcomes.OK)
	if o.Outcomes.OK == b.Outcomes.OK {
		many = fmt.Sprintf("answer as many, %d of %d requests", o.Outcomes.OK, o.Requests)
	}
	c.Sentence = fmt.Sprintf("With the slow call moved out of the hold, the same %s %s, with a p99 of %s in place of %s: a request has one for %s in place of %s.",
		words.Count(a.connections, "connection"), many, words.Short(o.Latency.P99), words.Short(b.Latency.P99), words.Short(a.HeldAfter), words.Short(a.HeldBefore))
	return c
}
