package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/plan"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// validate compares predictions with the lab's own measurements: of cases drawn at
// random, or of those that are named.
func (c *planCmd) validate(ctx context.Context, s streams) error {
	settings, err := c.settings()
	if err != nil {
		return err
	}
	if settings.Speed == 1 {
		settings.Speed = 5
	}
	validation, repeat, err := c.validation(settings)
	if err != nil {
		return usage(err)
	}
	db, err := c.open(ctx, s, mostConnections(validation.Cases))
	if err != nil {
		return err
	}
	defer db.close()
	out, err := rundir.NewLike(filepath.Join(os.TempDir(), "pghold-validate"), s.log)
	if err != nil {
		return err
	}
	defer out.Discard()
	progress := newProgress(s.err, len(validation.Cases))
	result, err := lab.Run(ctx, db.Database, lab.Options{
		Settings: settings, Cases: validation.Cases, Repeat: repeat, Dir: out.Name(), Progress: progress.show, Bouncer: db.bouncer(s),
	})
	progress.end()
	if err != nil {
		return err
	}
	if result.Interrupted {
		return errInterrupted
	}
	if err := valid(result); err != nil {
		return err
	}
	v, err := validation.Compare(result)
	if err != nil {
		return err
	}
	showValidated(s.out, v)
	fmt.Fprintf(s.out, "Seed %d, speed %v.\n", c.Seed, settings.Speed)
	if share := v.Share(); share < plan.Enough {
		return fmt.Errorf("that is less than the %.0f %% that predictions should hit", 100*plan.Enough)
	}
	return nil
}

// validation is what is to be measured, and how many times.
func (c *planCmd) validation(s experiment.Settings) (*plan.Validation, int, error) {
	if c.Group == "" && len(c.Routes) == 0 {
		v, err := plan.NewValidation(c.Validate, c.Seed, s.Speed)
		return v, 1, err
	}
	cases, err := c.cases(s)
	return plan.ValidationOf(cases, c.Seed), c.Validate, err
}

func showValidated(out io.Writer, v *plan.Validated) {
	for _, c := range v.Cases {
		fmt.Fprintln(out, describe(c.Case))
		for _, k := range c.Checks {
			mark, cause := "  ", ""
			switch {
			case k.Uncounted:
				mark = "· "
			case k.Missed():
				mark, cause = "✗ ", k.Cause
				if cause == "" {
					cause = "not known"
				}
				cause = "  cause: " + cause
			}
			fmt.Fprintf(out, "  %s%-10s predicted %9.4g  measured %9.4g  error %+6.1f %%%s\n", mark, k.Figure, k.Predicted, k.Measured, 100*k.Error, cause)
		}
	}
	fmt.Fprintf(out, "\n%d of %d figures (%.1f %%) are as near as they should be; of the %d that are not, %d have no known cause.\n",
		v.Hits, v.Figures, math.Floor(1000*v.Share())/10, v.Figures-v.Hits, v.Unexplained)
	for _, pool := range slices.Sorted(maps.Keys(v.Overheads)) {
		o, with := v.Overheads[pool], ""
		if pool != "" {
			with = ", with " + pool
		}
		fmt.Fprintf(out, "On this machine, in the experiment's time, medians of what was measured%s: a round trip to the database %v, a connect %v, a request %v, a slow call %v too long (%v to %v), a connection %v on its way to who waits for it, a request sent %v late (up to %v).\n",
			with, o.Statement, o.Connect, o.Request, o.Call, o.Call+o.CallJitter.Min, o.Call+o.CallJitter.P95, o.Handover, o.Late.P50, o.Late.P95)
	}
	if len(v.Busy) > 0 {
		fmt.Fprintf(out, "The machine was busy with something else, and this says little about the model: %s. Run it again with nothing else running, or with a lower --speed.\n",
			strings.Join(v.Busy, "; "))
	}
}

func describe(c experiment.Case) string {
	s := c.Settings
	text := fmt.Sprintf("%s: %v/s for %v, slow %v, %s of %d + %d, pool timeout %v, client timeout %v",
		c.Name, s.Rate, s.Duration, s.Slow, s.Pool, s.PoolSize, s.MaxOverflow, s.PoolTimeout, s.ClientTimeout)
	if c.Route.Sync {
		text += fmt.Sprintf(", %d threads", s.Threads)
	}
	if s.PgBouncer > 0 {
		text += fmt.Sprintf(", %d server connections of PgBouncer", s.PgBouncer)
	}
	return text
}
