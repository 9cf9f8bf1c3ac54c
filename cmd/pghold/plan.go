package main

import (
	"context"
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
	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/plan"
	"github.com/pghold/pghold/report"
	"github.com/pghold/pghold/report/chart"
)

type planCmd struct {
	Routes []string `arg:"" optional:"" name:"route" help:"Routes to predict; the four of the experiment, or those of --from, where none is named."`
	Group  string   `placeholder:"NAME" help:"Predict a group of routes instead: ${groups}."`
	From   string   `placeholder:"FILE|DIR" help:"Take routes and what they cost from a service's snapshot, or from the result of a run of pghold lab. Settings that are named on the command line still count."`
	JSON   bool     `name:"json" help:"Print the result as JSON, and nothing else, on standard output."`

	Target         []string `placeholder:"success>=0.999" sep:"none" help:"Say how many connections it takes; may be repeated. Of success and throughput (per second) the least, of p50, p90, p95, p99 and mean, which are latencies, the most. Exit with 3 where it cannot be reached." group:"Questions:"`
	MaxConnections int      `default:"100" help:"The server's max_connections, in which all that --target takes must have room. 0: do not ask." group:"Questions:"`
	Surge          float64  `default:"0.25" help:"How many replicas more there are during a rolling deploy, as a ratio." group:"Questions:"`
	Breaks         bool     `help:"Say at what rate each route breaks, and by what." group:"Questions:"`
	WhatIf         bool     `help:"Predict the same with the slow call moved out of the hold, beside it." group:"Questions:"`
	Curve          string   `placeholder:"FILE.svg" help:"Draw success and p99 over the rate, of one route." group:"Questions:"`

	Arrivals      string `default:"even" enum:"even,poisson" help:"How requests come: even, as the lab sends them, or poisson, at random." group:"Assumptions:"`
	Replicas      int    `default:"1" help:"Processes of the app, each with threads and a pool of its own: replicas times workers. The rate is that of all together." group:"Assumptions:"`
	RandomReplica bool   `help:"Send requests to any of them, and not in turn." group:"Assumptions:"`
	Cores         int    `default:"0" help:"Statements that the database runs at once. 0: any number." group:"Assumptions:"`
	Seed          uint64 `default:"0" help:"Makes chance repeatable." group:"Assumptions:"`
	Replications  int    `default:"0" help:"How many times to predict what hangs on chance. 0: 20." group:"Assumptions:"`

	Validate int `placeholder:"N" help:"Compare predictions with the lab's measurements of N cases drawn at random by --seed, at --speed 5 unless another is given. This one starts Postgres, and takes about 12 s for each." group:"Questions:"`

	settingsFlags
	postgresFlags
}

func (planCmd) Help() string {
	return `Predicts in milliseconds what "pghold lab" measures in minutes, and what nobody can measure. Nothing is started. From settings alone statements take no time; --from tells what they cost.

Examples:
  pghold plan                                           the table of the experiment
  pghold plan async_session_sleep_inside_session --duration 2m
  pghold plan async_session_sleep_inside_session --target 'success>=0.999' --target 'p99<=3s' --replicas 4
  pghold plan async_session_sleep_inside_session --breaks --what-if --arrivals poisson
  pghold plan async_session_sleep_inside_session --curve inside.svg
  pghold plan --from pghold-results/20261123-190515     predicts a run from what it measured
  pghold plan --validate 24 --seed 1
  curl -s localhost:8080/debug/holds.json > holds.json
  pghold plan --from holds.json --breaks --what-if --client-timeout 10s`
}

func (c *planCmd) Run(ctx context.Context, k *kong.Context, s streams) error {
	if c.Validate > 0 {
		speed := c.Speed
		if speed == 1 {
			speed = 5
		}
		return validate(ctx, s, c.postgresFlags, c.Validate, c.Seed, speed)
	}
	qs, settings, err := c.questions(k)
	if err != nil {
		return err
	}
	targets, err := c.check(qs)
	if err != nil {
		return usage(err)
	}
	type done struct {
		result *experiment.Result
		curve  *experiment.Curve
		err    error
	}
	ended := make(chan done, 1)
	go func() { // a long simulation does not look whether it was told to end
		r, curve, err := c.ask(ctx, settings, qs, targets)
		ended <- done{r, curve, err}
	}()
	var d done
	select {
	case <-ctx.Done():
		return errInterrupted
	case d = <-ended:
	}
	if d.err != nil {
		return d.err
	}
	if d.curve != nil {
		picture := chart.Curve(*d.curve, chart.Options{Name: d.curve.Name, Width: 640, Standalone: true})
		if err := os.WriteFile(c.Curve, []byte(picture), 0o666); err != nil {
			return fmt.Errorf("the curve could not be saved: %w", err)
		}
	}
	if c.JSON {
		err = report.JSON(s.out, d.result)
	} else {
		err = c.text(s, d.result, d.curve)
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(d.result.Conclusions, func(c experiment.Conclusion) bool { return c.Unreached }) {
		return errFound
	}
	return nil
}

func (c *planCmd) text(s streams, r *experiment.Result, curve *experiment.Curve) error {
	if err := report.Text(s.out, r, textOptions(s.out)); err != nil || curve == nil {
		return err
	}
	fmt.Fprintln(s.out)
	return report.TextCurve(s.out, *curve, textOptions(s.out))
}

// check finds mistakes in the command line before anything is predicted.
func (c *planCmd) check(qs []plan.Question) (targets []plan.Target, err error) {
	for _, text := range c.Target {
		t, err := plan.ParseTarget(text)
		if err != nil {
			return nil, fmt.Errorf("--target: %w", err)
		}
		targets = append(targets, t)
	}
	switch {
	case c.Replicas < 1:
		return nil, fmt.Errorf("--replicas must be above zero, not %d", c.Replicas)
	case c.Cores < 0:
		return nil, fmt.Errorf("--cores must not be negative, not %d", c.Cores)
	case c.Replications < 0:
		return nil, fmt.Errorf("--replications must not be negative, not %d", c.Replications)
	case c.MaxConnections < 0:
		return nil, fmt.Errorf("--max-connections must not be negative, not %d", c.MaxConnections)
	case !(c.Surge >= 0) || c.Surge > 100:
		return nil, fmt.Errorf("--surge must be a ratio, as 0.25 for a quarter more, not %v", c.Surge)
	case c.Curve != "" && len(qs) != 1:
		return nil, fmt.Errorf("--curve is about one route, and %d are asked about: name one", len(qs))
	}
	for _, q := range qs {
		if err := q.Settings.Validate(); err != nil {
			return nil, fmt.Errorf("%s: %w", q.Name, err)
		}
	}
	return targets, nil
}

// questions are what is asked, and the settings that the result is said to have.
func (c *planCmd) questions(k *kong.Context) ([]plan.Question, experiment.Settings, error) {
	settings, err := c.settings()
	if err != nil {
		return nil, settings, err
	}
	qs, settings, err := c.from(settings, named(k))
	if err != nil {
		return nil, settings, err
	}
	for i := range qs {
		m := &qs[i].Model
		m.Arrivals, m.Replicas, m.RandomReplica = plan.Arrivals(c.Arrivals), c.Replicas, c.RandomReplica
		m.Cores, m.Seed = c.Cores, c.Seed
	}
	return qs, settings, nil
}

func (c *planCmd) from(settings experiment.Settings, named map[string]bool) ([]plan.Question, experiment.Settings, error) {
	if c.From == "" {
		cases, err := c.cases(settings)
		return plan.Questions(cases, plan.Model{}), settings, usage(err)
	}
	if c.Group != "" {
		return nil, settings, usage(errors.New("--from has routes of its own: name some of them, and no --group"))
	}
	all, settings, ofRun, err := c.recorded(settings, named)
	if err != nil {
		return nil, settings, err
	}
	if len(c.Routes) == 0 {
		return all, settings, nil
	}
	var qs []plan.Question
	var names []string
	for _, q := range all {
		names = append(names, q.Name)
	}
	for _, name := range c.Routes {
		if i := slices.Index(names, name); i >= 0 {
			qs = append(qs, all[i])
			continue
		}
		if !ofRun {
			return nil, settings, usage(fmt.Errorf("the snapshot has no route %q; it has %s", name, strings.Join(names, ", ")))
		}
		// What was not run is predicted with what the others cost.
		routes, err := experiment.FindRoutes([]string{name})
		if err != nil {
			return nil, settings, usage(err)
		}
		qs = append(qs, plan.Questions(experiment.CasesOf(routes, settings), all[0].Model)...)
	}
	return qs, settings, nil
}

// recorded reads --from: a file is a service's snapshot, unless it is the result of a
// run, and a folder is a run's.
func (c *planCmd) recorded(settings experiment.Settings, named map[string]bool) (qs []plan.Question, own experiment.Settings, ofRun bool, err error) {
	info, err := os.Stat(c.From)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, settings, false, fmt.Errorf("there is no file or folder %s: name a snapshot, or the folder of a run", c.From)
	case err != nil:
		return nil, settings, false, fmt.Errorf("reading --from: %w", err)
	}
	if info.IsDir() || filepath.Base(c.From) == "result.json" {
		r, err := report.Load(c.From)
		if err != nil {
			return nil, settings, true, err
		}
		if qs, err = plan.FromRun(r); err != nil {
			return nil, settings, true, fmt.Errorf("%s: %w", c.From, err)
		}
		own = r.Settings
		override(&own, settings, named)
		own.Speed, own.Postgres = 1, ""
	} else {
		b, err := os.ReadFile(c.From)
		if err != nil {
			return nil, settings, false, fmt.Errorf("reading --from: %w", err)
		}
		snapshot, err := holds.ReadSnapshot(b)
		if err == nil {
			if !named["duration"] { // a service's load lasts
				settings.Duration = time.Minute
			}
			qs, err = plan.FromSnapshot(snapshot, settings)
		}
		if err != nil {
			return nil, settings, false, fmt.Errorf("%s: %w", c.From, err)
		}
		own = qs[0].Settings
		override(&own, settings, named)
	}
	for i := range qs {
		override(&qs[i].Settings, settings, named)
		qs[i].Settings.Speed, qs[i].Settings.Postgres = own.Speed, ""
		if named["slow"] {
			qs[i].Model.Calls = nil
		}
	}
	return qs, own, info.IsDir() || filepath.Base(c.From) == "result.json", nil
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

// override sets what was named on the command line.
func override(s *experiment.Settings, to experiment.Settings, named map[string]bool) {
	for flag, set := range map[string]func(){
		"rate":                        func() { s.Rate = to.Rate },
		"duration":                    func() { s.Duration = to.Duration },
		"slow":                        func() { s.Slow = to.Slow },
		"slow-shape":                  func() { s.SlowShape = to.SlowShape },
		"client-timeout":              func() { s.ClientTimeout = to.ClientTimeout },
		"pool":                        func() { s.Pool = to.Pool },
		"pool-size":                   func() { s.PoolSize = to.PoolSize },
		"max-overflow":                func() { s.MaxOverflow = to.MaxOverflow },
		"pool-timeout":                func() { s.PoolTimeout = to.PoolTimeout },
		"threads":                     func() { s.Threads = to.Threads },
		"cancel-on-disconnect":        func() { s.CancelOnDisconnect = to.CancelOnDisconnect },
		"max-in-flight":               func() { s.MaxInFlight = to.MaxInFlight },
		"idle-in-transaction-timeout": func() { s.IdleInTransactionTimeout = to.IdleInTransactionTimeout },
		"transaction-timeout":         func() { s.TransactionTimeout = to.TransactionTimeout },
		"distance":                    func() { s.Distance = to.Distance },
		"pgbouncer":                   func() { s.PgBouncer = to.PgBouncer },
		"accounts":                    func() { s.Accounts = to.Accounts },
	} {
		if named[flag] {
			set()
		}
	}
}
