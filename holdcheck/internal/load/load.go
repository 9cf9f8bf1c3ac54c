package load

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

// Program is source as it was read, types and all.
type Program struct {
	Fset     *token.FileSet
	sizes    types.Sizes
	Packages []*Package // each after the packages that it imports
	Errors   []string   // the compiler's messages about own packages: file:line:col: text
	Unread   []string   // sentences about what was left out, and why
}

// Package is one package of a program.
type Package struct {
	Path  string
	Own   bool // it belongs to the repository, not to what it depends on
	Root  bool // it matches the patterns: findings are about these
	Types *types.Package
	// files are nil where only its declarations were read. A function without a body
	// there may have had one that does not compile.
	Files []*ast.File
	Info  *types.Info // nil where files is
}

// Options say what is read.
type Options struct {
	Dir      string   // the folder to be in
	Patterns []string // packages, as the go command takes them; the default is ./...
	Tests    bool     // test files too
	Progress func(string)
}

// Read reads the packages that match the patterns and all that they import.
// dependency is called for each package that is not the repository's own and whose
// bodies were read, after those that it imports; its files are dropped afterwards.
// Calls for packages that do not import each other may overlap. The program that
// it is given has no packages yet: those that a package imports are in its types.
//
// Nothing is compiled, and what does not compile is read as far as it can be: all
// that is in the files and the info that load hands out has a type.
func Read(ctx context.Context, o Options, dependency func(*Program, *Package)) (*Program, error) {
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
		program:    &Program{Fset: token.NewFileSet(), sizes: l.sizes},
		dir:        dir,
		dependency: dependency,
	}
	if err := r.read(ctx, l.packages); err != nil {
		return nil, err
	}
	p := r.program
	p.Errors = l.errors
	if l.newerGo != "" {
		p.Unread = append(p.Unread, l.newerGo)
	}
	for _, n := range l.packages {
		p.Packages = append(p.Packages, n.read)
		p.Errors = append(p.Errors, n.errors...)
		p.Unread = append(p.Unread, n.unread...)
	}
	slices.Sort(p.Errors)
	p.Errors = slices.Compact(p.Errors)
	if !slices.ContainsFunc(p.Packages, func(s *Package) bool { return s.Root && s.Files != nil }) {
		return nil, errors.Join(append([]error{errors.New("no package could be read")}, asErrors(p.Errors)...)...)
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
	program    *Program
	dir        string // errors name files relative to it
	dependency func(*Program, *Package)
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
	n.read = &Package{Path: n.path, Own: n.own, Root: n.root}
	if n.path == "unsafe" {
		n.read.Types = types.Unsafe
		return
	}
	bodies := n.own || n.bodies
	files := r.parse(ctx, n, bodies)
	if ctx.Err() != nil {
		return
	}
	r.check(n, files, bodies)
	if !bodies || len(files) == 0 || n.read.Info == nil {
		return
	}
	n.read.Files = files
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
	n.read.Files, n.read.Info = nil, nil
}

// place is pos as the compiler prints it.
func (r *reader) place(pos token.Pos) string {
	at := r.program.Fset.Position(pos)
	if !at.IsValid() {
		return "-"
	}
	return fmt.Sprintf("%s:%d:%d", FileName(r.dir, at.Filename), at.Line, at.Column)
}

// FileName is what a file is called in findings: relative to dir, with slashes.
func FileName(dir, file string) string {
	if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsAbs(file) {
		file = rel
	}
	return filepath.ToSlash(file)
}

// File reads a program of one file, without the go command: it may import what
// imports has, by path. It is for tests that make programs; what does not compile is
// left out as load does it.
func File(fset *token.FileSet, path, name string, source []byte, imports map[string]*types.Package) *Program {
	r := &reader{program: &Program{Fset: fset, sizes: types.SizesFor("gc", "amd64")}}
	n := &listedPackage{path: path, own: true, root: true, imports: map[string]*listedPackage{}}
	for path, pkg := range imports {
		n.imports[path] = &listedPackage{path: path, std: true, read: &Package{Path: path, Types: pkg}}
	}
	n.read = &Package{Path: path, Own: true, Root: true}
	if file := r.parseFile(n, name, source); file != nil {
		files := []*ast.File{file}
		if r.check(n, files, true); n.read.Info != nil {
			n.read.Files = files
		}
	}
	p := r.program
	p.Packages, p.Errors, p.Unread = []*Package{n.read}, n.errors, n.unread
	return p
}
