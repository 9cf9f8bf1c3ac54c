package holdcheck

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

// The cases in testdata are the specification. A folder of testdata/src without a dot
// in its name is a case folder, the others are stubs of what the cases import. In a
// case folder,
//
//	// want "high http .*Do"
//
// at the end of a line says that both modes find something there: the text is a
// regular expression for "SEVERITY KIND MESSAGE", and the line is the one in the
// function that holds the connection. Several texts are several findings. Other words
// than want are
//
//	wantcheck  found by Check only, which sees the whole program
//	wanttests  found only when test files are read too
//
// A line that ends in "// hold" is the one that Finding.Hold names.
//
// A folder with several packages, or with a config.json, is a program of its own; the
// others are one program together. In a folder with several packages the Analyzer,
// which sees one at a time, may say that a call could not be followed; where Check
// must find something, it may find it too.
//
// Functions whose name begins with ok are silent, and the findings in those that
// begin with okIgnored are in Result.Ignored with their reason.

var specFolders = flag.String("spec", "", "case folders to look at, with commas between; all where it is empty")

// specCase is a function of a case folder that is found, or one that is silent.
type specCase struct {
	file        string // relative to testdata/src
	name        string
	first, last int // lines
	silent      bool
}

// specWant is what a comment expects.
type specWant struct {
	file, word, text string
	line             int
	pattern          *regexp.Regexp
}

// specFolder is a folder of testdata/src with all that is below it.
type specFolder struct {
	name     string
	patterns []string // packages
	own      bool     // it is a program of its own
	config   Config
	cases    []specCase
	wants    []specWant
}

// found is what a mode found, reduced to what is compared.
type found struct {
	file  string // relative to testdata/src
	line  int
	text  string // SEVERITY KIND MESSAGE
	where string // for the reader: the hold and the chain
}

func TestSpec_Cases(t *testing.T) {
	loud, silent := 0, 0
	for _, f := range readSpec(t) {
		l, s := 0, 0
		for _, c := range f.cases {
			if c.silent {
				s++
			} else {
				l++
			}
			for _, w := range f.wants {
				if c.silent && w.word != "hold" && w.file == c.file && c.first <= w.line && w.line <= c.last {
					t.Errorf("%s:%d: %s is silent by its name, and wants %q", w.file, w.line, c.name, w.text)
				}
			}
		}
		t.Logf("%-12s %3d found, %3d silent", f.name, l, s)
		loud, silent = loud+l, silent+s
	}
	t.Logf("%-12s %3d found, %3d silent", "all", loud, silent)
	if *specFolders != "" {
		return
	}
	if loud < 75 || silent < 75 {
		t.Errorf("got %d cases that are found and %d silent ones, want at least 75 of each", loud, silent)
	}
	if d := loud - silent; 10*max(d, -d) > max(loud, silent) {
		t.Errorf("got %d cases that are found and %d silent ones, want as many, give or take a tenth", loud, silent)
	}
}

func TestSpec_Check(t *testing.T) {
	folders := readSpec(t)
	gopathMode(t)
	for _, program := range specPrograms(folders) {
		var patterns []string
		for _, f := range program {
			patterns = append(patterns, f.patterns...)
		}
		r, err := Check(context.Background(), Options{Dir: specDir(), Patterns: patterns, Config: program[0].config})
		if err != nil {
			t.Errorf("Check of %s: %v", program[0].name, err)
			continue
		}
		for _, text := range slices.Concat(r.Errors, r.Unread) {
			t.Errorf("Check of %s: %s", program[0].name, text)
		}
		got := checkFound(t, r.Findings)
		for _, f := range program {
			t.Run(f.name, func(t *testing.T) {
				f.compare(t, got, false, "want", "wantcheck")
				f.compareHolds(t, r.Findings)
				f.compareIgnored(t, r.Ignored)
			})
		}
		noDuplicates(t, r.Findings)
	}
}

func TestSpec_Tests(t *testing.T) {
	gopathMode(t)
	for _, f := range readSpec(t) {
		if !slices.ContainsFunc(f.wants, func(w specWant) bool { return w.word == "wanttests" }) {
			continue
		}
		r, err := Check(context.Background(), Options{Dir: specDir(), Patterns: f.patterns, Tests: true, Config: f.config})
		if err != nil {
			t.Fatalf("Check of %s with tests: %v", f.name, err)
		}
		f.compare(t, checkFound(t, r.Findings), false, "want", "wantcheck", "wanttests")
	}
}

func TestSpec_Analyzer(t *testing.T) {
	folders := readSpec(t)
	gopathMode(t)
	programs := map[bool][]*specFolder{} // by whether there is a configuration
	for _, f := range folders {
		programs[f.configured()] = append(programs[f.configured()], f)
	}
	if all := programs[false]; len(all) > 0 {
		specAnalyzer(t, all)
	}
	for _, f := range programs[true] {
		set := Analyzer.Flags.Lookup("config")
		if set == nil {
			t.Logf("%s: not looked at: the Analyzer has no flag -config", f.name)
			continue
		}
		before := set.Value.String()
		if err := set.Value.Set(filepath.Join(specDir(), f.name, "config.json")); err != nil {
			t.Errorf("-config: %v", err)
			continue
		}
		specAnalyzer(t, []*specFolder{f})
		set.Value.Set(before)
	}
}

// specAnalyzer runs the Analyzer on folders, each package with the facts of those
// that it imports.
func specAnalyzer(t *testing.T, folders []*specFolder) {
	t.Helper()
	var patterns []string
	for _, f := range folders {
		for _, p := range f.patterns {
			patterns = append(patterns, strings.TrimPrefix(p, "./"))
		}
	}
	var said quiet
	results := analysistest.Run(&said, filepath.Dir(specDir()), Analyzer, patterns...)
	if results == nil {
		t.Fatal(strings.Join(said, "\n"))
	}
	var got []found
	for _, r := range results {
		if r.Err != nil {
			t.Errorf("%v: %v", r.Action, r.Err)
			continue
		}
		for _, d := range r.Diagnostics {
			if d.Category == "ignore" { // about a directive, not a finding
				continue
			}
			at := r.Pass.Fset.Position(d.Pos)
			if !at.IsValid() {
				t.Errorf("%v: without a position: %s", r.Action, d.Message)
				continue
			}
			severityKind, rest, ok := strings.Cut(d.Message, ": ")
			if !ok || !strings.HasSuffix(severityKind, " "+d.Category) {
				t.Errorf("%v: the message is %q and the category %q, want the message to begin with severity and category, then a colon", at, d.Message, d.Category)
			}
			file, err := filepath.Rel(specDir(), at.Filename)
			if err != nil {
				t.Fatal(err)
			}
			one := found{file: filepath.ToSlash(file), line: at.Line, text: severityKind + " " + rest}
			if !slices.Contains(got, one) { // a package and its variant for tests say the same
				got = append(got, one)
			}
		}
	}
	for _, f := range folders {
		t.Run(f.name, func(t *testing.T) {
			f.compare(t, got, true, "want")
		})
	}
}

// quiet is an analysistest.Testing that keeps what is said: expectations are compared
// here, because they match severities and kinds too.
type quiet []string

func (q *quiet) Errorf(format string, args ...any) { *q = append(*q, fmt.Sprintf(format, args...)) }

// compare tells which findings of one folder are missing and which are too many.
func (f *specFolder) compare(t *testing.T, got []found, analyzer bool, words ...string) {
	t.Helper()
	type problem struct {
		file string
		line int
		text string
	}
	var problems []problem
	matched := map[int]bool{}
	for _, g := range got {
		if g.file != f.name && !strings.HasPrefix(g.file, f.name+"/") {
			continue
		}
		expected := analyzer && len(f.patterns) > 1 && strings.HasPrefix(g.text, "low unresolved ")
		for i, w := range f.wants {
			if w.file != g.file || w.line != g.line {
				continue
			}
			may := slices.Contains(words, w.word) || analyzer && w.word == "wantcheck"
			if may && w.pattern.MatchString(g.text) {
				matched[i], expected = true, true
			}
		}
		if !expected {
			problems = append(problems, problem{g.file, g.line, "got " + g.text + g.where})
		}
	}
	for i, w := range f.wants {
		if slices.Contains(words, w.word) && !matched[i] {
			problems = append(problems, problem{w.file, w.line, fmt.Sprintf("want %q", w.text)})
		}
	}
	if len(problems) == 0 {
		return
	}
	slices.SortFunc(problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.text, b.text))
	})
	wrong := map[string]bool{}
	var lines strings.Builder
	for _, p := range problems {
		name := f.caseAt(p.file, p.line)
		wrong[name] = true
		fmt.Fprintf(&lines, "\n%s:%d: %s: %s", p.file, p.line, name, p.text)
	}
	t.Errorf("%s: %d of %d cases wrong%s", f.name, len(wrong), len(f.cases), &lines)
}

// compareHolds looks for a finding with each hold that is marked.
func (f *specFolder) compareHolds(t *testing.T, findings []Finding) {
	t.Helper()
	for _, w := range f.wants {
		if w.word == "hold" && !slices.ContainsFunc(findings, func(f Finding) bool { return f.Hold.File == w.file && f.Hold.Line == w.line }) {
			t.Errorf("%s:%d: %s: no finding has this line as its hold", w.file, w.line, f.caseAt(w.file, w.line))
		}
	}
}

// compareIgnored looks at what Check left out because a comment says so.
func (f *specFolder) compareIgnored(t *testing.T, ignored []Ignored) {
	t.Helper()
	for _, c := range f.cases {
		if !strings.HasPrefix(c.name, "okIgnored") {
			continue
		}
		if !slices.ContainsFunc(ignored, func(i Ignored) bool {
			at := i.Worst().Chain[0]
			return i.Reason != "" && at.File == c.file && c.first <= at.Line && at.Line <= c.last
		}) {
			t.Errorf("%s:%d: %s: nothing in Ignored with a reason", c.file, c.first, c.name)
		}
	}
}

// caseAt is the function that a line is in.
func (f *specFolder) caseAt(file string, line int) string {
	for _, c := range f.cases {
		if c.file == file && c.first <= line && line <= c.last {
			return c.name
		}
	}
	return "outside the cases"
}

// noDuplicates tells of findings that say the same twice.
func noDuplicates(t *testing.T, findings []Finding) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range findings {
		worst := f.Worst()
		at := worst.Chain[0]
		key := fmt.Sprint(f.Hold, at.File, at.Line, worst.Place)
		if seen[key] {
			t.Errorf("%s:%d: found twice: held at %v, slow at %v", at.File, at.Line, f.Hold, worst.Place)
		}
		seen[key] = true
	}
}

// checkFound reduces findings to what is compared.
func checkFound(t *testing.T, findings []Finding) []found {
	t.Helper()
	var all []found
	for _, f := range findings {
		worst := f.Worst()
		if len(worst.Chain) == 0 {
			t.Errorf("%v: a finding without a chain: %s", f.Hold, f.Message)
			continue
		}
		where := fmt.Sprintf(" [hold %v; chain", f.Hold)
		for _, s := range worst.Chain {
			where += fmt.Sprintf(" %s:%d", s.File, s.Line)
		}
		all = append(all, found{
			file: worst.Chain[0].File, line: worst.Chain[0].Line,
			text:  fmt.Sprintf("%s %s %s", worst.Severity, worst.Kind, f.Message),
			where: where + "]",
		})
	}
	return all
}
