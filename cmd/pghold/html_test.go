package main

import (
	"strings"
	"testing"
)

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
	if status, out, err := pghold(t.Context(), "report", "seed", "--format", "svg"); status != exitFailed || out != "" || !strings.Contains(err, "there is nothing to draw") {
		t.Errorf("a picture of nothing: status %d, %s, %s", status, out, err)
	}
}
