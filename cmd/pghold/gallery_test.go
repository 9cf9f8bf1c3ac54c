package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// What the gallery's page quotes is what its results say.
func TestGallery_QuotesItsResults(t *testing.T) {
	page, err := os.ReadFile("../../docs/gallery/README.md")
	if err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob("../../docs/gallery/*/result.json")
	if err != nil || len(folders) != 5 {
		t.Fatalf("there are the results %q (%v), want five", folders, err)
	}
	said := map[string]bool{}
	for _, f := range folders {
		r, err := rundir.Load(filepath.Dir(f))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Conclusions {
			said[strings.Join(c.Cases, ", ")+": "+c.Sentence] = true
		}
		if r.Kind != experiment.Measured || r.NotValid() != "" {
			t.Errorf("%s: %s, not valid: %q", f, r.Kind, r.NotValid())
		}
	}
	quotes := 0
	for line := range strings.Lines(string(page)) {
		quote, ok := strings.CutPrefix(strings.TrimSpace(line), "> ")
		if !ok {
			continue
		}
		if quotes++; !said[quote] {
			t.Errorf("no result says %q", quote)
		}
	}
	if quotes != 5 {
		t.Errorf("the page has %d quotes, want five", quotes)
	}
}

// A case that is not there is told of before anything is built.
func TestGallery_NamesItsCases(t *testing.T) {
	run, err := filepath.Abs("../../docs/gallery/run")
	if err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob("../../docs/gallery/*/result.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "no-such-case"} {
		cmd := exec.CommandContext(t.Context(), "bash", run, name)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exitUsage || strings.Count(string(out), "\n") != 1 || name != "" && !strings.Contains(string(out), "there is no "+name) {
			t.Errorf("%q: %v, %s", name, err, out)
		}
		for _, f := range folders {
			if of := filepath.Base(filepath.Dir(f)); !strings.Contains(string(out), of) {
				t.Errorf("%q: it does not name %s: %s", name, of, out)
			}
		}
	}
}
