package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

const module = "../../../.."

func TestPages_areUpToDate(t *testing.T) {
	if err := run(module, true); err != nil {
		t.Fatal(err)
	}
}

// Figures in sentences are from results: what looks like one and stands between no
// markers was typed. What a reader sets, or the experiment is, may be.
func TestGuide_hasNoTypedFigures(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(module, "docs", "guide.md"))
	if err != nil {
		t.Fatal(err)
	}
	prose := regexp.MustCompile(`(?s)<!-- \w+:.*?<!-- end -->`).ReplaceAllString(string(b), "")
	for _, m := range regexp.MustCompile(`[0-9.]+ ?(%|ms|µs|of [0-9]+)|[0-9]\.[0-9]+ s`).FindAllString(prose, -1) {
		t.Errorf("%q was typed", m)
	}
}

// Links to a place of the page find it.
func TestGuide_linksLeadSomewhere(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(module, "docs", "guide.md"))
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(b), -1) {
		place := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		places["#"+strings.ReplaceAll(place, " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]*)\)`).FindAllStringSubmatch(string(b), -1) {
		to, place, _ := strings.Cut(m[1], "#")
		if to == "" && !places["#"+place] {
			t.Errorf("#%s is nowhere", place)
		}
		if _, err := os.Stat(filepath.Join(module, "docs", to)); to != "" && err != nil {
			t.Error(err)
		}
	}
}

func TestFill(t *testing.T) {
	echo := func(m marker) (string, error) { return "<" + m.kind + " " + m.args + ">", nil }
	for _, c := range []struct{ page, want, err string }{
		{"", "", ""},
		{"a\nb <!-- a comment --> c", "a\nb <!-- a comment --> c", ""},
		{"lost <!-- figure: a b c -->304<!-- end --> of", "lost <!-- figure: a b c --><figure a b c><!-- end --> of", ""},
		{"<!-- table: a b -->\nold\n<!-- end -->\n", "<!-- table: a b -->\n\n<table a b>\n\n<!-- end -->\n", ""},
		{"<!-- runs: -->\n<!-- end --> <!-- code: (*T).f -->x<!-- end -->",
			"<!-- runs: -->\n\n<runs >\n\n<!-- end --> <!-- code: (*T).f -->\n\n<code (*T).f>\n\n<!-- end -->", ""},
		{"a\n\n<!-- table: a b -->\nold", "", "3: table a b has no <!-- end -->"},
		{"<!-- table: a b -->\n<!-- code: f -->\n<!-- end -->", "", "1: table a b has no <!-- end -->"},
		{"a\nb <!-- end -->", "", "2: an end of nothing"},
	} {
		got, err := fill(c.page, echo)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%q: got %q and %v, want %q and %q", c.page, got, err, c.want, c.err)
		}
		if err != nil {
			continue
		}
		if again, err := fill(got, echo); again != got || err != nil {
			t.Errorf("%q: filled in again it is %q, %v", got, again, err)
		}
	}
}

// project is a module with a page, a result and a source.
func project(t *testing.T, page string) string {
	t.Helper()
	dir := t.TempDir()
	r := &experiment.Result{
		Kind: experiment.Measured, Settings: experiment.Defaults(), Warnings: []string{"a | <b>"},
		Routes: []experiment.RouteResult{
			{Name: "commit_before_call", Requests: 500, SuccessRatio: 0.0001, Outcomes: experiment.Outcomes{OK: 1},
				PerRequest: experiment.PerRequest{Checkouts: 1, Statements: 2, RoundTrips: 2.008}},
			{Name: "commit_then_touch", Requests: 500, SuccessRatio: 1},
		},
	}
	var doc strings.Builder
	if err := experiment.WriteResult(&doc, r); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"docs/guide.md":              page,
		"docs/results/README.md":     "no marker\n",
		"docs/results/remedies.json": doc.String(),
		"cmd/pghold/internal/lab/a.go": "package lab\n\nimport \"fmt\"\n\n// f does it.\n//\n// Twice.\nfunc (a *App) f() {\n\tfmt.Println() // so\n}\n\nfunc f() {}\n" +
			"func statementsOf(db d) s {\n\treturn s{a: db.in(`select 1 from SCHEMA.t\n\t\t\twhere b`), c: db.in(\"select 2\")}\n}\n",
		"cmd/pghold/internal/lab/a_test.go": "package lab\n\nfunc TestA() {\n\tfor _, row := range []r{\n\t\t{\"SET | a\", f, \"26000\", works},\n\t\t{\"LISTEN\", f, \"other\", \"\"},\n\t} {\n\t}\n}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRun_makesWhatMarkersSay(t *testing.T) {
	for _, c := range []struct{ marker, want string }{
		{"table: remedies trips", "\n\n| route | checkouts | statements | round trips |\n| :-- | --: | --: | --: |\n| `commit_before_call` | 1.00 | 2.00 | 2.01 |\n\n"},
		{"figure: remedies commit_then_touch attack.success", "100.0 %"},
		{"figure: remedies commit_before_call requests.round trips", "2.01"},
		{"code: (*App).f", "\n\n```go\n// f does it.\n//\n// Twice.\nfunc (a *App) f() {\n\tfmt.Println() // so\n}\n```\n\n"},
		{"code: f", "\n\n```go\nfunc f() {}\n```\n\n"},
		{"sql: c a", "\n\n```sql\n-- c\nselect 2\n\n-- a\nselect 1 from t\n  where b\n```\n\n"},
		{"cases: TestA", "\n\n| | PgBouncer before 1.21 | from 1.21 on |\n|:--|:--|:--|\n| SET \\| a | error: no such prepared statement (26000) | works |\n| LISTEN | other | other |\n\n"},
		{"runs:", "\n\n| file | made with | when | Postgres |\n|:--|:--|:--|:--|\n| `remedies.json` | `pghold lab commit_before_call commit_then_touch` | – |  |\n\n" +
			"Their warnings:\n\n- remedies: a \\| &lt;b>\n\n"},
	} {
		dir := project(t, "a\n<!-- "+c.marker+" --><!-- end -->\n")
		if err := run(dir, true); err == nil || !strings.Contains(err.Error(), "docs/guide.md is not up to date: run go run ./cmd/pghold/internal/guide") {
			t.Errorf("%s: checked before, got %v", c.marker, err)
		}
		if err := run(dir, false); err != nil {
			t.Errorf("%s: %v", c.marker, err)
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, "docs", "guide.md"))
		if want := "a\n<!-- " + c.marker + " -->" + c.want + "<!-- end -->\n"; err != nil || string(b) != want {
			t.Errorf("%s: got %q and %v, want %q", c.marker, b, err, want)
		}
		if err := run(dir, true); err != nil {
			t.Errorf("%s: checked afterwards, got %v", c.marker, err)
		}
	}
}

func TestRun_saysWhatIsWrong(t *testing.T) {
	for marker, want := range map[string]string{
		"tabel: remedies trips":                      "docs/guide.md:2: tabel remedies trips: no such marker",
		"table: remedies":                            "want a group and a table",
		"table: remedys trips":                       `there is no group "remedys"`,
		"table: price trips":                         "price.json",
		"table: remedies fame":                       `there is no table "fame"`,
		"table: remedies updates":                    `no figure "updates.recorded"`,
		"table: remedies guards":                     "remedies has no row for it",
		"figure: remedies commit_before_call":        "want a group, a case and a figure",
		"figure: remedies a attack.success":          `no route "a"`,
		"figure: remedies commit_then_touch attack.": `no figure "attack."`,
		"code: (*App).g":                             "no function (*App).g",
		"sql:":                                       "want the name of a statement",
		"sql: b":                                     "no statement b",
		"cases: TestB":                               "no function TestB",
		"cases: f":                                   "not a row that can be read",
	} {
		dir := project(t, "a\n<!-- "+marker+" -->as it was<!-- end -->\n")
		if err := run(dir, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %s", marker, err, want)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "docs", "guide.md")); err != nil || !strings.Contains(string(b), "as it was") {
			t.Errorf("%s: the page was changed to %q, %v", marker, b, err)
		}
	}
}
