package main

import (
	"context"
	"fmt"
	"math"
	"os"

	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/lab"
	"github.com/pghold/pghold/plan"
)

// enough is the share of the figures that a validation must hit.
const enough = 0.92

// validate compares predictions with the lab's own measurements, of cases drawn at
// random. What a statement, a connect and a request cost on this machine is measured
// before, with a load that nobody has to wait in, once for each pool.
func validate(ctx context.Context, s streams, pg postgresFlags, n int, seed uint64, speed float64) error {
	cases, err := plan.Draw(n, seed, speed)
	if err != nil {
		return err
	}
	calibrations := calibrationCases(speed)
	all := append(calibrations, cases...)
	db, err := pg.open(ctx, s, mostConnections(all))
	if err != nil {
		return err
	}
	defer db.close()
	dir, err := os.MkdirTemp("", "pghold-validate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	progress := newProgress(s.err, len(all))
	result, err := lab.Run(ctx, db.Database, lab.Options{Settings: calibrations[0].Settings, Cases: all, Dir: dir, Progress: progress.show})
	progress.end()
	if err != nil {
		return err
	}
	if result.Interrupted {
		return errInterrupted
	}

	overheads := map[string]plan.Overheads{}
	for i, c := range calibrations {
		one := &experiment.Result{Kind: experiment.Measured, Settings: c.Settings, Routes: result.Routes[i : i+1]}
		overheads[c.Settings.Pool] = plan.Calibrate(one)
	}
	hits, figures, unexplained := 0, 0, 0
	for i, c := range cases {
		measured := result.Routes[len(calibrations)+i]
		checks, err := plan.Checks(c, &measured, plan.Model{Overheads: overheads[c.Settings.Pool], Seed: seed})
		if err != nil {
			return err
		}
		fmt.Fprintln(s.out, describe(c))
		for _, k := range checks {
			figures++
			mark := "  "
			if k.Missed() {
				mark = "✗ "
				if k.Cause == "" {
					unexplained++
				}
			} else {
				hits++
			}
			fmt.Fprintf(s.out, "  %s%-10s predicted %9.4g  measured %9.4g  error %+6.1f %%", mark, k.Figure, k.Predicted, k.Measured, 100*k.Error)
			if k.Missed() {
				if k.Cause == "" {
					k.Cause = "not known"
				}
				fmt.Fprintf(s.out, "  cause: %s", k.Cause)
			}
			fmt.Fprintln(s.out)
		}
	}
	share := float64(hits) / float64(figures)
	fmt.Fprintf(s.out, "\n%d of %d figures (%.1f %%) are within 3 %% (throughput, success) or 5 %% (p50, p99); of the %d that are not, %d have no known cause. Seed %d, speed %v.\n",
		hits, figures, math.Floor(1000*share)/10, figures-hits, unexplained, seed, speed)
	for _, pool := range experiment.Pools {
		o := overheads[pool]
		fmt.Fprintf(s.out, "On this machine, in the experiment's time, with %s: a round trip to the database %v, a connect %v, a request %v, a slow call %v too long.\n",
			pool, o.Statement, o.Connect, o.Request, o.Call)
	}
	if share < enough {
		return fmt.Errorf("that is less than the %.0f %% that a prediction should reach", 100*enough)
	}
	return nil
}

// calibrationCases are one for each pool, in which nobody has to wait.
func calibrationCases(speed float64) []experiment.Case {
	s := experiment.Defaults()
	s.Speed, s.Rate = speed, 20
	var cases []experiment.Case
	for _, pool := range experiment.Pools {
		s.Pool = pool
		cases = append(cases, experiment.Case{Name: "calibration@" + pool, Route: experiment.RoutesOf("seed")[2], Settings: s})
	}
	return cases
}

func describe(c experiment.Case) string {
	s := c.Settings
	return fmt.Sprintf("%s: %v/s for %v, slow %v, %s of %d + %d, pool timeout %v, client timeout %v, %d threads",
		c.Name, s.Rate, s.Duration, s.Slow, s.Pool, s.PoolSize, s.MaxOverflow, s.PoolTimeout, s.ClientTimeout, s.Threads)
}
