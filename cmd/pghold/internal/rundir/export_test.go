package rundir

import "github.com/pghold/pghold/cmd/pghold/internal/experiment"

// MedianOf is the run that stands for all.
func MedianOf(done []*experiment.RouteResult) int { return (&Runs{done: done}).Median() }
