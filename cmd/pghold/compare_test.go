package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

const holding = "async_session_sleep_inside_session"

func TestLab_Expect(t *testing.T) {
	t.Chdir(t.TempDir())
	dsn := pgtest.DSN(t)
	// Clients that wait for 30 s of the clock: no machine is so slow that one leaves.
	status, out, err := pghold(t.Context(), quick(dsn, "--json", "--out", "run", outside, "--client-timeout", "10m", "--pool-timeout", "10m",
		"--expect", outside+".success_ratio>=0.999", "--expect", outside+".outcomes.ok>50", "--expect", outside+".latency_s.p50<0.001")...)
	if status != exitFound {
		t.Fatalf("status %d, want %d: %s", status, exitFound, err)
	}
	if !json.Valid([]byte(out)) {
		t.Errorf("standard output is not one JSON document: %s", out)
	}
	if strings.Count(err, "missed: ") != 2 ||
		!strings.Contains(err, "pghold: missed: want "+outside+".outcomes.ok > 50, got 50\n") ||
		!strings.Contains(err, "pghold: missed: want "+outside+".latency_s.p50 < 0.001, got ") {
		t.Errorf("got %s", err)
	}
	// The same of the folder, with and without a miss.
	for expect, want := range map[string]int{"outcomes.ok==50": exitDone, "outcomes.ok==49": exitFound} {
		for _, format := range []string{"text", "vegeta"} {
			status, out, err := pghold(t.Context(), "report", "run", "--format", format, "--expect", outside+"."+expect)
			if status != want || out == "" || strings.Contains(err, "missed") != (want == exitFound) {
				t.Errorf("%s, %s: status %d, want %d: %s", expect, format, status, want, err)
			}
		}
	}
	if status, out, err := pghold(t.Context(), "report", "run", "--expect", holding+".outcomes.ok==50"); status != exitUsage || out != "" || !strings.Contains(err, outside) {
		t.Errorf("a route that is not in the folder: status %d, %q, %s", status, out, err)
	}
}

func TestLab_RepeatAndCompare(t *testing.T) {
	t.Chdir(t.TempDir())
	dsn := pgtest.DSN(t)
	for _, run := range [][]string{{"a", "--repeat", "4"}, {"b", "--repeat", "4", "--slow", "20s"}, {"c"}} {
		status, out, err := pghold(t.Context(), quick(dsn, append([]string{"--no-web", outside, holding, "--rate", "10", "--out"}, run...)...)...)
		if status != exitDone {
			t.Fatalf("%q: status %d: %s", run, status, err)
		}
		if repeated := len(run) > 1; repeated != strings.Contains(err, "2/2 "+holding+" (4 of 4): ") || repeated != strings.Contains(out, "How far the runs were apart") {
			t.Errorf("%q printed\n%s%s", run, err, out)
		}
	}
	var names [2][]string
	for i, dir := range []string{"a", "c"} {
		for _, f := range files(t, dir) {
			names[i] = append(names[i], strings.TrimPrefix(f, dir))
		}
	}
	if !slices.Equal(names[0], names[1]) {
		t.Errorf("a repeated run has the files %q, a single one %q", names[0], names[1])
	}
	// The files are those of the run that is shown: vegeta's figures agree.
	var r experiment.Result
	b, err := os.ReadFile(filepath.Join("a", "result.json"))
	if err != nil || json.Unmarshal(b, &r) != nil || r.Repeat != 4 || len(r.Routes[0].Repeats) != 4 {
		t.Fatalf("%v: %s", err, b)
	}

	status, out, stderr := pghold(t.Context(), "report", "a", "b")
	if status != exitDone || stderr != "" {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{"A: a · Measured", "slow call 2 s → slow call 20 s", "need >= 6 samples for confidence interval"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	for l := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(l, "latency: p50") && !strings.HasSuffix(l, " no") {
			t.Errorf("ten times the slow call does not show: %s", l)
		}
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{`"kind": "comparison"`, []string{"a", "b", "--json"}},
		{"| figure | A: median |", []string{"a", "b", "--format", "markdown"}},
		{"need >= 4 samples to detect a difference", []string{"a", "c"}},
		{"one run of each", []string{"c", "c"}},
		{"B: seed · Published", []string{"c", "seed"}},
	} {
		if status, out, err := pghold(t.Context(), append([]string{"report"}, c.args...)...); status != exitDone || !strings.Contains(out, c.want) {
			t.Errorf("%q: status %d, %s\n%s\nwant %q", c.args, status, err, out, c.want)
		}
	}
	if status, _, err := pghold(t.Context(), "report", "a", "nowhere"); status != exitFailed || !strings.Contains(err, "no folder") {
		t.Errorf("status %d: %s", status, err)
	}
}

func TestLab_RepeatInterruptedShowsWhatThereIs(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var out output
	progress := &trigger{on: outside + " (2 of 3): ", do: cancel}
	status := run(ctx, quick(pgtest.DSN(t), "--json", "--repeat", "3", "--out", "run", outside, holding, "--expect", outside+".success_ratio>2"), streams{&out, progress})
	if status != exitInterrupted || !strings.Contains(progress.String(), "nothing was checked") {
		t.Fatalf("status %d, want %d: %s", status, exitInterrupted, progress.String())
	}
	r, err := experiment.ReadResult([]byte(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Interrupted || r.Repeat != 3 || len(r.Routes) != 2 || len(r.Routes[0].Repeats) != 2 || r.Routes[1].Repeats != nil {
		t.Errorf("got %+v", r)
	}
	warnings := strings.Join(r.Warnings, "\n")
	for _, want := range []string{outside + " was run 2 times instead of 3 times.", holding + " was run once instead of 3 times."} {
		if !strings.Contains(warnings, want) {
			t.Errorf("%q is missing in %s", want, warnings)
		}
	}
	for _, f := range files(t, "run") {
		if strings.HasPrefix(filepath.Base(f), ".") {
			t.Errorf("%s was left behind", f)
		}
	}
}
