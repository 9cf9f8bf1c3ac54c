package flow

import (
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

// LeftOut is what a package has of slow calls in functions for tests that are not in
// test files.
type LeftOut struct {
	Package   string
	Calls     int
	Functions []string // in which they are
}

// LeftOut is what Find leaves out without tests, of the packages that in says.
func (u *Unit) LeftOut(in func(*ssa.Package) bool) []LeftOut {
	tests := func(n *node) bool { return u.audience(n) == forTests && in(outermostOf(n.fn).Pkg) }
	if !slices.ContainsFunc(u.order, tests) {
		return nil
	}
	var all []LeftOut
	at := map[*ssa.Package]int{}
	for _, f := range u.search(tests) {
		fn := outermostOf(f.in.fn)
		i, known := at[fn.Pkg]
		if !known {
			i = len(all)
			at[fn.Pkg] = i
			all = append(all, LeftOut{Package: fn.Pkg.Pkg.Path()})
		}
		all[i].Calls++
		if name := fn.RelString(fn.Pkg.Pkg); !slices.Contains(all[i].Functions, name) {
			all[i].Functions = append(all[i].Functions, name)
		}
	}
	return all
}
