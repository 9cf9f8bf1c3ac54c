package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain is pghold check too, where a test asks this program to be it: it prints
// the result that lies in the folder, or does what the file says instead.
func TestMain(m *testing.M) {
	if os.Getenv("HOLDSCORE_TEST_CHECK") == "" {
		os.Exit(m.Run())
	}
	if got := strings.Join(os.Args[1:], " "); got != "check --json ./..." {
		fmt.Fprintln(os.Stderr, "called with", got)
		os.Exit(2)
	}
	b, err := os.ReadFile("check.json")
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "go: it is broken")
		os.Exit(1)
	case len(b) == 0:
		time.Sleep(time.Minute) // it is stopped before
	}
	os.Stdout.Write(b)
	os.Exit(3) // as the check does when it finds something
}

// score1 runs the command and returns its exit status and what it printed.
func score1(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e strings.Builder
	status = run(t.Context(), args, &o, &e)
	return status, o.String(), e.String()
}

func TestRun_savedResults(t *testing.T) {
	status, out, errs := score1(t, "--places", "testdata/places.tsv", "--results", "testdata/results")
	if status != exitDone {
		t.Errorf("got status %d, want %d; %s", status, exitDone, errs)
	}
	fields := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	out = fields(out)
	for _, want := range []string{
		"acme/shop: 3 findings, 1 compiler errors, 0 things not read",
		"found high api/order.go:20 hold+call, slow call the receipt",
		"MISSED api/order.go:30",
		"MISSED api/bus.go:9 framework",
		"REPORTED low api/order.go:40 after-tx",
		"near miss api/quote.go:12",
		"found medium server/grind.go:4",
		"TRUE PLACES all: 4 without framework: 3",
		"found at high 1 (25 %) 1 (33 %)",
		"found at medium or high 2 (50 %) 2 (67 %)",
		"found with the row's slow call 2 (50 %)",
		"NEAR MISSES all: 2",
		"reported at high or medium 0",
		"reported at low 1",
		"acme/shop 0 1 0",
		"sum 0 1 0",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in it", want)
		}
	}
	if strings.Contains(out, "UNLABELLED") {
		t.Error("findings are listed without --unlabelled")
	}
	if t.Failed() {
		t.Log(out)
	}

	_, out, _ = score1(t, "--places", "testdata/places.tsv", "--results", "testdata/results", "--unlabelled", "--only", "acme/shop")
	if !strings.Contains(out, "UNLABELLED medium broker") || !strings.Contains(out, "held from api/audit.go:3") {
		t.Errorf("--unlabelled does not list the finding:\n%s", out)
	}
	if strings.Contains(out, "acme/mill") {
		t.Errorf("--only does not leave out the other repository:\n%s", out)
	}
}

func TestRun_statusOfANearMiss(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "places.tsv", head+"TN\tacme/shop\ta\tx.go\t1\t9\t\n")
	write(t, dir, "acme+shop.json", `{"findings": [{"severity": "medium", "hold": {"file": "x.go", "line": 1}, "chain": [{"file": "x.go", "line": 9}]}]}`)
	status, _, _ := score1(t, "--places", filepath.Join(dir, "places.tsv"), "--results", dir)
	if status != exitFound {
		t.Errorf("got status %d, want %d", status, exitFound)
	}
}

func TestRun_checks(t *testing.T) {
	t.Setenv("HOLDSCORE_TEST_CHECK", "yes")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	checkouts, saved := t.TempDir(), t.TempDir()
	write(t, checkouts, "places.tsv", head+
		"TP\tacme/shop\ta\tx.go\t1\t2\t\n"+
		"TP\tacme/shop\ta\tbackend/api/y.go\t3\t4\t\n"+
		"TP\tacme/broken\tb\tx.go\t1\t2\t\n"+
		"TP\tacme/gone\td\tx.go\t1\t2\t\n")
	write(t, checkouts, "acme+shop/go.mod", "")
	write(t, checkouts, "acme+shop/x.go", "")
	write(t, checkouts, "acme+shop/check.json",
		`{"findings": [{"id": "x", "severity": "high", "hold": {"file": "x.go", "line": 1}, "chain": [{"file": "x.go", "line": 2}]}]}`)
	write(t, checkouts, "acme+shop/backend/go.mod", "")
	write(t, checkouts, "acme+shop/backend/api/y.go", "")
	write(t, checkouts, "acme+shop/backend/check.json",
		`{"findings": [{"id": "y", "severity": "low", "hold": {"file": "api/y.go", "line": 3}, "chain": [{"file": "api/y.go", "line": 4}],
			"also": [{"slow": {"file": "../x.go", "line": 8}}]}]}`)
	write(t, checkouts, "acme+broken/go.mod", "")
	write(t, checkouts, "acme+broken/x.go", "")

	list := filepath.Join(checkouts, "places.tsv")
	status, out, errs := score1(t, "--places", list, "--checkouts", checkouts, "--pghold", self, "--save", saved, "--json")
	if status != exitFailed {
		t.Errorf("got status %d, want %d, for two do not work; %s", status, exitFailed, errs)
	}
	var s Score
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	if s.Failed != 2 || s.All.Places != 4 || s.All.Any != 2 {
		t.Errorf("got %d failed and %+v, want 2 failed and 2 of 4 found", s.Failed, s.All)
	}
	for i, want := range []string{"", "go: it is broken", "no such file"} {
		if got := s.Repos[i].Failed; (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got failed %q, want %q", s.Repos[i].Name, got, want)
		}
	}

	b, err := os.ReadFile(filepath.Join(saved, "acme+shop.json"))
	if err != nil || !strings.Contains(string(b), `"backend/api/y.go"`) || !strings.Contains(string(b), `"x.go"`) {
		t.Errorf("the saved result does not have files relative to the repository: %v\n%s", err, b)
	}
	if files, _ := os.ReadDir(saved); len(files) != 1 {
		t.Errorf("%d results are saved, want the one that is whole", len(files))
	}
	_, out, _ = score1(t, "--places", list, "--results", saved, "--only", "acme/shop", "--json")
	if err := json.Unmarshal([]byte(out), &s); err != nil || s.All.Any != 2 {
		t.Errorf("from what was saved: got %+v, %v, want 2 found", s.All, err)
	}
}

func TestRun_stopsACheck(t *testing.T) {
	t.Setenv("HOLDSCORE_TEST_CHECK", "yes")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	checkouts := t.TempDir()
	write(t, checkouts, "places.tsv", head+"TP\tacme/slow\tc\tx.go\t1\t2\t\n")
	write(t, checkouts, "acme+slow/go.mod", "")
	write(t, checkouts, "acme+slow/x.go", "")
	write(t, checkouts, "acme+slow/check.json", "")
	status, out, errs := score1(t, "--places", filepath.Join(checkouts, "places.tsv"), "--checkouts", checkouts, "--pghold", self, "--timeout", "100ms", "--json")
	var s Score
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v; %s", err, errs)
	}
	if got := s.Repos[0].Failed; status != exitFailed || !strings.Contains(got, "stopped after") {
		t.Errorf("got status %d and failed %q, want %d, stopped", status, got, exitFailed)
	}
}

func TestRun_usage(t *testing.T) {
	for name, args := range map[string][]string{
		"no list":       {"--results", "x"},
		"no results":    {"--places", "x"},
		"both":          {"--places", "x", "--results", "x", "--checkouts", "x"},
		"save and read": {"--places", "x", "--results", "x", "--save", "x"},
		"a word":        {"--places", "x", "--results", "x", "./..."},
		"another flag":  {"--place", "x"},
	} {
		if status, _, errs := score1(t, args...); status != exitUsage || errs == "" {
			t.Errorf("%s: got status %d and %q, want %d and why", name, status, errs, exitUsage)
		}
	}
	if status, _, errs := score1(t, "--help"); status != exitDone || !strings.Contains(errs, "--checkouts DIR") {
		t.Errorf("--help: got status %d and %q", status, errs)
	}
	if status, _, errs := score1(t, "--places", "testdata/places.tsv", "--results", "testdata/results", "--only", "acme/none"); status != exitFailed || !strings.Contains(errs, "acme/none") {
		t.Errorf("a repository that is not in the list: got status %d and %q", status, errs)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
