package main

import (
	"context"
	"fmt"

	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/lab"
	"github.com/pghold/pghold/report"
)

type labCmd struct {
	Routes []string `arg:"" optional:"" name:"route" help:"Routes to run; all four of the experiment where none is named."`
	Out    string   `placeholder:"DIR" help:"Folder for the result, the report and each route's requests (default pghold-results/DATE-TIME)."`
	JSON   bool     `name:"json" help:"Print the result as JSON, and nothing else, on standard output."`

	settingsFlags
	postgresFlags
}

func (labCmd) Help() string {
	return `Each route is attacked in turn, while the server's sessions are watched. The whole experiment takes about two and a half minutes, with --speed 10 about 20 seconds.

Examples:
  pghold lab                                            the experiment as it was published
  pghold lab --speed 10                                 the same, ten times as fast
  pghold lab async_session_sleep_inside_session --duration 30s --pool-timeout 27.5s
  pghold lab --pool pgxpool --dsn postgres://me@db.example/test`
}

func (c *labCmd) Run(ctx context.Context, s streams) (failed error) {
	settings, err := c.settings()
	if err != nil {
		return err
	}
	routes, err := experiment.FindRoutes(c.Routes)
	if err != nil {
		return usage(err)
	}
	out, err := newFolder(c.Out)
	if err != nil {
		return err
	}
	defer out.discard()
	db, err := c.open(ctx, s, settings)
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

	progress := newProgress(s.err, len(routes))
	result, err := lab.Run(ctx, db.Database, lab.Options{
		Settings: settings, Routes: routes, Dir: out.staging, Progress: progress.show,
	})
	progress.end()
	if err != nil {
		return err
	}
	result.Version = version()

	if len(result.Routes) > 0 {
		if err := out.finish(result); err != nil {
			return fmt.Errorf("the result could not be saved: %w", err)
		}
	}
	if c.JSON {
		err = report.JSON(s.out, result)
	} else {
		err = report.Text(s.out, result, textOptions(s.out))
	}
	if err != nil {
		return err
	}
	if len(result.Routes) > 0 {
		fmt.Fprintf(s.err, "\nSaved in %s; \"pghold report %[1]s --format vegeta\" shows it as vegeta does.\n", out.name)
	}
	if result.Interrupted {
		return errInterrupted
	}
	return nil
}
