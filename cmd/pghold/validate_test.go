package main

import (
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/plan"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// What a machine measures beside what is predicted of it; whether these agree hangs on
// what else it does.
func TestPlan_ValidatesNamedRoutes(t *testing.T) {
	status, out, stderr := pghold(t.Context(), "plan", "--validate", "1", "autocommit_local", inside, "--dsn", pgtest.DSN(t),
		"--rate", "20", "--duration", "1s", "--slow", "200ms", "--client-timeout", "5s")
	if status != exitDone && !(status == exitFailed && strings.Contains(stderr, "less than the 92 %")) {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{"autocommit_local: 20/s for 1s, slow 200ms", inside + ": ", "predicted", "measured", "of 4 figures", "On this machine, in the experiment's time, medians of what was measured: a round trip", "Seed 0, speed 5."} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
}

func TestShowValidated(t *testing.T) {
	var out strings.Builder
	showValidated(&out, &plan.Validated{
		Figures: 8, Hits: 5, Unexplained: 1,
		Cases: []plan.Compared{{Checks: []plan.Check{
			{Figure: "throughput", Predicted: 2, Measured: 1, Error: 1, Tolerance: 0.03, Cause: "it is chance"},
			{Figure: "success", Predicted: 2, Measured: 1, Error: 1, Tolerance: 0.03},
			{Figure: "p50", Error: 0.01, Tolerance: 0.05},
			{Figure: "p99", Error: 7, Tolerance: 0.05, Uncounted: true},
		}}},
		Overheads: map[string]plan.Overheads{"sql": {}},
		Busy:      []string{"one sign", "another"},
	})
	for _, want := range []string{
		"✗ throughput", "error +100.0 %  cause: it is chance\n", "cause: not known\n", "    p50", "· p99", "+700.0 %\n",
		"5 of 8 figures (62.5 %)", "of the 3 that are not, 1 have no known cause", "with sql:",
		"The machine was busy with something else, and this says little about the model: one sign; another. Run it again",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, out.String())
		}
	}
}
