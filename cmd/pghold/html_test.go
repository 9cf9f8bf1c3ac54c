package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// A comparison with what is not valid is shown, and fails.
func TestReport_OfWhatIsNotValid(t *testing.T) {
	seed := *experiment.Seed()
	r := &seed
	r.Routes = slices.Clone(r.Routes)
	r.Routes[1].NotValid = "Nobody came."
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, rundir.ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(experiment.WriteResult(f, r), f.Close()); err != nil {
		t.Fatal(err)
	}
	for side, args := range map[string][]string{"A": {dir, "seed"}, "B": {"seed", dir}} {
		status, out, stderr := pghold(t.Context(), append([]string{"report"}, args...)...)
		if want := "pghold: " + side + " (" + dir + ") is not valid: " + r.Routes[1].Name + ": Nobody came\n"; status != exitFailed || stderr != want || !strings.Contains(out, "(NOT VALID)") {
			t.Errorf("status %d, %q, want %q:\n%s", status, stderr, want, out)
		}
	}
	if status, _, stderr := pghold(t.Context(), "report", "seed", "seed"); status != exitDone || stderr != "" {
		t.Errorf("what is valid: status %d, %s", status, stderr)
	}
}

func TestReport_Pages(t *testing.T) {
	for _, c := range []struct{ dir, format, begins, has string }{
		{"../../docs/results/seed", "html", "<!doctype html>", "Connections over time"},
		{"../../docs/results/seed", "svg", "<svg xmlns=", "prefers-color-scheme:dark"},
		{"../../docs/results/seed.json", "html", "<!doctype html>", "There is no trace of this route"},
		{"seed", "html", "<!doctype html>", "There is no trace of this route"},
	} {
		status, out, err := pghold(t.Context(), "report", c.dir, "--format", c.format)
		if status != exitDone || !strings.HasPrefix(out, c.begins) || !strings.Contains(out, c.has) || err != "" {
			t.Errorf("%s as %s: status %d, %.200s, %s", c.dir, c.format, status, out, err)
		}
	}
	const seed = "../../docs/results/seed"
	if status, out, err := pghold(t.Context(), "report", seed, seed, "--format", "svg"); status != exitDone || strings.Count(out, seed+": ") < 2 || !strings.HasPrefix(out, "<svg xmlns=") || err != "" {
		t.Errorf("a picture of two results: status %d, %.200s, %s", status, out, err)
	}
	if status, out, err := pghold(t.Context(), "report", seed, seed, "--format", "html"); status != exitUsage || out != "" || !strings.Contains(err, "compared as text, markdown, json or svg") {
		t.Errorf("a page of two results: status %d, %.200s, %s", status, out, err)
	}
	if status, out, err := pghold(t.Context(), "report", "seed", "--format", "svg"); status != exitFailed || out != "" || !strings.Contains(err, "there is nothing to draw") {
		t.Errorf("a picture of nothing: status %d, %s, %s", status, out, err)
	}
}
