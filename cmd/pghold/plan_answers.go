package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
)

// curvePoints is how many rates a curve has.
const curvePoints = 40

// ask predicts, and answers what was asked: about the timeouts always.
func (c *planCmd) ask(ctx context.Context, a asked, targets, until []plan.Target, now *step) (*experiment.Result, *experiment.Curve, error) {
	qs := a.questions
	lines := qs
	if c.WhatIf {
		lines = nil
		for _, q := range qs {
			lines = append(lines, q)
			if moved, changes := q.MovedOut(); changes {
				lines = append(lines, moved)
			}
		}
	}
	now.is(fmt.Sprintf("a table of %d", len(lines)))
	r, err := plan.Ask(a.settings, lines, c.Replications)
	if err != nil {
		return nil, nil, err
	}
	if r.ContradictedBy, err = c.contradicted(a); err != nil {
		return nil, nil, err
	}
	for _, by := range r.ContradictedBy {
		r.Warnings = append(r.Warnings, by.Sentence)
	}
	r.Warnings = append(append(r.Warnings, a.warnings...), assumed(c, qs)...)
	for _, q := range qs {
		if ctx.Err() != nil {
			return nil, nil, errInterrupted
		}
		cs, err := c.answers(q, a.room, targets, until, now)
		if err != nil {
			return nil, nil, err
		}
		r.Conclusions = append(r.Conclusions, cs...)
	}
	if c.Curve == "" {
		return r, nil, nil
	}
	now.is(qs[0].Name, "the curve")
	curve, err := plan.Curve(qs[0], curvePoints, until...)
	return r, &curve, err
}

func (c *planCmd) answers(q plan.Question, room bool, targets, until []plan.Target, now *step) ([]experiment.Conclusion, error) {
	var all []experiment.Conclusion
	if q.Together() {
		now.is(q.Name, "what each route costs the others")
		culprits, err := plan.FindCulprits(q)
		if err != nil {
			return nil, err
		}
		all = append(all, culprits.Conclusion())
	}
	if q.Together() || len(q.Others) == 0 || len(c.Routes) > 0 { // else what is said of all is enough
		now.is(q.Name, "the timeouts")
		budget, err := plan.Budget(q)
		if err != nil {
			return nil, err
		}
		all = append(all, budget.Conclusion())
	}
	db := plan.Database{MaxConnections: c.MaxConnections, Surge: c.Surge}
	if room && len(targets) == 0 && db.MaxConnections > 0 {
		all = append(all, plan.Room(q, db))
	}
	if len(targets) > 0 {
		now.is(q.Name, "how many connections")
		sizing, err := plan.HowMany(q, targets, db)
		if err != nil {
			return nil, err
		}
		all = append(all, sizing.Conclusion())
	}
	if c.Breaks {
		now.is(q.Name, "at what rate it breaks")
		breaking, err := plan.Breaks(q, until...)
		if err != nil {
			return nil, err
		}
		all = append(all, breaking.Conclusion())
	}
	if c.WhatIf {
		now.is(q.Name, "with the call moved out")
		alternative, err := plan.WhatIf(q, c.Replications)
		if err != nil {
			return nil, err
		}
		all = append(all, alternative.Conclusion())
	}
	return all, nil
}

// assumed says what the settings, which a reader of the result sees, do not.
func assumed(c *planCmd, qs []plan.Question) []string {
	var all []string
	if !slices.ContainsFunc(append([]plan.Question{qs[0]}, qs[0].Others...), func(q plan.Question) bool { return q.Model.Overheads != plan.Overheads{} }) {
		all = append(all, "From settings alone statements, connecting and the network take no time; --from takes from a run or a service what they do.")
	}
	var parts []string
	if c.Arrivals == string(plan.Poisson) {
		parts = append(parts, "requests come at random (Poisson)")
	}
	if c.Load != 1 {
		parts = append(parts, fmt.Sprintf("the load is %v times as much", c.Load))
	}
	if c.Shape != "" {
		parts = append(parts, fmt.Sprintf("the slow call's length is %s", c.Shape))
	}
	if c.Replicas > 1 {
		how := "in turn"
		if c.RandomReplica {
			how = "at random"
		}
		parts = append(parts, fmt.Sprintf("they are shared out over %d replicas %s, each with a pool and threads of its own", c.Replicas, how))
	}
	if c.SessionMode {
		parts = append(parts, "the PgBouncer is in session mode")
	}
	if c.Cores > 0 {
		parts = append(parts, fmt.Sprintf("the database runs %d statements at once", c.Cores))
	}
	if c.Seed != 0 {
		parts = append(parts, fmt.Sprintf("the seed of chance is %d", c.Seed))
	}
	if len(parts) > 0 {
		all = append(all, "Assumed: "+strings.Join(parts, "; ")+".")
	}
	if len(qs) > 1 && strings.HasSuffix(qs[0].Name, plan.AllRoutes) {
		all = append(all, fmt.Sprintf("The routes share a pool and are predicted together; %q is about the requests of all of them. A hold counts as a request.", plan.AllRoutes))
	}
	return all
}
