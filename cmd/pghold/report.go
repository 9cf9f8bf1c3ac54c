package main

import (
	"fmt"

	"github.com/pghold/pghold/report"
)

type reportCmd struct {
	Dir    string `arg:"" help:"Folder of a run, as pghold lab leaves it."`
	Format string `default:"text" enum:"text,markdown,json,vegeta" help:"text, markdown, json, or vegeta: each route as \"vegeta report\" prints it."`
	JSON   bool   `name:"json" help:"The same as --format json."`
}

func (reportCmd) Help() string {
	return `Examples:
  pghold report pghold-results/20261123-190515
  pghold report pghold-results/20261123-190515 --format vegeta
  vegeta report pghold-results/20261123-190515/async_session_sleep_inside_session.bin`
}

func (c *reportCmd) Run(s streams) error {
	if c.JSON {
		c.Format = "json"
	}
	if c.Format == "vegeta" {
		return report.Vegeta(s.out, c.Dir)
	}
	r, err := report.Load(c.Dir)
	if err != nil {
		return err
	}
	switch c.Format {
	case "text":
		return report.Text(s.out, r, textOptions(s.out))
	case "markdown":
		return report.Markdown(s.out, r)
	case "json":
		return report.JSON(s.out, r)
	}
	return fmt.Errorf("there is no format %q", c.Format)
}
