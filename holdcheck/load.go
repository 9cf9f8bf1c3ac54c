package holdcheck

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// program is source as it was read, types and all.
type program struct {
	fset     *token.FileSet
	sizes    types.Sizes
	packages []*sourcePackage // each after the packages that it imports
	errors   []string         // the compiler's messages about own packages: file:line:col: text
	unread   []string         // sentences about what was left out, and why
}

// sourcePackage is one package of a program.
type sourcePackage struct {
	path  string
	own   bool // it belongs to the repository, not to what it depends on
	root  bool // it matches the patterns: findings are about these
	types *types.Package
	// files are nil where only its declarations were read. A function without a body
	// there may have had one that does not compile.
	files []*ast.File
	info  *types.Info // nil where files is
}

// load reads the packages that match the patterns and all that they import.
// dependency is called for each package that is not the repository's own and whose
// bodies were read, after those that it imports; its files are dropped afterwards.
// Calls for packages that do not import each other may overlap. The program that
// it is given has no packages yet: those that a package imports are in its types.
//
// Nothing is compiled, and what does not compile is read as far as it can be: all
// that is in the files and the info that load hands out has a type.
func load(ctx context.Context, o Options, dependency func(*program, *sourcePackage)) (*program, error) {
	say := o.Progress
	if say == nil {
		say = func(string) {}
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	say("listing packages")
	l, err := list(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	say(fmt.Sprintf("reading %d packages", len(l.packages)))
	r := &reader{
		program:    &program{fset: token.NewFileSet(), sizes: l.sizes},
		dir:        dir,
		dependency: dependency,
	}
	if err := r.read(ctx, l.packages); err != nil {
		return nil, err
	}
	p := r.program
	p.errors = l.errors
	if l.newerGo != "" {
		p.unread = append(p.unread, l.newerGo)
	}
	for _, n := range l.packages {
		p.packages = append(p.packages, n.read)
		p.errors = append(p.errors, n.errors...)
		p.unread = append(p.unread, n.unread...)
	}
	slices.Sort(p.errors)
	p.errors = slices.Compact(p.errors)
	if !slices.ContainsFunc(p.packages, func(s *sourcePackage) bool { return s.root && s.files != nil }) {
		return nil, errors.Join(append([]error{errors.New("no package could be read")}, asErrors(p.errors)...)...)
	}
	return p, nil
}

func asErrors(texts []string) (errs []error) {
	for _, text := range texts {
		errs = append(errs, errors.New(text))
	}
	return errs
}

// reader parses packages and checks their types, each after those that it imports.
type reader struct {
	program    *program
	dir        string // errors name files relative to it
	dependency func(*program, *sourcePackage)
}

// read goes through listed, which are in the order of their imports, with as many
// workers as there are processors.
func (r *reader) read(ctx context.Context, listed []*listedPackage) error {
	var (
		ready   = make(chan *listedPackage, len(listed))
		pending = make(map[*listedPackage]*atomic.Int32, len(listed))
		left    atomic.Int32
		workers sync.WaitGroup
	)
	left.Store(int32(len(listed)))
	importers := map[*listedPackage][]*listedPackage{}
	for _, n := range listed {
		pending[n] = new(atomic.Int32)
		for _, imported := range n.imports {
			pending[n].Add(1)
			importers[imported] = append(importers[imported], n)
		}
	}
	for _, n := range listed {
		if pending[n].Load() == 0 {
			ready <- n
		}
	}
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for n := range ready {
				if ctx.Err() == nil {
					r.readPackage(ctx, n)
				}
				for _, importer := range importers[n] {
					if pending[importer].Add(-1) == 0 {
						ready <- importer
					}
				}
				if left.Add(-1) == 0 {
					close(ready)
				}
			}
		})
	}
	workers.Wait()
	return ctx.Err()
}

// readPackage fills n.read.
func (r *reader) readPackage(ctx context.Context, n *listedPackage) {
	n.read = &sourcePackage{path: n.path, own: n.own, root: n.root}
	if n.path == "unsafe" {
		n.read.types = types.Unsafe
		return
	}
	bodies := n.own || n.bodies
	files := r.parse(ctx, n, bodies)
	if ctx.Err() != nil {
		return
	}
	r.check(n, files, bodies)
	if !bodies || len(files) == 0 || n.read.info == nil {
		return
	}
	n.read.files = files
	if n.own {
		return
	}
	if r.dependency != nil && ctx.Err() == nil {
		r.dependency(r.program, n.read)
	}
	// Whoever still has a declaration shall not keep the function alive with it.
	for _, file := range files {
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				f.Body = nil
			}
		}
	}
	n.read.files, n.read.info = nil, nil
}

// place is pos as the compiler prints it.
func (r *reader) place(pos token.Pos) string {
	at := r.program.fset.Position(pos)
	if !at.IsValid() {
		return "-"
	}
	return fmt.Sprintf("%s:%d:%d", fileName(r.dir, at.Filename), at.Line, at.Column)
}
