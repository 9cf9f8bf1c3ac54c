package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

type labCmd struct {
	Routes  []string `arg:"" optional:"" name:"route" help:"Routes to run; the four of the experiment where none is named."`
	Group   string   `placeholder:"NAME" help:"Run a group of routes instead: ${groups}."`
	List    bool     `help:"Describe every route and group in a line, and run nothing."`
	Out     string   `placeholder:"DIR" help:"Folder for the result, the report and each route's requests (default pghold-results/DATE-TIME)."`
	Repeat  int      `default:"1" help:"Run every route so many times, in rounds: report compares two such results and tells differences from noise."`
	Predict bool     `help:"Predict each route too, as pghold plan does, and show by how much each figure is off. What statements, connects, requests and calls cost is taken from this run's own measurement; nothing is fitted to the result."`
	Tap     bool     `help:"Let the app connect through the tap of pghold watch, and sample the server beside: so the run shows how long transactions were idle from each side."`
	Web     bool     `default:"true" negatable:"" help:"Serve a page on loopback that shows the run while it runs."`
	JSON    bool     `name:"json" help:"Print the result as JSON, and nothing else, on standard output."`

	expectFlags
	settingsFlags
	postgresFlags
}

func (labCmd) Help() string {
	return `Each route is attacked in turn, while the server's sessions are watched. The whole experiment takes about two and a half minutes, with --speed 10 about 20 seconds.

Examples:
  pghold lab                                            the experiment as it was published
  pghold lab --speed 10                                 the same, ten times as fast
  pghold lab --predict --speed 5                        what the model says of each route beside what was measured
  pghold lab --tap --speed 5                            the app's own count beside what the tap, samples and the server have
  pghold lab --list                                     what else there is
  pghold lab --group price --speed 5                    what it costs to split a transaction
  pghold lab commit_before_call autocommit_inside --pgbouncer
  pghold lab --repeat 6 --out before                    so that "pghold report before after" knows what is noise
  pghold lab --expect 'async_session_sleep_outside_session.success_ratio>=0.999'
  pghold lab async_session_sleep_inside_session --duration 30s --pool-timeout 27.5s
  pghold lab --pool pgxpool --dsn postgres://me@db.example/test`
}

func (c *labCmd) Run(ctx context.Context, s streams) (failed error) {
	settings, err := c.settings()
	if err != nil {
		return err
	}
	if c.List {
		return c.list(s)
	}
	if c.Repeat < 1 {
		return usage(fmt.Errorf("--repeat must be above zero, not %d", c.Repeat))
	}
	expected, err := c.expectations()
	if err != nil {
		return err
	}
	cases, err := c.cases(settings)
	if err != nil {
		return usage(err)
	}
	err = askable(expected, func(e experiment.Expectation) error {
		if strings.HasPrefix(e.Field, "predicted.") && !c.Predict {
			return fmt.Errorf("%s is only there with --predict", e.Field)
		}
		return e.AmongCases(cases)
	})
	if err != nil {
		return err
	}
	out, err := rundir.New(c.Out, s.log)
	if err != nil {
		return err
	}
	defer out.Discard()
	connections := mostConnections(cases)
	if c.Tap {
		connections++ // of the sampler
	}
	db, err := c.open(ctx, s, connections)
	if err != nil {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	defer func() {
		if err := db.close(); err != nil && failed == nil {
			failed = fmt.Errorf("cleaning up: %w", err)
		}
	}()

	var page *web
	if c.Web {
		page = startWeb(s, cases)
		defer page.close()
	}
	progress := newProgress(s.err, len(cases))
	result, err := lab.Run(ctx, db.Database, lab.Options{
		Settings: settings, Cases: cases, Repeat: c.Repeat, Dir: out.Name(), Progress: both(progress.show, page.show), Bouncer: db.bouncer(s), Tap: c.Tap,
	})
	progress.end()
	if err != nil && ctx.Err() != nil {
		err = errInterrupted
	}
	if result == nil {
		page.end(nil, fmt.Errorf("nothing of this run is saved: %w", err))
		return err
	}
	broken := err // the routes before it are whole
	result.Version = version()
	predicted := !c.Predict || predict(ctx, result)

	// What was measured is shown and saved, whatever becomes of the report.
	html, undrawn := draw(out.Name(), result)
	unsaved := save(out, result, html)
	page.end(html, undrawn)
	if c.JSON {
		err = experiment.WriteResult(s.out, result)
	} else {
		err = report.Text(s.out, result, textOptions(s.out))
	}
	if err != nil {
		return err
	}
	if len(result.Routes) > 0 && unsaved == nil {
		fmt.Fprintf(s.err, "\nSaved in %s; report.html there has pictures.\n", out.Name())
		fmt.Fprintf(s.err, "\"pghold report %s --format vegeta\" shows it as vegeta does.\n", out.Name())
	}
	incomplete := cmp.Or(unsaved, undrawn)
	if result.Interrupted || !predicted {
		if incomplete != nil {
			fmt.Fprintf(s.err, "pghold: %s\n", incomplete)
		}
		if len(expected) > 0 {
			fmt.Fprintln(s.err, "The run was interrupted: nothing was checked that it was expected to be.")
		}
		return cmp.Or(broken, errInterrupted)
	}
	missed := check(s, expected, result)
	return cmp.Or(incomplete, valid(result), missed)
}

// draw makes the report with pictures of what the lab has written into the folder.
func draw(dir string, r *experiment.Result) ([]byte, error) {
	var b bytes.Buffer
	traces, err := rundir.Traces(dir, r)
	if err == nil {
		err = report.HTML(&b, r, traces)
	}
	if err != nil {
		return nil, fmt.Errorf("report.html could not be drawn: %w", err)
	}
	return b.Bytes(), nil
}

// save makes the folder whole.
func save(out *rundir.Dir, r *experiment.Result, html []byte) error {
	var markdown bytes.Buffer
	if err := report.Markdown(&markdown, r); err != nil {
		return err
	}
	return out.Finish(r, markdown.Bytes(), html)
}

// cases are what is asked for: routes by name, a group, or the seed's four.
func (c *labCmd) cases(s experiment.Settings) ([]experiment.Case, error) {
	group := c.Group
	switch {
	case group != "" && len(c.Routes) > 0:
		return nil, errors.New("name either routes or a --group, not both")
	case len(c.Routes) > 0:
		routes, err := experiment.FindRoutes(c.Routes)
		return experiment.CasesOf(routes, s), err
	case group == "":
		group = "seed"
	}
	g, err := experiment.FindGroup(group)
	if err != nil {
		return nil, err
	}
	cases := g.Cases(s)
	for _, c := range cases {
		if err := c.Settings.Check(); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	return cases, nil
}

func both(a, b func(lab.Progress)) func(lab.Progress) {
	return func(p lab.Progress) {
		a(p)
		b(p)
	}
}

// mostConnections is how many connections the server must have room for.
func mostConnections(cases []experiment.Case) int {
	most := 0
	for _, c := range cases {
		most = max(most, c.Settings.ServerConnections())
	}
	return most
}

func (c *labCmd) list(s streams) error {
	for i, g := range experiment.Groups {
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		fmt.Fprintf(s.out, "%s: %s\n", g.Name, g.Summary)
		for _, r := range experiment.RoutesOf(g.Name) {
			fmt.Fprintf(s.out, "  %-38s %s\n", r.Name, r.Summary)
		}
		if len(experiment.RoutesOf(g.Name)) == 0 {
			for _, c := range g.Cases(experiment.Defaults()) {
				fmt.Fprintf(s.out, "  %s\n", c.Name)
			}
		}
	}
	return nil
}
