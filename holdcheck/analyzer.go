package holdcheck

import (
	"go/types"
	"path/filepath"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
	"github.com/pghold/pghold/holdcheck/internal/flow"
)

// Analyzer finds slow calls inside holds, a package at a time, for go vet -vettool,
// golangci-lint and gopls. What it knows of other packages are facts about their
// functions. So it does not see implementations of an interface, or functions stored
// in a field, of packages that the one at hand does not import; Check does. Its result
// is a []string, as Result.LeftOut.
var Analyzer = &analysis.Analyzer{
	Name: "holdcheck",
	Doc: `find slow calls that are made while a database connection is held

A transaction, a checked-out connection or open rows hold a connection of the pool.
Who calls a slow API meanwhile keeps it from everybody else. Each finding says where
the connection is taken, what is waited for, and by which calls it comes to that.

It reads one package at a time, with summaries of those that it imports. It does not
see implementations of interfaces in packages that are not imported: run "pghold
check" for these.

Test files, and other functions that take a testing.T or the like, are left out
without -tests. As go vet -vettool it says where that hides a slow call.

A comment "//pghold:ignore reason" on the line of the call, of the hold, or of the
function says that it is meant.`,
	URL:        address,
	Run:        run,
	ResultType: reflect.TypeFor[[]string](),
	FactTypes:  []analysis.Fact{(*fact)(nil)},
}

var flags struct {
	config string
	tests  bool
}

func init() {
	Analyzer.Flags.StringVar(&flags.config, "config", "", "a file with further slow calls and openers, as for pghold check")
	Analyzer.Flags.BoolVar(&flags.tests, "tests", false, "look at test files too, and at functions for tests in other files")
}

// fact is a function's summary, as other packages get it.
type fact struct{ Summary flow.Summary }

func (*fact) AFact() {}

func (f *fact) String() string { return "holdcheck" }

func run(pass *analysis.Pass) (result any, err error) {
	var leftOut []string
	if catalog.Curated(pass.Pkg.Path()) {
		return leftOut, nil
	}
	var config Config
	if flags.config != "" {
		if config, err = ReadConfig(flags.config); err != nil {
			return nil, err
		}
	}
	t, err := config.tables()
	if err != nil {
		return nil, err
	}
	defer func() {
		// ssa does not bear all that the type checker lets through.
		if p := recover(); p != nil && pass.TypeErrors == nil {
			panic(p)
		}
	}()
	prog := ssa.NewProgram(pass.Fset, 0)
	c := &checker{tables: t, prog: prog}
	c.declare(pass.Pkg.Imports())
	pkg := prog.CreatePackage(pass.Pkg, pass.Files, pass.TypesInfo, false)
	pkg.Build()
	own := (pass.Module == nil || pass.Module.Version == "") && !vendored(pass)
	u := flow.NewUnit(prog, own, t, func(f *types.Func) *flow.Summary {
		var known fact
		if f.Pkg() == pass.Pkg || !pass.ImportObjectFact(f.Origin(), &known) {
			return nil
		}
		return &known.Summary
	}, []*ssa.Package{pkg})
	for f, s := range u.Summaries() {
		pass.ExportObjectFact(f, &fact{*s})
	}
	if !own {
		return leftOut, nil
	}
	all := func(*ssa.Package) bool { return true }
	found := u.Find(all, flags.tests)
	if !flags.tests {
		leftOut = leftOutSentences(u.LeftOut(all))
	}
	r := &Result{}
	for _, f := range found {
		r.Findings = append(r.Findings, findingOf(f, func(file string) string { return file }))
	}
	comments := readDirectives(pass.Fset, pass.Files, func(file string) string { return file })
	for i, f := range r.Findings {
		worst := f.Worst()
		if comments.reason(f.Hold, worst) != "" {
			continue
		}
		pass.Report(analysis.Diagnostic{
			Pos: found[i].Pos, Category: string(worst.Kind), Message: string(worst.Severity) + " " + string(worst.Kind) + ": " + f.Message,
			URL: address,
		})
	}
	for _, ig := range comments.all {
		if ig.reason == "" {
			for _, f := range pass.Files {
				tf := pass.Fset.File(f.Pos())
				if tf.Name() == ig.file {
					pass.Report(analysis.Diagnostic{Pos: tf.LineStart(ig.line), Category: "ignore", Message: "pghold:ignore needs a reason"})
				}
			}
		}
	}
	return leftOut, nil
}

// vendored reports whether a package is a copy of another module's.
func vendored(pass *analysis.Pass) bool {
	return len(pass.Files) > 0 && strings.Contains(filepath.ToSlash(pass.Fset.Position(pass.Files[0].Pos()).Filename), "/vendor/")
}

// address is where the analyzer is documented.
const address = "https://pkg.go.dev/github.com/pghold/pghold/holdcheck"
