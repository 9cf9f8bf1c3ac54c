package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

type reportCmd struct {
	Dir    string `arg:"" help:"Folder of a run, as pghold lab leaves it, or seed: the figures as they were published."`
	Other  string `arg:"" optional:"" name:"other" help:"Another: the two are set side by side."`
	Format string `default:"text" enum:"text,markdown,html,svg,json,vegeta" help:"text, markdown, html, json, svg: a picture of two routes, or of one in both results, or vegeta: each route as \"vegeta report\" prints it."`
	JSON   bool   `name:"json" help:"The same as --format json."`

	expectFlags
}

func (reportCmd) Help() string {
	return `Of two results, it says what differs in their settings, and for each route in every figure. Where the routes were run several times (pghold lab --repeat), it says how far a figure may be off, and whether a difference is more than noise.

Examples:
  pghold report pghold-results/20261123-190515
  pghold report before after                        two results side by side
  pghold report before after --format svg > both.svg   a route in both, drawn
  pghold report before seed                         with the published figures
  pghold report before --expect 'async_session_sleep_outside_session.success_ratio>=0.999'
  pghold report pghold-results/20261123-190515 --format html > report.html
  pghold report pghold-results/20261123-190515 --format vegeta
  vegeta report pghold-results/20261123-190515/async_session_sleep_inside_session.bin`
}

func (c *reportCmd) Run(s streams) error {
	if c.JSON {
		c.Format = "json"
	}
	expected, err := c.expectations()
	if err != nil {
		return err
	}
	if c.Other != "" {
		return c.compare(s)
	}
	r, err := load(c.Dir)
	if err != nil {
		return err
	}
	if err := askable(expected, func(e experiment.Expectation) error { return e.Among(r) }); err != nil {
		return err
	}
	if err := c.show(s, r); err != nil {
		return err
	}
	return check(s, expected, r)
}

func (c *reportCmd) show(s streams, r *experiment.Result) error {
	switch c.Format {
	case "text":
		return report.Text(s.out, r, textOptions(s.out))
	case "markdown":
		return report.Markdown(s.out, r)
	case "json":
		return experiment.WriteResult(s.out, r)
	case "html", "svg":
		traces, err := rundir.Traces(c.Dir, r)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the published result has no folder
			return err
		}
		if c.Format == "svg" {
			return report.Picture(s.out, r, traces)
		}
		return report.HTML(s.out, r, traces)
	case "vegeta":
		return report.Vegeta(s.out, c.Dir)
	}
	return fmt.Errorf("there is no format %q", c.Format)
}

// compare sets two results side by side.
func (c *reportCmd) compare(s streams) error {
	switch c.Format {
	case "text", "markdown", "json", "svg":
	default:
		return usage(fmt.Errorf("--format %s shows one result: two are compared as text, markdown, json or svg", c.Format))
	}
	if len(c.Expect) > 0 {
		return usage(errors.New("--expect is about one result: name one folder, not two"))
	}
	var sides [2]report.Side
	for i, name := range []string{c.Dir, c.Other} {
		r, err := load(name)
		if err != nil {
			return err
		}
		sides[i] = report.Side{Name: name, Result: r}
	}
	if err := c.showBoth(s, sides); err != nil {
		return err
	}
	var invalid error
	for i, side := range sides {
		if why := side.Result.NotValid(); why != "" && invalid == nil {
			invalid = fmt.Errorf("%s (%s) is not valid: %s", "AB"[i:i+1], side.Name, strings.TrimSuffix(why, "."))
		}
	}
	return invalid
}

func (c *reportCmd) showBoth(s streams, sides [2]report.Side) error {
	compared := report.Compare(sides[0], sides[1])
	switch c.Format {
	case "markdown":
		return compared.Markdown(s.out)
	case "json":
		return compared.JSON(s.out)
	case "svg":
		var traces [2]map[string]*experiment.Trace
		for i, side := range sides {
			var err error
			if traces[i], err = rundir.Traces(side.Name, side.Result); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return report.PictureOfBoth(s.out, sides[0], sides[1], traces[0], traces[1])
	}
	return compared.Text(s.out, textOptions(s.out))
}

// load reads the result of a folder; "seed", where there is no such folder, is the
// published one.
func load(name string) (*experiment.Result, error) {
	r, err := rundir.Load(name)
	if name == "seed" && errors.Is(err, fs.ErrNotExist) {
		return experiment.Seed(), nil
	}
	return r, err
}
