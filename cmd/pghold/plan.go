package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
	"github.com/pghold/pghold/cmd/pghold/internal/report/chart"
)

type planCmd struct {
	Routes []string `arg:"" optional:"" name:"route" help:"Routes to predict; the four of the experiment, or those of --from, where none is named."`
	Group  string   `placeholder:"NAME" help:"Predict a group of routes instead: ${groups}."`
	From   []string `placeholder:"FILE|URL|DIR" sep:"none" help:"Take routes and what they cost from a service's snapshot (a file, or the URL of its page; several replicas' are added up), from a recording of pghold watch, or from the folder of a run of pghold lab. Settings that are named on the command line still count."`
	Header []string `placeholder:"'NAME: VALUE'" sep:"none" help:"Send this header to a URL of --from; may be repeated."`
	JSON   bool     `name:"json" help:"Print the result as JSON, and nothing else, on standard output."`

	serviceFlags

	Target         []string `placeholder:"success>=0.999" sep:"none" help:"Say how many connections it takes; may be repeated. Of success and throughput (per second) the least, of p50, p90, p95, p99 and mean, which are latencies, the most. Exit with 3 where it cannot be reached." group:"Questions:"`
	MaxConnections int      `default:"100" help:"The server's max_connections, in which all that --target takes must have room, or, without --target, all that the pools may open: exit with 3 where it has not. 0: do not ask." group:"Questions:"`
	Surge          float64  `default:"0.25" help:"How many replicas more there are during a rolling deploy, as a ratio." group:"Questions:"`
	Breaks         bool     `help:"Say at what rate each route breaks, and by what." group:"Questions:"`
	BreaksWhen     []string `placeholder:"p99<=1s" sep:"none" help:"--breaks, and it is broken where this is not met, in place of success>=0.999. As --target; may be repeated." group:"Questions:"`
	WhatIf         bool     `help:"Predict the same with the slow call moved out of the hold, beside it." group:"Questions:"`
	Curve          string   `placeholder:"FILE.svg" help:"Draw success and p99 over the rate, of one route." group:"Questions:"`

	Arrivals      string  `default:"even" enum:"even,poisson" help:"How requests come: even, as the lab sends them, or poisson, at random." group:"Assumptions:"`
	Replicas      int     `default:"1" help:"Processes of the app, each with threads and a pool of its own: replicas times workers. The rate is that of all together." group:"Assumptions:"`
	RandomReplica bool    `help:"Send requests to any of them, and not in turn." group:"Assumptions:"`
	Shape         string  `placeholder:"SHAPE" help:"How the slow call's length varies, of any route: ${shapes}. By default as --slow-shape says or as it was recorded, and fixed where the route only sleeps." group:"Assumptions:"`
	SessionMode   bool    `name:"pgbouncer-session" help:"Have the PgBouncer of --pgbouncer in session mode: a connection of the app's pool keeps a server connection for as long as it is open." group:"Assumptions:"`
	Load          float64 `default:"1" help:"A factor on the rate, as 100 for the same service at 100 times the load." group:"Assumptions:"`
	Cores         int     `default:"0" help:"Statements that the database runs at once. 0: any number." group:"Assumptions:"`
	Seed          uint64  `default:"0" help:"Makes chance repeatable." group:"Assumptions:"`
	Replications  int     `default:"0" help:"How many times to predict what hangs on chance. 0: 20." group:"Assumptions:"`

	Validate int `placeholder:"N" help:"Compare predictions with the lab's measurements of N cases drawn at random by --seed, at --speed 5 unless another is given; or of the routes or the --group that are named, each run N times. This one starts Postgres, and takes about 12 s for each." group:"Questions:"`

	settingsFlags
	postgresFlags
}

func (planCmd) Help() string {
	return `Says of a service in your own words, or of the lab's experiment, how many connections it takes, what becomes of the requests, and at what rate it breaks. Nothing is started.

Examples:
  pghold plan --rate 120 --held 300ms --sql 5ms --connections 10 --replicas 4
  pghold plan --rate 3 --held-p50 6s --held-p99 40s --connections 30 --client-timeout 60s
  pghold plan --rate 20 --held 2s --pool queuepool --client-timeout 10s
  pghold plan --rate 60 --held 300ms --connections 50 --replicas 4 --pgbouncer-size 20
  pghold plan --rate 30 --held 6s --lambdas 200 --max-connections 300

Without --held (or --held-p50, or --sql) it predicts in milliseconds what "pghold lab" measures in minutes, and what nobody can measure. From settings alone statements take no time; --from tells what they cost.

  pghold plan                                           the table of the experiment
  pghold plan async_session_sleep_inside_session --duration 2m
  pghold plan async_session_sleep_inside_session --target 'success>=0.999' --target 'p99<=3s' --replicas 4
  pghold plan async_session_sleep_inside_session --breaks --what-if --arrivals poisson
  pghold plan async_session_sleep_inside_session --curve inside.svg
  pghold plan --from pghold-results/20261123-190515     predicts a run from what it measured
  pghold plan --validate 24 --seed 1
  pghold plan --validate 1 --group price
  pghold plan --from http://127.0.0.1:8080/debug/holds --load 2 --target 'success>=0.999'
  pghold plan --from holds-1.json --from holds-2.json --breaks --client-timeout 10s
  pghold plan --from recording.gz --connections 15      what pghold watch --record wrote`
}

func (c *planCmd) Run(ctx context.Context, k *kong.Context, s streams) error {
	switch {
	case c.Validate < 0:
		return usage(fmt.Errorf("--validate must be above zero, not %d", c.Validate))
	case c.Validate > 0 && !aboutService(named(k)):
		return c.validate(ctx, s)
	}
	a, err := c.questions(ctx, k)
	if err != nil {
		return err
	}
	targets, until, err := c.check(a.questions)
	if err != nil {
		return usage(err)
	}
	ask, text := c.ask, c.text
	if a.service != nil {
		ask = c.askService
		text = func(s streams, r *experiment.Result, curve *experiment.Curve) error {
			return c.serviceText(s, a.service, r, curve)
		}
	}
	type done struct {
		result *experiment.Result
		curve  *experiment.Curve
		err    error
	}
	var now step
	ended := make(chan done, 1)
	go func() { // a long simulation does not look whether it was told to end
		r, curve, err := ask(ctx, a, targets, until, &now)
		ended <- done{r, curve, err}
	}()
	d, err := awaited(ctx, ended, s.err, &now)
	if err != nil {
		return err
	}
	var large *plan.TooLargeError
	if errors.As(d.err, &large) {
		return usage(d.err)
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
		err = experiment.WriteResult(s.out, d.result)
	} else {
		err = text(s, d.result, d.curve)
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
func (c *planCmd) check(qs []plan.Question) (targets, until []plan.Target, err error) {
	for _, texts := range []struct {
		flag  string
		texts []string
		to    *[]plan.Target
	}{{"target", c.Target, &targets}, {"breaks-when", c.BreaksWhen, &until}} {
		for _, text := range texts.texts {
			t, err := plan.ParseTarget(text)
			if err != nil {
				return nil, nil, fmt.Errorf("--%s: %w", texts.flag, err)
			}
			*texts.to = append(*texts.to, t)
		}
	}
	c.Breaks = c.Breaks || len(until) > 0
	if err := c.checkNumbers(); err != nil {
		return nil, nil, err
	}
	if c.Curve != "" && len(qs) != 1 {
		return nil, nil, fmt.Errorf("--curve is about one route, and %d are asked about: name one", len(qs))
	}
	for _, q := range qs {
		if err := q.Settings.Check(); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", q.Name, err)
		}
	}
	return targets, until, nil
}

// checkNumbers finds mistakes in what is assumed.
func (c *planCmd) checkNumbers() error {
	switch {
	case c.Replicas < 1:
		return fmt.Errorf("--replicas must be above zero, not %d", c.Replicas)
	case c.Shape != "" && !slices.Contains(plan.Shapes, c.Shape):
		return fmt.Errorf("--shape must be one of %s, not %q", strings.Join(plan.Shapes, ", "), c.Shape)
	case !(c.Load > 0) || math.IsInf(c.Load, 0):
		return fmt.Errorf("--load must be a factor above zero, as 2 for twice the rate, not %v", c.Load)
	case c.Cores < 0:
		return fmt.Errorf("--cores must not be negative, not %d", c.Cores)
	case c.Replications < 0:
		return fmt.Errorf("--replications must not be negative, not %d", c.Replications)
	case c.MaxConnections < 0:
		return fmt.Errorf("--max-connections must not be negative, not %d", c.MaxConnections)
	case !(c.Surge >= 0) || c.Surge > 100:
		return fmt.Errorf("--surge must be a ratio, as 0.25 for a quarter more, not %v", c.Surge)
	}
	return nil
}
