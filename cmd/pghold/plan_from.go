package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	holds "github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
)

// asked is what is asked.
type asked struct {
	questions []plan.Question
	settings  experiment.Settings // that the result is said to have
	warnings  []string
	run       bool // questions are those of a lab's run
	room      bool // whether the server has room for all was asked

	service *plan.Service // in words, or nil

	snapshot *holds.Snapshot     // that questions are made of, or nil
	base     experiment.Settings // for what it does not have
	rate     float64             // that was named; 0: none was
}

func (c *planCmd) questions(ctx context.Context, k *kong.Context) (asked, error) {
	flags := named(k)
	if aboutService(flags) {
		if err := c.checkNumbers(); err != nil {
			return asked{}, usage(err)
		}
		s, err := c.service(flags)
		if err != nil {
			return asked{}, usage(err)
		}
		q := s.Question()
		return asked{questions: []plan.Question{q}, settings: q.Settings, service: &s}, nil
	}
	if flag := onlyOfService(flags); flag != "" {
		return asked{}, usage(fmt.Errorf("--%s is for a question about a service in your own words: add --held, how long a request holds its connection", flag))
	}
	if len(c.From) > 0 && flags["pgbouncer-size"] && !flags["pgbouncer"] {
		c.Bouncer = true // the run has one, or is to have one
	}
	settings, err := c.settings()
	if err != nil {
		return asked{}, err
	}
	flags["pgbouncer-size"] = flags["pgbouncer-size"] || flags["pgbouncer"]
	a, err := c.from(ctx, settings, flags)
	if err != nil {
		return a, err
	}
	a.room = flags["max-connections"] || flags["surge"]
	for i := range a.questions {
		m := &a.questions[i].Model
		m.Arrivals, m.Replicas, m.RandomReplica = plan.Arrivals(c.Arrivals), c.Replicas, c.RandomReplica
		m.Cores, m.Seed, m.SessionMode = c.Cores, c.Seed, c.SessionMode
		if c.Shape != "" {
			a.questions[i].Each(func(q *plan.Question) { q.Model.Shape, q.Model.Calls = c.Shape, nil })
		}
		a.questions[i].ScaleRate(c.Load)
	}
	a.settings.Rate *= c.Load
	return a, nil
}

func (c *planCmd) from(ctx context.Context, settings experiment.Settings, named map[string]bool) (asked, error) {
	if len(c.From) == 0 {
		cases, err := c.cases(settings)
		return asked{questions: plan.Questions(cases, plan.Model{}), settings: settings}, usage(err)
	}
	if c.Group != "" {
		return asked{}, usage(errors.New("--from has routes of its own: name some of them, and no --group"))
	}
	a, err := c.recorded(ctx, settings, named)
	if err != nil || len(c.Routes) == 0 {
		return a, err
	}
	all := a.questions
	a.questions = nil
	var names []string
	for _, q := range all {
		names = append(names, q.Name)
	}
	for _, name := range c.Routes {
		if i := slices.Index(names, name); i >= 0 {
			a.questions = append(a.questions, all[i])
			continue
		}
		if !a.run {
			return a, usage(fmt.Errorf("the snapshot has no route %q; it has %s", name, strings.Join(names, ", ")))
		}
		// What was not run is predicted with what the others cost.
		routes, err := experiment.FindRoutes([]string{name})
		if err != nil {
			return a, usage(err)
		}
		a.questions = append(a.questions, plan.Questions(experiment.CasesOf(routes, a.settings), all[0].Model)...)
	}
	return a, nil
}

// recorded reads --from, and has what is named on the command line count.
func (c *planCmd) recorded(ctx context.Context, settings experiment.Settings, named map[string]bool) (a asked, err error) {
	if a, err = c.sources(ctx, settings, named); err != nil {
		return a, err
	}
	a.settings.Override(settings, named)
	a.settings.Postgres = ""
	for i := range a.questions {
		q := &a.questions[i]
		rate := q.TotalRate()
		q.Each(func(one *plan.Question) {
			own := one.Settings.Rate
			one.Settings.Override(settings, named)
			one.Settings.Postgres, one.Settings.Rate = "", own
			if named["slow"] {
				one.Model.Calls = nil
			}
		})
		switch {
		case !named["rate"]:
		case len(q.Others) == 0 || len(c.Routes) == 1: // the others go on as they did
			q.Settings.Rate = settings.Rate
		default:
			q.ScaleRate(settings.Rate / rate)
		}
		if named["pool"] {
			q.Model.AnyPool = false
		}
	}
	return a, nil
}

// contradicted says what was recorded of the service that its prediction does not have.
// What the load, the call and the pool are assumed to be in place of what they were does
// not count for it; a rate that was named does, because it may be the true one.
func (c *planCmd) contradicted(a asked) ([]experiment.Conclusion, error) {
	if a.snapshot == nil {
		return nil, nil
	}
	return plan.Contradictions(a.snapshot, a.base, func(q *plan.Question) {
		m := &q.Model
		m.Arrivals, m.Cores, m.Seed, m.SessionMode = plan.Arrivals(c.Arrivals), c.Cores, c.Seed, c.SessionMode
		if a.rate > 0 {
			q.Settings.Rate = a.rate
		}
	})
}

// cases are those that lab would run.
func (c *planCmd) cases(s experiment.Settings) ([]experiment.Case, error) {
	return (&labCmd{Routes: c.Routes, Group: c.Group}).cases(s)
}

// named are the flags that are on the command line.
func named(k *kong.Context) map[string]bool {
	flags := map[string]bool{}
	for _, p := range k.Path {
		if p.Flag != nil {
			flags[p.Flag.Name] = true
		}
	}
	return flags
}
