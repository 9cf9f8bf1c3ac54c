package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold/internal/pg/pgtest"
)

// A report that cannot be drawn costs nothing of what was measured, and a run with
// --no-web serves no page.
func TestLab_AReportThatCannotBeDrawn(t *testing.T) {
	t.Chdir(t.TempDir())
	var out output
	stderr := &trigger{on: "1/1 ", do: func() {
		written, err := filepath.Glob("run/*.checkouts.csv")
		if err != nil || len(written) != 1 || os.WriteFile(written[0], []byte("hello"), 0o666) != nil {
			t.Errorf("the checkouts are in %q (%v)", written, err)
		}
	}}
	status := run(t.Context(), quick(pgtest.DSN(t), "--no-web", "--out", "run", outside), streams{&out, stderr})
	if status != exitFailed || !strings.Contains(stderr.String(), "pghold: report.html could not be drawn: ") || !strings.Contains(out.String(), outside) {
		t.Errorf("status %d, %q, %q; want 1, the table, and what could not be drawn", status, out.String(), stderr.String())
	}
	if strings.Contains(stderr.String(), "Watch it at") {
		t.Errorf("a page is served in spite of --no-web: %s", stderr.String())
	}
	kept := files(t, "run")
	for file, want := range map[string]bool{"run/result.json": true, "run/report.md": true, "run/report.html": false} {
		if slices.Contains(kept, file) != want {
			t.Errorf("%s is kept: %v, want %v", file, !want, want)
		}
	}
}
