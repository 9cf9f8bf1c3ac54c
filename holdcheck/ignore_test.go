package holdcheck

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// parsed reads one file as /src/app.go.
func parsed(t *testing.T, source string) (*token.FileSet, []*ast.File) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, filepath.FromSlash("/src/app.go"), source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return fset, []*ast.File{f}
}

// lineWith is the number of the first line with a text.
func lineWith(t *testing.T, source, text string) int {
	t.Helper()
	before, _, found := strings.Cut(source, text)
	if !found {
		t.Fatalf("%q is not in the source", text)
	}
	return 1 + strings.Count(before, "\n")
}

// holding is a function that takes a connection, calls another, which makes a slow
// call. A test puts comments at the letters.
const holding = `package app

// serve serves.
//A
func serve() {
	tx := begin() //B
	//C
	charge(tx) //D

	other(tx) //E
}

// charge charges.
//F
func charge(tx int) {
	get() //G
}

//H
func other(tx int) {}

//I
func between(tx int) {
	//J
	// and why is below
	charge(tx)
}
`

// at puts comments into the source, and removes the other letters.
func at(letters map[string]string) string {
	source := holding
	for _, letter := range strings.Split("ABCDEFGHIJ", "") {
		comment := letters[letter]
		if comment == "" {
			comment = "//"
		}
		source = strings.Replace(source, "//"+letter, comment, 1)
	}
	return source
}

// finding is the one in holding, by way of between where that is so.
func findingIn(t *testing.T, way ...string) Finding {
	t.Helper()
	c := SlowCall{ID: id("app.serve>app.charge"), Severity: High, Kind: HTTP, Place: Place{"app.go", lineWith(t, holding, "get()"), "get"}}
	for _, step := range append([]string{"charge(tx) //D"}, way...) {
		c.Chain = append(c.Chain, Step{"app.go", lineWith(t, holding, step), "app.serve"})
	}
	c.Chain = append(c.Chain, Step{"app.go", c.Place.Line, "app.charge"})
	f := Finding{Hold: Place{"app.go", lineWith(t, holding, "tx := begin"), "begin"}, Calls: []SlowCall{c}, handle: catalog.Rows}
	f.say()
	return f
}

func TestApplyIgnores(t *testing.T) {
	const why = "//pghold:ignore it answers at once"
	for letter, want := range map[string]bool{
		"A": true, "B": true, "C": true, "D": true, "E": false, "F": true, "G": true, "H": false, "I": false,
	} {
		t.Run(letter, func(t *testing.T) {
			fset, files := parsed(t, at(map[string]string{letter: why}))
			r := &Result{Findings: []Finding{findingIn(t)}}
			applyIgnores(fset, filepath.FromSlash("/src"), files, r)
			if got := len(r.Ignored) == 1 && len(r.Findings) == 0; got != want {
				t.Fatalf("ignored: %v, want %v", got, want)
			}
			if want && r.Ignored[0].Reason != "it answers at once" {
				t.Errorf("the reason is %q", r.Ignored[0].Reason)
			}
			if unused := len(r.Unused) == 1; unused == want || len(r.Complaints) != 0 {
				t.Errorf("unused %v, complaints %v", r.Unused, r.Complaints)
			}
		})
	}
}

// Of the functions between the one that holds and the one that makes the slow call,
// the line of the call counts and the doc comment does not.
func TestApplyIgnores_Between(t *testing.T) {
	const why = "//pghold:ignore it answers at once"
	for letter, want := range map[string]bool{"I": false, "J": true} {
		fset, files := parsed(t, at(map[string]string{letter: why}))
		r := &Result{Findings: []Finding{findingIn(t, "charge(tx)\n}")}}
		applyIgnores(fset, filepath.FromSlash("/src"), files, r)
		if got := len(r.Ignored) == 1; got != want {
			t.Errorf("%s: ignored %v, want %v", letter, got, want)
		}
	}
}

func TestApplyIgnores_NeedsAReason(t *testing.T) {
	for _, comment := range []string{"//pghold:ignore", "//pghold:ignore  ", "//pghold:ignore // TODO"} {
		source := at(map[string]string{"B": comment, "F": "//pghold:ignore"})
		fset, files := parsed(t, source)
		r := &Result{Findings: []Finding{findingIn(t)}}
		applyIgnores(fset, filepath.FromSlash("/src"), files, r)
		if len(r.Findings) != 1 || len(r.Ignored) != 0 || len(r.Unused) != 0 {
			t.Errorf("%q: %d findings, %d ignored, unused %v; want the finding to stay", comment, len(r.Findings), len(r.Ignored), r.Unused)
		}
		want := []Remark{
			{"app.go", lineWith(t, holding, "tx := begin"), "pghold:ignore needs a reason"},
			{"app.go", lineWith(t, holding, "//F"), "pghold:ignore needs a reason"},
		}
		if !slices.Equal(r.Complaints, want) {
			t.Errorf("%q: complaints %v, want %v", comment, r.Complaints, want)
		}
	}
	if got := (Remark{"app.go", 12, "pghold:ignore needs a reason"}).String(); got != "app.go:12: pghold:ignore needs a reason" {
		t.Error(got)
	}
}

// What only looks like it is a comment like any other.
func TestApplyIgnores_OtherComments(t *testing.T) {
	for _, comment := range []string{"// pghold:ignore because", "//pghold:ignored because", "//pghold:ignore-all because", "//nolint:pghold"} {
		fset, files := parsed(t, at(map[string]string{"B": comment}))
		r := &Result{Findings: []Finding{findingIn(t)}}
		applyIgnores(fset, filepath.FromSlash("/src"), files, r)
		if len(r.Findings) != 1 || r.Complaints != nil || r.Unused != nil {
			t.Errorf("%q: %+v", comment, r)
		}
	}
}

// Where one of several slow calls is meant, the finding is about the others.
func TestApplyIgnores_OneOfSeveralSlowCalls(t *testing.T) {
	fset, files := parsed(t, at(map[string]string{"G": "//pghold:ignore it answers at once"}))
	f := findingIn(t)
	own := f.Worst()
	f.Calls = append(f.Calls,
		SlowCall{ID: id("app.serve>app.log"), Severity: Low, Kind: File, Place: Place{"app.go", 1, "write"}, Chain: own.Chain[:1]},
		SlowCall{ID: id("app.serve>app.mail"), Severity: Medium, Kind: Blocked, Place: Place{"app.go", 2, "send"}, Chain: own.Chain[:1]},
	)
	r := &Result{Findings: []Finding{f}}
	applyIgnores(fset, filepath.FromSlash("/src"), files, r)
	if len(r.Findings) != 1 || len(r.Ignored) != 1 {
		t.Fatalf("got %+v", r)
	}
	got := r.Findings[0]
	if worst := got.Worst(); worst.ID != id("app.serve>app.mail") || worst.Severity != Medium || len(got.Calls) != 2 || got.Calls[1].ID != id("app.serve>app.log") {
		t.Errorf("left is %+v, want the worst of the others", got)
	}
	if want := fmt.Sprintf("send may wait while rows are held since app.go:%d", f.Hold.Line); got.Message != want || got.Advice != advice(Blocked) {
		t.Errorf("left is %q and %q, want what is said of the worst of the others: %q", got.Message, got.Advice, want)
	}
	if got := r.Ignored[0]; got.Worst().ID != own.ID || len(got.Calls) != 1 || got.Message != f.Message {
		t.Errorf("ignored is %+v, want only what is meant", got)
	}
}
