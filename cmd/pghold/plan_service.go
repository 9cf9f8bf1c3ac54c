package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
)

// serviceFlags describe a service in one's own words. --held, --held-p50, or --sql makes
// the question one about a service, and not about the experiment.
type serviceFlags struct {
	Held        time.Duration `placeholder:"D" help:"How long a request holds its connection. This, --held-p50 or --sql makes the question one about a service, with requests that come at random and a load that lasts." group:"A service, in your own words:"`
	HeldP50     time.Duration `name:"held-p50" placeholder:"D" help:"Half of the holds last no longer. With --held-p99, in place of --held: lognormal, through both." group:"A service, in your own words:"`
	HeldP99     time.Duration `name:"held-p99" placeholder:"D" help:"99 % of the holds last no longer." group:"A service, in your own words:"`
	SQL         time.Duration `name:"sql" placeholder:"D" help:"For how long of a hold the database works. Without --held: for all of it." group:"A service, in your own words:"`
	Connections int           `placeholder:"N" help:"Connections of the pool in each process, without overflow." group:"A service, in your own words:"`
	Workers     int           `placeholder:"N" help:"Processes in each replica, each with a pool of its own." group:"A service, in your own words:"`
	Lambdas     int           `placeholder:"N" help:"In place of replicas: functions that serve one request at a time, with one connection each." group:"A service, in your own words:"`
	InTurn      bool          `help:"Have a balancer that sends requests to the processes in turn. By default it sends them to any." group:"A service, in your own words:"`
	Verbose     bool          `short:"v" help:"Show the tables as well." group:"A service, in your own words:"`
}

// aboutService reports whether the command line asks about a service in words.
func aboutService(named map[string]bool) bool {
	return named["held"] || named["held-p50"] || named["held-p99"] || named["sql"]
}

// notOfService are flags that a question about a service in words has no use for.
var notOfService = []string{
	"from", "group", "validate", "slow", "slow-shape", "duration", "distance", "accounts", "speed",
	"dsn",
}

// onlyOfService is a flag that is named and means nothing to other questions, or "".
func onlyOfService(named map[string]bool) string {
	for _, flag := range []string{"connections", "workers", "lambdas", "in-turn"} {
		if named[flag] {
			return flag
		}
	}
	return ""
}

// service reads a question about a service, or says in a sentence why it is none.
func (c *planCmd) service(named map[string]bool) (s plan.Service, err error) {
	if err := c.serviceMistakes(named); err != nil {
		return s, err
	}
	s = plan.Service{
		Settings: c.Asked, Held: plan.Held{Mean: c.Held, P50: c.HeldP50, P99: c.HeldP99, Shape: c.Shape, SQL: c.SQL},
		Replicas: c.Replicas, Workers: c.Workers, Lambdas: c.Lambdas, Sync: named["threads"],
		Arrivals: plan.Poisson, InTurn: c.InTurn || named["random-replica"] && !c.RandomReplica,
		Cores: c.Cores, SessionMode: c.SessionMode, Seed: c.Seed, Replications: c.Replications,
	}
	if !named["held"] && !named["held-p50"] {
		s.Held.Mean = c.SQL
	}
	if named["arrivals"] {
		s.Arrivals = plan.Arrivals(c.Arrivals)
	}
	set := &s.Settings
	set.Rate *= c.Load
	if !named["pool"] {
		set.Pool = experiment.PgxPool
	}
	queue := set.Pool == experiment.QueuePool
	switch {
	case named["connections"]:
		set.PoolSize, set.MaxOverflow = c.Connections, 0
	case !queue:
		set.MaxOverflow = 0
		s.Unsized = !named["pool-size"] && c.Lambdas == 0
	}
	if !queue && !named["pool-timeout"] { // the request's context ends a wait
		s.NoTimeout, set.PoolTimeout = true, set.ClientTimeout
	}
	if !named["cancel-on-disconnect"] {
		set.CancelOnDisconnect = !queue // as net/http does, and FastAPI does not
	}
	if c.Bouncer || named["pgbouncer-size"] {
		set.PgBouncer = c.BouncerSize
	}
	return s, cmp.Or(s.Held.Check(), set.Check())
}

// serviceMistakes says what does not go together.
func (c *planCmd) serviceMistakes(named map[string]bool) error {
	by := "--held"
	switch {
	case named["held"]:
	case named["held-p50"] || named["held-p99"]:
		by = "--held-p50"
	default:
		by = "--sql"
	}
	if i := slices.IndexFunc(notOfService, func(flag string) bool { return named[flag] }); i >= 0 {
		return fmt.Errorf("--%s does not go with %s, which asks about a service in words", notOfService[i], by)
	}
	for _, d := range []struct {
		flag string
		d    time.Duration
	}{{"held", c.Held}, {"held-p50", c.HeldP50}, {"held-p99", c.HeldP99}, {"sql", c.SQL}} {
		if named[d.flag] && d.d <= 0 {
			return fmt.Errorf("--%s must be above zero, not %v", d.flag, d.d)
		}
	}
	for _, n := range []struct {
		flag string
		n    int
	}{{"connections", c.Connections}, {"workers", c.Workers}, {"lambdas", c.Lambdas}, {"pgbouncer-size", c.BouncerSize}} {
		if named[n.flag] && n.n < 1 {
			return fmt.Errorf("--%s must be above zero, not %d", n.flag, n.n)
		}
	}
	queue := named["pool"] && c.Asked.Pool == experiment.QueuePool
	pool := plan.PoolName(experiment.PgxPool)
	if named["pool"] {
		pool = plan.PoolName(c.Asked.Pool)
	}
	switch {
	case len(c.Routes) > 0:
		return fmt.Errorf("a question about a service has no route, and %q is named: leave it out, or %s", c.Routes[0], by)
	case !named["rate"]:
		return fmt.Errorf("--rate is missing: how many requests per second come to all replicas together?")
	case named["held"] && (named["held-p50"] || named["held-p99"]):
		return errors.New("--held is a hold of one length, --held-p50 and --held-p99 are one that varies: name one of the two")
	case named["held-p50"] != named["held-p99"]:
		return errors.New("--held-p50 and --held-p99 go together: name both, or --held for holds of one length")
	case named["held-p50"] && c.Shape != "" && c.Shape != experiment.Lognormal:
		return fmt.Errorf("--held-p50 and --held-p99 make holds lognormal: --shape %s does not go with them", c.Shape)
	case c.InTurn && c.RandomReplica:
		return errors.New("--in-turn and --random-replica are opposites: name one of the two")
	case c.WhatIf && !named["sql"]:
		return errors.New("--what-if moves all but SQL out of the hold: say with --sql how long that takes")
	case named["lambdas"]:
		for _, flag := range []string{"replicas", "workers", "connections", "pool", "pool-size", "max-overflow", "pool-timeout", "threads", "max-in-flight", "pgbouncer", "pgbouncer-size", "in-turn", "random-replica"} {
			if named[flag] {
				return fmt.Errorf("--lambdas does not go with --%s: a lambda has one connection and serves one request at a time", flag)
			}
		}
	case named["connections"] && (named["pool-size"] || named["max-overflow"]):
		return errors.New("--connections is the size of a pool without overflow: name that, or --pool-size and --max-overflow")
	case named["max-overflow"] && !queue:
		return fmt.Errorf("%s has no overflow: --connections is all that it opens; --pool queuepool has one", pool)
	}
	return nil
}

// askService answers a question about a service.
func (c *planCmd) askService(ctx context.Context, a asked, targets, until []plan.Target, now *step) (*experiment.Result, *experiment.Curve, error) {
	at := func(what string) error {
		if ctx.Err() != nil {
			return errInterrupted
		}
		now.is("the service", what)
		return nil
	}
	answer, err := a.service.Answer(targets, plan.Database{MaxConnections: c.MaxConnections, Surge: c.Surge}, at)
	if err != nil {
		return nil, nil, err
	}
	q := answer.Service.Question()
	r := &experiment.Result{Kind: experiment.Predicted, Settings: q.Settings, Routes: []experiment.RouteResult{*answer.Result}, Warnings: []string{}}
	r.Conclusions = answer.Conclusions
	for _, s := range answer.Assumptions {
		r.Warnings = append(r.Warnings, assumption+s)
	}
	if c.Breaks {
		if err := at("at what rate it breaks"); err != nil {
			return nil, nil, err
		}
		breaking, err := answer.Service.Breaks(until)
		if err != nil {
			return nil, nil, err
		}
		r.Conclusions = append(r.Conclusions, breaking)
	}
	if c.WhatIf {
		if err := at("with the call moved out"); err != nil {
			return nil, nil, err
		}
		alternative, err := plan.WhatIf(q, c.Replications)
		if err != nil {
			return nil, nil, err
		}
		r.Conclusions = append(r.Conclusions, alternative.Conclusion())
	}
	r.Conclusions = append(r.Conclusions, answer.Changes...)
	if c.Curve == "" {
		return r, nil, nil
	}
	now.is("the service", "the curve")
	curve, err := plan.Curve(q, curvePoints, until...)
	return r, &curve, err
}

// serviceText writes the answer first, then what if, then what it depends on.
func (c *planCmd) serviceText(s streams, service *plan.Service, r *experiment.Result, curve *experiment.Curve) error {
	var answer, changes, assumed []string
	for _, k := range r.Conclusions {
		switch {
		case k.About == "sensitivity":
			changes = append(changes, k.Sentence)
		case k.About == "room" && !k.Unreached: // as the sentence before it says
		case k.About == "timeouts" && !service.TimeoutsMatter():
		default:
			answer = append(answer, k.Sentence)
		}
	}
	for _, w := range r.Warnings {
		assumed = append(assumed, strings.TrimPrefix(w, assumption))
	}
	sections := []report.Section{{Title: "If something changes", Lines: changes}, {Title: "What it depends on", Lines: assumed}}
	if err := report.TextAnswer(s.out, answer, sections, textOptions(s.out)); err != nil || !c.Verbose && curve == nil {
		return err
	}
	fmt.Fprintln(s.out)
	if c.Verbose {
		tables := *r
		tables.Conclusions, tables.Warnings = nil, nil
		return c.text(s, &tables, curve)
	}
	return report.TextCurve(s.out, *curve, textOptions(s.out))
}

// assumption is what those begin with that stand among a result's warnings.
const assumption = "Assumed: "
