package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	holds "github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/httphold"
)

// What the documentation and the help ask a service for, httphold's handler answers,
// mounted as the documentation has it; and what they save as JSON, the verbs read.
func TestDocumentation_AsksTheHandlerForWhatItServes(t *testing.T) {
	texts := map[string]string{}
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../../README.md") {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(b)
	}
	for _, verb := range []string{"lab", "plan", "check", "report", "serve"} {
		_, out, _ := pghold(t.Context(), verb, "--help")
		texts["pghold "+verb+" --help"] = out
	}

	mux := http.NewServeMux()
	mux.Handle("GET /debug/holds", httphold.Handler(holds.NewRecorder(holds.Config{})))
	fetched := regexp.MustCompile(`curl\b[^\n]*?[a-z0-9.]:\d+(/debug/[^\s']*)'?([^\n]*)`)
	seen := 0
	for where, text := range texts {
		for _, m := range fetched.FindAllStringSubmatch(text, -1) {
			seen++
			path, rest := m[1], m[2]
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if w.Code != http.StatusOK {
				t.Errorf("%s: %q is answered %d", where, m[0], w.Code)
				continue
			}
			if !strings.Contains(rest, ".json") {
				continue
			}
			if _, err := holds.ReadSnapshot(w.Body.Bytes()); err != nil {
				t.Errorf("%s: %q saves what cannot be read: %v", where, m[0], err)
			}
		}
	}
	if seen < 2 {
		t.Errorf("%d URLs are documented; the pattern no longer finds them", seen)
	}
}

// What the README says of a pool timeout below the client's is what was measured.
func TestReadme_SaysOfThePoolTimeoutWhatWasMeasured(t *testing.T) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	measured := readResult(t, "../../docs/results/guards.json")
	for variant, command := range map[string]string{
		"none_lasting":                      "pghold lab async_session_sleep_inside_session --duration 30s",
		"pool_timeout_below_client_lasting": "--pool-timeout 27.5s",
	} {
		r := measured.Route("async_session_sleep_inside_session@" + variant)
		if r == nil {
			t.Fatalf("%s was not measured", variant)
		}
		if want := fmt.Sprintf("%d of %d", r.Outcomes.OK, r.Requests); !strings.Contains(string(b), want) || !strings.Contains(string(b), command) {
			t.Errorf("the README does not say %q, or not of %q", want, command)
		}
	}
}

// The figures that prove's help and its page name for --expect are those of a service's result.
func TestDocumentation_NamesFiguresForExpect(t *testing.T) {
	_, help, _ := pghold(t.Context(), "prove", "--help")
	page, err := os.ReadFile("../../docs/prove.md")
	if err != nil {
		t.Fatal(err)
	}
	measured := readResult(t, "../../docs/gallery/node/result.json")
	route := measured.Routes[0].Name
	_, listed, _ := strings.Cut(help, "Figures for --expect: ")
	listed, _, _ = strings.Cut(strings.Join(strings.Fields(listed), " "), ". docs/prove.md")
	names := strings.Split(listed, ", ")
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) == 4 {
			for _, m := range regexp.MustCompile("`([a-z0-9_]+(?:\\.[a-z0-9_]+)*)`").FindAllStringSubmatch(cells[1], -1) {
				names = append(names, m[1])
			}
		}
	}
	if len(names) < 25 {
		t.Errorf("only %q are named", names)
	}
	for _, name := range names {
		e, err := experiment.ParseExpectation(route + "." + name + ">=0")
		if err != nil {
			t.Error(err)
			continue
		}
		if met, got := e.Check(measured); !met {
			t.Errorf("a service's route has no %s: %s", name, got)
		}
	}
}

// Examples are not wrapped: they are made for a terminal of 80 columns.
func TestHelp_ProveIn80Columns(t *testing.T) {
	_, help, _ := pghold(t.Context(), "prove", "--help")
	_, examples, found := strings.Cut(help, "Examples:")
	examples, _, end := strings.Cut(examples, "Arguments:")
	if !found || !end || !strings.Contains(examples, "pghold report before after") {
		t.Fatalf("there are no examples in\n%s", help)
	}
	for line := range strings.Lines(examples) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
