package flow

import (
	"fmt"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// audience is whom a function is for.
type audience int

const (
	forService  audience = iota
	forTests             // outside of test files, but it takes a testing.T or the like
	forTestFile          // in a test file
)

func (u *Unit) audience(n *node) audience {
	fn := outermostOf(n.fn)
	if strings.HasSuffix(u.prog.Fset.Position(fn.Pos()).Filename, "_test.go") {
		return forTestFile
	}
	if fn.Pkg == nil || !catalog.Imports(fn.Pkg.Pkg, "testing") {
		return forService
	}
	for i, p := range fn.Params {
		if receiver := i == 0 && fn.Signature.Recv() != nil; isTesting(p.Type()) || receiver && hasTesting(p.Type()) {
			return forTests
		}
	}
	return forService
}

// isTesting reports whether a type is one of package testing's, or an interface for
// what fails a test.
func isTesting(t types.Type) bool {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := types.Unalias(t).(*types.Named); ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "testing" {
		return true
	}
	return types.IsInterface(t) && (catalog.HasMethod(t, "Helper") || catalog.HasMethod(t, "FailNow"))
}

// hasTesting reports whether a type is a struct with a field of such a type, in itself
// or in what it embeds: a suite.
func hasTesting(t types.Type) bool {
	seen := map[types.Type]bool{}
	var has func(types.Type) bool
	has = func(t types.Type) bool {
		if p, ok := types.Unalias(t).(*types.Pointer); ok {
			t = p.Elem()
		}
		s, ok := t.Underlying().(*types.Struct)
		if !ok || seen[t] {
			return false
		}
		seen[t] = true
		for f := range s.Fields() {
			if isTesting(f.Type()) || f.Embedded() && has(f.Type()) {
				return true
			}
		}
		return false
	}
	return has(t)
}

// LeftOut says, in a sentence for each package, what slow calls in functions for tests
// are not among the findings. of says which packages are asked about.
func (u *Unit) LeftOut(of func(*ssa.Package) bool) []string {
	tests := func(n *node) bool { return u.audience(n) == forTests && of(outermostOf(n.fn).Pkg) }
	if !slices.ContainsFunc(u.order, tests) {
		return nil
	}
	var packages []*ssa.Package
	slowCalls, functions := map[*ssa.Package]int{}, map[*ssa.Package][]string{}
	for _, f := range u.search(tests) {
		fn := outermostOf(f.in.fn)
		if slowCalls[fn.Pkg]++; slowCalls[fn.Pkg] == 1 {
			packages = append(packages, fn.Pkg)
		}
		if name := fn.RelString(fn.Pkg.Pkg); !slices.Contains(functions[fn.Pkg], name) {
			functions[fn.Pkg] = append(functions[fn.Pkg], name)
		}
	}
	var sentences []string
	for _, pkg := range packages {
		names := functions[pkg]
		in := strings.Join(names, ", ")
		if more := len(names) - maxLeftOut; more > 0 {
			in = fmt.Sprintf("%s and %d more", strings.Join(names[:maxLeftOut], ", "), more)
		}
		what := "1 slow call in a hold is"
		if n := slowCalls[pkg]; n > 1 {
			what = fmt.Sprintf("%d slow calls in holds are", n)
		}
		sentences = append(sentences, fmt.Sprintf("%s: %s left out, in functions for tests: %s", pkg.Pkg.Path(), what, in))
	}
	slices.Sort(sentences)
	return sentences
}

// maxLeftOut is how many functions a sentence names.
const maxLeftOut = 5
