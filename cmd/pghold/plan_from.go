package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	holds "github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// asked is what is asked.
type asked struct {
	questions []plan.Question
	settings  experiment.Settings // that the result is said to have
	warnings  []string
	run       bool // questions are those of a lab's run
	room      bool // whether the server has room for all was asked

	snapshot *holds.Snapshot     // that questions are made of, or nil
	base     experiment.Settings // for what it does not have
	rate     float64             // that was named; 0: none was
}

func (c *planCmd) questions(k *kong.Context) (asked, error) {
	flags := named(k)
	if c.From != "" && flags["pgbouncer-size"] && !flags["pgbouncer"] {
		c.Bouncer = true // the run has one, or is to have one
	}
	settings, err := c.settings()
	if err != nil {
		return asked{}, err
	}
	flags["pgbouncer-size"] = flags["pgbouncer-size"] || flags["pgbouncer"]
	a, err := c.from(settings, flags)
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

func (c *planCmd) from(settings experiment.Settings, named map[string]bool) (asked, error) {
	if c.From == "" {
		cases, err := c.cases(settings)
		return asked{questions: plan.Questions(cases, plan.Model{}), settings: settings}, usage(err)
	}
	if c.Group != "" {
		return asked{}, usage(errors.New("--from has routes of its own: name some of them, and no --group"))
	}
	a, err := c.recorded(settings, named)
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

// recorded reads --from: a folder is a run's, and a file is the result of one or a
// service's snapshot.
func (c *planCmd) recorded(settings experiment.Settings, named map[string]bool) (a asked, err error) {
	info, err := os.Stat(c.From)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a, fmt.Errorf("there is no file or folder %s: name a snapshot, or the folder of a run", c.From)
	case err != nil:
		return a, fmt.Errorf("reading --from: %w", err)
	}
	if info.IsDir() {
		a, err = c.ofRun()
	} else {
		a, err = c.ofFile(settings, named)
	}
	if err != nil {
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

func (c *planCmd) ofRun() (asked, error) {
	r, err := rundir.Load(c.From)
	if err != nil {
		return asked{}, err
	}
	return c.ofResult(r)
}

func (c *planCmd) ofResult(r *experiment.Result) (a asked, err error) {
	if a.questions, err = plan.FromRun(r); err != nil {
		return a, fmt.Errorf("%s: %w", c.From, err)
	}
	if busy := plan.Busy(r); busy != "" {
		a.warnings = append(a.warnings, fmt.Sprintf("The machine was busy while the run was measured: %s. What it tells of statements, connects and calls is of that moment; measure again with nothing else running.", busy))
	}
	a.settings, a.run = r.Settings, true
	return a, nil
}

func (c *planCmd) ofFile(settings experiment.Settings, named map[string]bool) (a asked, err error) {
	b, err := os.ReadFile(c.From)
	if err != nil {
		return a, fmt.Errorf("reading --from: %w", err)
	}
	switch r, err := experiment.ReadResult(b); {
	case err == nil:
		return c.ofResult(r)
	case filepath.Base(c.From) == rundir.ResultFile:
		return c.ofRun() // which says what to do
	}
	snapshot, err := holds.ReadSnapshot(b)
	if err == nil {
		if !named["duration"] { // a service's load lasts
			settings.Duration = time.Minute
		}
		a.questions, err = plan.FromSnapshot(snapshot, settings)
		a.snapshot, a.base = snapshot, settings
		if named["rate"] {
			a.rate = settings.Rate
		}
	}
	if err != nil {
		return a, fmt.Errorf("%s: %w", c.From, err)
	}
	a.settings = a.questions[0].Settings
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
