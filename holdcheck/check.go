package holdcheck

import (
	"context"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
	"github.com/pghold/pghold/holdcheck/internal/load"
)

// Options say what Check reads, and how.
type Options struct {
	// Dir is the folder to be in; the default is the current one. Files in findings
	// are relative to it.
	Dir string
	// Patterns are packages, as the go command takes them; the default is ./...
	Patterns []string
	// Tests reads test files too, and tells of functions for tests in other files. Those
	// are in packages that import testing, and take a testing.T, a testing.TB or another
	// interface that fails a test, or are methods of a struct that has one.
	Tests bool
	// Config adds to the tables.
	Config Config
	// Progress, where it is not nil, is told what Check does now: a few words.
	Progress func(string)
}

// Check reads a whole program and returns what it found. The error is about what
// could not be read at all; what does not compile is in Result.Errors.
func Check(ctx context.Context, o Options) (*Result, error) {
	t, err := o.Config.tables()
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	c := &checker{tables: t, facts: map[*types.Func]*summary{}}
	p, err := load.Read(ctx, load.Options{Dir: dir, Patterns: o.Patterns, Tests: o.Tests, Progress: o.Progress}, c.dependency)
	if err != nil {
		return nil, err
	}
	progress := o.Progress
	if progress == nil {
		progress = func(string) {}
	}
	progress("looking for slow calls")
	r := &Result{Errors: p.Errors, Unread: p.Unread}
	rel := func(file string) string { return displayName(dir, file) }
	found, files, unread, leftOut := c.own(ctx, p, o)
	r.Unread, r.LeftOut = slices.Concat(r.Unread, c.unread, unread), leftOut
	for _, f := range found {
		r.Findings = append(r.Findings, f.finding(rel))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	applyIgnores(p.Fset, dir, files, r)
	sortFindings(r.Findings)
	return r, nil
}

// displayName is what a file is called in findings: relative to dir where it is in
// it, else by its module and version where it is of a dependency.
func displayName(dir, file string) string {
	if _, module, is := strings.Cut(filepath.ToSlash(file), "/pkg/mod/"); is {
		return module
	}
	return load.FileName(dir, file)
}

// checker reads one program.
type checker struct {
	tables *catalog.Catalog
	mu     sync.Mutex
	prog   *ssa.Program
	facts  map[*types.Func]*summary
	unread []string // sentences about dependencies that could not be
}

func (c *checker) imported(f *types.Func) *summary { return c.facts[f.Origin()] }

// program makes the program that all packages are in.
func (c *checker) program(fset *token.FileSet) *ssa.Program {
	if c.prog == nil {
		c.prog = ssa.NewProgram(fset, 0)
	}
	return c.prog
}

// declare makes packages known without their bodies.
func (c *checker) declare(pkgs []*types.Package) {
	for _, p := range pkgs {
		if c.prog.Package(p) == nil {
			c.prog.CreatePackage(p, nil, nil, true)
			c.declare(p.Imports())
		}
	}
}

// dependency keeps the summaries of a package that the program depends on.
func (c *checker) dependency(p *load.Program, sp *load.Package) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			c.unread = append(c.unread, fmt.Sprintf("%s could not be read, and what it calls is not known: %v.", sp.Path, p))
		}
	}()
	prog := c.program(p.Fset)
	c.declare(sp.Types.Imports())
	pkg := prog.CreatePackage(sp.Types, sp.Files, sp.Info, true)
	pkg.Build()
	u := newUnit(prog, false, c.tables, c.imported, []*ssa.Package{pkg})
	u.propagate()
	for f, s := range u.summaries() {
		c.facts[f] = s
	}
	for fn := range u.nodes { // the bodies are needed no more
		fn.Blocks, fn.Locals, fn.AnonFuncs, fn.Recover = nil, nil, nil, nil
	}
}

// own looks at the repository itself.
func (c *checker) own(ctx context.Context, p *load.Program, o Options) (found []raw, files []*ast.File, unread, leftOut []string) {
	prog := c.program(p.Fset)
	roots := map[*types.Package]bool{}
	var pkgs []*ssa.Package
	for _, sp := range p.Packages {
		if sp.Files == nil || !sp.Own {
			continue
		}
		files = append(files, sp.Files...)
		roots[sp.Types] = sp.Root
		pkgs = append(pkgs, prog.CreatePackage(sp.Types, sp.Files, sp.Info, true))
	}
	for _, pkg := range pkgs {
		c.declare(pkg.Pkg.Imports())
	}
	built := make([]bool, len(pkgs))
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := 0
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(pkgs) || ctx.Err() != nil {
					return
				}
				built[i] = build(pkgs[i])
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, nil, nil, nil
	}
	var whole []*ssa.Package
	for i, pkg := range pkgs {
		if built[i] {
			whole = append(whole, pkg)
		} else {
			unread = append(unread, fmt.Sprintf("%s could not be read: it does not compile.", pkg.Pkg.Path()))
		}
	}
	u := newUnit(prog, true, c.tables, c.imported, whole)
	u.propagate()
	root := func(pkg *ssa.Package) bool { return pkg != nil && roots[pkg.Pkg] }
	found = u.find(func(n *node) bool {
		return root(outermostOf(n.fn).Pkg) && (o.Tests || u.audience(n) == forService)
	})
	if !o.Tests {
		leftOut = u.leftOut(root)
	}
	return found, files, unread, leftOut
}

// build makes the functions of a package; false where that is not possible.
func build(pkg *ssa.Package) (done bool) {
	defer func() { done = recover() == nil }()
	pkg.Build()
	return true
}

// summaries are what other packages must know of this unit's functions, and of the
// methods of its interfaces.
func (u *unit) summaries() map[*types.Func]*summary {
	known := map[*types.Func]*summary{}
	for _, n := range u.order {
		obj, is := object(n.fn)
		if !is || n.fn.Parent() != nil || isWrapper(n) || obj.Pkg() == nil || !u.packages[obj.Pkg()] {
			continue
		}
		if s := u.summary(n); !s.empty() {
			known[obj] = s
		}
	}
	for pkg := range u.packages {
		scope := pkg.Scope()
		for _, name := range scope.Names() {
			tn, is := scope.Lookup(name).(*types.TypeName)
			if !is {
				continue
			}
			iface, is := tn.Type().Underlying().(*types.Interface)
			if !is || !iface.IsMethodSet() {
				continue
			}
			for m := range iface.ExplicitMethods() {
				if m.Pkg() != pkg {
					continue
				}
				s := &summary{}
				all := u.implementations(iface, m)
				for _, n := range all {
					one := u.summary(n)
					if !u.own && slices.ContainsFunc(all, func(n *node) bool { return len(n.slow) == 0 }) {
						one.Slow = nil // which one it is is the caller's choice
					}
					s.Slow = append(s.Slow, one.Slow...)
					s.Calls = append(s.Calls, one.Calls...)
					s.Opens = append(s.Opens, one.Opens...)
				}
				var ls leaves
				for _, l := range s.Slow {
					ls.add(l)
				}
				if s.Slow = ls.best(); !s.empty() {
					known[m] = s
				}
			}
		}
	}
	return known
}

// summary is what a caller in another package must know of a function.
func (u *unit) summary(n *node) *summary {
	s := &summary{}
	for _, l := range n.slow {
		if !u.own {
			if l.Severity == catalog.Low {
				continue
			}
			l.Chain = nil // a library's inside is not shown
			l.Slow, l.Func = Place{What: l.What}, ""
		}
		s.Slow = append(s.Slow, l)
	}
	for _, k := range sortedKeys(n.opens) {
		o := n.opens[k]
		switch p, isParam := k.base.(*ssa.Parameter); {
		case isParam && p.Parent() == n.fn:
			o.Param = parameter{parameterIndex(p), k.path}
		case o.Result < 0:
			continue
		}
		s.Opens = append(s.Opens, o)
	}
	for _, k := range sortedKeys(n.closes) {
		if p, is := k.base.(*ssa.Parameter); is && p.Parent() == n.fn {
			s.Closes = append(s.Closes, parameter{parameterIndex(p), k.path})
		}
	}
	for _, k := range sortedCalls(n.calls) {
		if p, is := k.base.(*ssa.Parameter); is && p.Parent() == n.fn && k.path == "" {
			c := n.calls[k]
			c.Index = parameterIndex(p)
			s.Calls = append(s.Calls, c)
		}
	}
	return s
}
