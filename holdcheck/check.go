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
	"github.com/pghold/pghold/holdcheck/internal/flow"
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
	c := &checker{tables: t, facts: map[*types.Func]*flow.Summary{}}
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
		r.Findings = append(r.Findings, findingOf(f, rel))
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
	if _, module, ok := strings.Cut(filepath.ToSlash(file), "/pkg/mod/"); ok {
		return module
	}
	return load.FileName(dir, file)
}

// checker reads one program.
type checker struct {
	tables *catalog.Catalog
	mu     sync.Mutex
	prog   *ssa.Program
	facts  map[*types.Func]*flow.Summary
	unread []string // sentences about dependencies that could not be
}

func (c *checker) imported(f *types.Func) *flow.Summary { return c.facts[f.Origin()] }

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
	u := flow.NewUnit(prog, false, c.tables, c.imported, []*ssa.Package{pkg})
	for f, s := range u.Summaries() {
		c.facts[f] = s
	}
	u.Forget()
}

// own looks at the repository itself.
func (c *checker) own(ctx context.Context, p *load.Program, o Options) (found []flow.Found, files []*ast.File, unread, leftOut []string) {
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
	u := flow.NewUnit(prog, true, c.tables, c.imported, whole)
	root := func(pkg *ssa.Package) bool { return pkg != nil && roots[pkg.Pkg] }
	found = u.Find(root, o.Tests)
	if !o.Tests {
		leftOut = leftOutSentences(u.LeftOut(root))
	}
	return found, files, unread, leftOut
}

// build makes the functions of a package; false where that is not possible.
func build(pkg *ssa.Package) (done bool) {
	defer func() { done = recover() == nil }()
	pkg.Build()
	return true
}
