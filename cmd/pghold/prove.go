package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/cmd/pghold/internal/prove/service"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

type proveCmd struct {
	Command []string `arg:"" optional:"" name:"command" help:"The service, behind --: started for the run and ended with it. Without one a service is attacked that runs already, and --dsn is sampled."`

	Attack   []string      `sep:"none" placeholder:"'METHOD URL'" help:"What to send; may be repeated. 'POST http://127.0.0.1:8080/orders @order.json' has a body from a file. Targets of the same name take turns." group:"Attack:"`
	Targets  string        `type:"path" placeholder:"FILE" help:"Further targets, in vegeta's format for HTTP." group:"Attack:"`
	Header   []string      `sep:"none" placeholder:"'NAME: VALUE'" help:"A header of all requests, as 'Cookie: session=…'; may be repeated. It is not kept in the result." group:"Attack:"`
	Name     []string      `sep:"none" placeholder:"NAME" help:"Name of the route, for each --attack in turn. By default it is the method and the path, with numbers as {n} and uuids as {id}." group:"Attack:"`
	Together bool          `help:"Attack each route alone, and then all at once, each at --rate: to see what one that holds connections costs an innocent one beside it." group:"Attack:"`
	Rate     float64       `default:"100" help:"Requests per second." group:"Attack:"`
	Duration time.Duration `default:"5s" help:"How long the load lasts." group:"Attack:"`
	Timeout  time.Duration `name:"client-timeout" default:"30s" help:"How long a client waits for its answer." group:"Attack:"`
	WarmUp   time.Duration `default:"1s" help:"For how long requests are sent before, at the same rate, without being counted. 0s for none." group:"Attack:"`
	Repeat   int           `default:"1" help:"Attack so many times, in rounds: report compares two such results and tells differences from noise." group:"Attack:"`
	Allow    []string      `placeholder:"HOST" help:"A host other than this machine that may be attacked." group:"Attack:"`
	Most     int           `name:"max-requests" default:"20000" help:"The most requests of one attack that need no second thought." group:"Attack:"`

	Env         []string      `sep:"none" placeholder:"NAME=VALUE" help:"A further variable of the command's, with {user}, {password}, {host}, {port}, {database} and {upstream} filled in; may be repeated. It always gets DATABASE_URL, PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and PGSSLMODE." group:"Service:"`
	Setup       string        `placeholder:"COMMAND" help:"A shell command that fills the database before, with the same variables: 'psql -f schema.sql'." group:"Service:"`
	Ready       string        `placeholder:"URL" help:"The service is ready when this is answered with a status below 500. By default it is when it listens where --attack leads." group:"Service:"`
	ReadyWithin time.Duration `default:"60s" help:"How long that may take." group:"Service:"`
	Holds       string        `placeholder:"URL" help:"The address of httphold.Handler in a Go service, which knows what fills the gaps." group:"Service:"`
	Upstream    bool          `help:"Start a slow API (a chat model as OpenAI has it, payments), and hand its address to the command: OPENAI_BASE_URL, and {upstream} in --env." group:"Service:"`
	Slow        time.Duration `default:"2s" help:"How long a call of it takes." group:"Service:"`
	SlowShape   string        `default:"fixed" help:"How calls differ: fixed, lognormal (--slow is the mean), or stalls (one in twenty)." group:"Service:"`

	DSN        string `name:"dsn" placeholder:"URL" help:"Use this database instead of a throwaway one. PGHOLD_DSN and DATABASE_URL are not looked at." group:"Postgres:"`
	SetupOnDSN bool   `name:"setup-on-dsn" help:"Run --setup on the database of --dsn, which must be empty." group:"Postgres:"`

	Out  string `placeholder:"DIR" help:"Folder for the result, the report and each route's requests (default pghold-results/DATE-TIME)." group:"Output:"`
	JSON bool   `name:"json" help:"Print the result as JSON, and nothing else, on standard output." group:"Output:"`
	expectFlags
}

func (proveCmd) Help() string {
	return `Starts a throwaway Postgres, puts a tap in front of it, starts your service with an environment that leads there (DATABASE_URL, PGHOST and the like), attacks its routes, and shows what each does with its connections: how long it is idle in transaction, after which statement, and what that costs. The service is in any language; nothing is installed in it.

Each route gets one request before the load, which has to be answered with 2xx. Only this machine is attacked, unless --allow names another. The command and what it has started end with the run.

Exit status: 0 done, 1 it failed or the run is not valid, 2 the command line was wrong, 3 an --expect was missed, 130 interrupted.

Figures for --expect: success_ratio, throughput_per_s, latency_s.p50, latency_s.p99, outcomes.client_timeout, silent_in_transaction_ratio, wire.silent_per_request_s, wire.max_in_transaction, wire.max_in_flight, holds.held_s.mean, connections.max. docs/prove.md says what they are; all others of a route in result.json can be named, too.

Examples:
  pghold prove --attack 'GET http://127.0.0.1:8000/checkout/1' \
      -- uvicorn app:app --port 8000
  pghold prove --together --attack http://127.0.0.1:8000/checkout/1 \
      --attack http://127.0.0.1:8000/health -- uvicorn app:app
  pghold prove --setup 'psql -f schema.sql' --env \
      'DB=postgresql+asyncpg://{user}:{password}@{host}:{port}/{database}' \
      --attack http://127.0.0.1:8000/ -- uvicorn app:app
  pghold prove --upstream --env 'PAY_URL={upstream}/v1/charges' \
      --attack 'POST http://127.0.0.1:3000/orders @order.json' -- node app.js

Before and after a change:
  pghold prove --out before --attack http://127.0.0.1:8000/checkout/1 -- ./app
  pghold prove --out after --attack http://127.0.0.1:8000/checkout/1 -- ./app
  pghold report before after

For CI, and a service that runs already:
  pghold prove --expect 'GET /checkout/{n}.wire.silent_per_request_s<0.1' \
      --attack http://127.0.0.1:8000/checkout/1 -- ./app
  pghold prove --dsn "$DATABASE_URL" --attack http://127.0.0.1:8000/checkout/1`
}

func (c *proveCmd) Run(ctx context.Context, s streams) (failed error) {
	targets, err := c.targets()
	if err != nil {
		return usage(err)
	}
	settings, err := c.check(targets)
	if err != nil {
		return usage(err)
	}
	expected, err := c.expectations()
	if err != nil {
		return err
	}
	if err := askable(expected, func(e experiment.Expectation) error { return e.Among(toBe(targets, c.Together)) }); err != nil {
		return err
	}
	out, err := rundir.New(c.Out, s.log)
	if err != nil {
		return err
	}
	kept := "nothing is kept"
	defer func() { // after all that follows
		if errors.Is(failed, errInterrupted) {
			fmt.Fprintf(s.err, "Interrupted: what was started has ended, and %s.\n", kept)
		}
	}()
	defer out.Discard()

	stage, err := c.open(ctx, s, targets, filepath.Join(out.Name(), rundir.OutputFile))
	if err == nil {
		defer func() {
			if err := stage.close(); err != nil && (failed == nil || errors.Is(failed, errInterrupted)) {
				failed = fmt.Errorf("%w: %w", errCleanUp, err)
			}
		}()
		err = c.tryOut(ctx, s, stage, settings, targets)
	}
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, errCleanUp) {
			return errInterrupted
		}
		return err
	}
	progress := newProgress(s.err, 0)
	result, err := prove.Run(ctx, prove.Options{
		Settings: settings, Targets: targets, Together: c.Together, Repeat: c.Repeat, WarmUp: c.WarmUp, Dir: out.Name(),
		Wire: stage.wire, Sampled: stage.tap == nil, Holds: c.Holds, Failed: stage.ended(), Progress: progress.prove,
	})
	progress.end()
	switch {
	case errors.Is(err, prove.ErrServiceEnded):
		err = fmt.Errorf("%w while it was attacked", stage.service.Err())
	case err != nil && ctx.Err() != nil:
		err = errInterrupted
	}
	if result == nil {
		return err
	}
	broken := err
	result.Version = version()
	result.Service = c.describe(stage, targets)
	if err := stage.end(ctx, result.Service); err != nil && broken == nil {
		broken = err
	}
	result.Settings.Postgres = stage.version
	prove.Conclude(result)
	html, undrawn := draw(out.Name(), result)
	unsaved := save(out, result, html)
	if c.JSON {
		err = experiment.WriteResult(s.out, result)
	} else {
		err = report.Text(s.out, result, textOptions(s.out))
	}
	if err != nil {
		return err
	}
	if unsaved == nil {
		kept = "the routes that were finished are in " + out.Name()
		fmt.Fprintf(s.err, "\nSaved in %s; report.html there has pictures.\n", out.Name())
		fmt.Fprintf(s.err, "\"pghold report %s OTHER\" compares it with another run.\n", out.Name())
	}
	if stage.service != nil && result.NotValid() != "" && slices.ContainsFunc(result.Routes, func(rr experiment.RouteResult) bool { return rr.Outcomes.Error > 0 }) {
		fmt.Fprintf(s.err, "Of the service, %s\n", stage.service.Printed())
	}
	incomplete := cmp.Or(unsaved, undrawn)
	if result.Interrupted {
		if incomplete != nil {
			fmt.Fprintf(s.err, "pghold: %s\n", incomplete)
		}
		if len(expected) > 0 {
			fmt.Fprintln(s.err, "The run was interrupted: nothing was checked that it was expected to be.")
		}
		return cmp.Or(broken, errInterrupted)
	}
	missed := check(s, expected, result)
	return cmp.Or(broken, incomplete, valid(result), missed)
}

// errCleanUp is the error of what could not be ended.
var errCleanUp = errors.New("cleaning up")

// targets are what is sent.
func (c *proveCmd) targets() (targets []prove.Target, err error) {
	for i, text := range c.Attack {
		t, err := prove.ParseTarget(text)
		if err != nil {
			return nil, fmt.Errorf("--attack: %w", err)
		}
		if i < len(c.Name) {
			t.Name = c.Name[i]
		}
		targets = append(targets, t)
	}
	if len(c.Name) > len(c.Attack) {
		return nil, fmt.Errorf("--name is given %d times, and --attack %d: each name is that of one --attack", len(c.Name), len(c.Attack))
	}
	if c.Targets != "" {
		more, err := prove.ReadTargets(c.Targets)
		if err != nil {
			return nil, fmt.Errorf("--targets: %w", err)
		}
		targets = append(targets, more...)
	}
	if len(targets) == 0 {
		return nil, errors.New("say what to attack: --attack 'GET http://127.0.0.1:8080/checkout/1'")
	}
	headers := http.Header{}
	for _, h := range c.Header {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, errors.New("a --header is NAME: VALUE, as 'Cookie: session=…'")
		}
		headers.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	for i := range targets {
		t := &targets[i]
		if t.Name == "" {
			t.Name = t.RouteName()
		}
		t.Name = printable.Line(t.Name)
		if t.Name == experiment.Together {
			return nil, fmt.Errorf("--name %q is the name of what all routes come to: take another", t.Name)
		}
		if of, ok := strings.CutSuffix(t.Name, experiment.Alone("")); ok && c.Together {
			return nil, fmt.Errorf("--name %q is how %s is called where it is attacked alone: take another", t.Name, of)
		}
		for name, values := range headers {
			t.Header[name] = append(t.Header[name], values...)
		}
		if host, _, _ := net.SplitHostPort(t.Address()); !t.Loopback() && !slices.Contains(c.Allow, host) {
			return nil, fmt.Errorf("%s is not this machine: --allow %s attacks it all the same", host, host)
		}
	}
	return targets, nil
}

// check looks at what does not go together, and returns the settings of the load.
func (c *proveCmd) check(targets []prove.Target) (experiment.Settings, error) {
	settings := experiment.Defaults()
	settings.Rate, settings.Duration, settings.ClientTimeout = c.Rate, c.Duration, c.Timeout
	if c.Upstream {
		settings.Slow, settings.SlowShape = c.Slow, c.SlowShape
	}
	if err := settings.Check(); err != nil {
		return settings, err
	}
	names := map[string]bool{}
	for _, t := range targets {
		names[t.Name] = true
	}
	n, each := settings.Requests(), ""
	if c.Together {
		n, each = n*len(names), fmt.Sprintf(" to each of %d routes", len(names))
	}
	switch {
	case c.Together && len(names) < 2:
		return settings, errors.New("--together is for two routes or more: add another --attack")
	case n > c.Most:
		return settings, fmt.Errorf("--rate %v for --duration %v%s are %d requests: --max-requests %[4]d lets them be sent", c.Rate, c.Duration, each, n)
	case c.Repeat < 1:
		return settings, fmt.Errorf("--repeat must be above zero, not %d", c.Repeat)
	case c.WarmUp < 0:
		return settings, fmt.Errorf("--warm-up must not be negative, not %v", c.WarmUp)
	case c.ReadyWithin <= 0:
		return settings, fmt.Errorf("--ready-within must be above zero, not %v", c.ReadyWithin)
	case len(c.Command) == 0 && c.DSN == "":
		return settings, errors.New("say what to start, behind --, as -- uvicorn app:app --port 8000; or for a service that runs already, name its database with --dsn, which is sampled")
	case len(c.Command) == 0 && (len(c.Env) > 0 || c.Ready != "" || c.Upstream || c.Setup != ""):
		return settings, errors.New("--env, --setup, --ready and --upstream are for a command that is started: add it behind --")
	case c.Setup != "" && c.DSN != "" && !c.SetupOnDSN:
		return settings, errors.New("--setup would change the database of --dsn: add --setup-on-dsn if it is an empty one that is meant for this")
	case c.SetupOnDSN && (c.Setup == "" || c.DSN == ""):
		return settings, errors.New("--setup-on-dsn goes with --setup and --dsn")
	case !c.Upstream && (c.Slow != 2*time.Second || c.SlowShape != experiment.Fixed):
		return settings, errors.New("--slow and --slow-shape are those of the slow API that --upstream starts")
	}
	slow := ""
	if c.Upstream {
		slow = "http://127.0.0.1"
	}
	if _, err := (service.Database{Host: "127.0.0.1"}).Env(c.Env, slow); err != nil {
		return settings, err
	}
	for flag, address := range map[string]string{"--ready": c.Ready, "--holds": c.Holds} {
		if address == "" {
			continue
		}
		if _, err := prove.ParseTarget(address); err != nil {
			return settings, fmt.Errorf("%s: %w", flag, err)
		}
	}
	return settings, nil
}

// toBe is a result that has the routes' names and nothing else.
func toBe(targets []prove.Target, together bool) *experiment.Result {
	r := &experiment.Result{}
	for _, t := range targets {
		r.Routes = append(r.Routes, experiment.RouteResult{Name: t.Name})
	}
	if together {
		for _, t := range targets {
			r.Routes = append(r.Routes, experiment.RouteResult{Name: experiment.Alone(t.Name)})
		}
		r.Routes = append(r.Routes, experiment.RouteResult{Name: experiment.Together})
	}
	return r
}

// describe says what was attacked.
func (c *proveCmd) describe(st *stage, targets []prove.Target) *experiment.Service {
	sv := &experiment.Service{
		Command: prove.HidePasswords(c.Command), Together: c.Together, Database: st.database, Sampled: st.tap == nil, Upstream: c.Upstream, Attacks: []experiment.Attacked{},
	}
	for _, t := range targets {
		sv.Attacks = append(sv.Attacks, t.Attacked())
	}
	flag := func(name string, values ...string) {
		for _, v := range prove.HidePasswords(values) {
			if v != "" {
				sv.Flags = append(sv.Flags, name, v)
			}
		}
	}
	flag("--name", c.Name...)
	if c.WarmUp != time.Second {
		flag("--warm-up", c.WarmUp.String())
	}
	flag("--allow", c.Allow...)
	if c.Most != 20_000 {
		flag("--max-requests", fmt.Sprint(c.Most))
	}
	flag("--setup", c.Setup)
	flag("--ready", c.Ready)
	flag("--holds", c.Holds)
	flag("--env", c.Env...)
	if c.Upstream {
		sv.Flags = append(sv.Flags, "--upstream")
	}
	return sv
}

// tryOut sends one request to each target, and says what is to come.
func (c *proveCmd) tryOut(ctx context.Context, s streams, st *stage, settings experiment.Settings, targets []prove.Target) error {
	each := c.Repeat * (settings.Requests() + int(math.Round(c.Rate*c.WarmUp.Seconds())))
	if c.Together { // and alone
		each *= 2
	}
	writes := prove.Writes(targets, each)
	for _, method := range slices.Sorted(maps.Keys(writes)) {
		fmt.Fprintf(s.err, "%s will write to %s, and call whatever the service calls.\n", words.Count(writes[method], method), st.database)
	}
	if c.Holds != "" {
		if err := prove.CheckHolds(ctx, c.Holds, nil); err != nil {
			return fmt.Errorf("--holds: %w", err)
		}
	}
	for _, t := range targets {
		a, err := prove.Check(ctx, t, c.Timeout, nil)
		if err != nil {
			if a.Status == 0 {
				err = cmp.Or(st.hasEnded(), err)
			}
			return st.explain(err)
		}
		fmt.Fprintf(s.err, "%s answers %d in %s (%s)\n", t.Name, a.Status, words.Short(a.Took), words.Count(a.Bytes, "byte"))
	}
	return nil
}

// upstream starts the slow API, where one is asked for.
func (c *proveCmd) upstream() (*upstream.Server, error) {
	if !c.Upstream {
		return nil, nil
	}
	return upstream.Start(upstream.Config{Delay: c.Slow, Shape: c.SlowShape})
}
