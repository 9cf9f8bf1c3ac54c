package load

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
)

// check types a package, with the bodies of its functions or without. It takes out of
// the files what has no types.
func (r *reader) check(n *listedPackage, files []*ast.File, bodies bool) {
	unparsed := n.broken
	for _, imported := range n.imports {
		n.broken = n.broken || imported.broken && imported.own
		n.tainted = n.tainted || imported.tainted
	}
	n.tainted = n.tainted || len(n.missing) > 0

	c := &typeCheck{r: r, n: n, files: files}
	config := &types.Config{
		GoVersion:                n.version,
		IgnoreFuncBodies:         !bodies,
		FakeImportC:              true,
		Error:                    c.failed,
		Importer:                 c,
		Sizes:                    r.program.sizes,
		DisableUnusedImportCheck: !n.own,
	}
	var info *types.Info
	if bodies {
		// Growing maps took a tenth of the time. So many there are in usual code.
		info = &types.Info{
			Types:        make(map[ast.Expr]types.TypeAndValue, n.size/20),
			Defs:         make(map[*ast.Ident]types.Object, n.size/150),
			Uses:         make(map[*ast.Ident]types.Object, n.size/25),
			Implicits:    map[ast.Node]types.Object{},
			Instances:    map[*ast.Ident]types.Instance{},
			Selections:   make(map[*ast.SelectorExpr]*types.Selection, n.size/200),
			FileVersions: map[*ast.File]string{},
		}
	}
	pkg, err := c.run(config, info)
	n.read.Types = pkg
	if err != nil {
		n.broken, n.tainted = true, true
		if n.own {
			n.unread = append(n.unread, fmt.Sprintf("%s could not be read: %v", n.path, err))
		}
		return
	}
	n.read.Info = info
	c.forgetFakes()
	if len(c.bad) > 0 {
		n.tainted = true
	}
	if n.std { // declares what it says, cgo or not
		n.tainted = false
	}
	if n.own && !n.broken && !n.aside {
		n.errors = append(n.errors, c.errors...)
	}
	if bodies && (n.tainted || unparsed || c.cgo()) {
		c.strip()
	}
	if n.own {
		for _, file := range files {
			dropData(file) // now that errors in it have been found
		}
	}
}

// typeCheck is the types of one package being checked.
type typeCheck struct {
	r      *reader
	n      *listedPackage
	files  []*ast.File
	errors []string
	bad    []token.Pos // where something has no type
	absent string      // why the import that the checker complains about next is not there
}

// run is types.Config.Check. A panic of the type checker is its error.
func (c *typeCheck) run(config *types.Config, info *types.Info) (pkg *types.Package, err error) {
	name := path.Base(c.n.path)
	if len(c.files) > 0 {
		name = c.files[0].Name.Name
	}
	defer func() {
		if p := recover(); p != nil {
			pkg = types.NewPackage(c.n.path, name)
			pkg.MarkComplete()
			err = fmt.Errorf("the type checker failed: %v", p)
		}
	}()
	pkg = types.NewPackage(c.n.path, name)
	// All that is wrong has been said to config.Error.
	types.NewChecker(config, c.r.program.Fset, pkg, info).Files(c.files)
	return pkg, nil
}

// failed is told what is wrong.
func (c *typeCheck) failed(err error) {
	var e types.Error
	if !errors.As(err, &e) {
		c.errors = append(c.errors, err.Error())
		return
	}
	text := c.r.place(e.Pos) + ": "
	more, ok := strings.CutPrefix(e.Msg, "\t")
	if ok && len(c.errors) > 0 { // the error before has to do with this line too
		c.errors[len(c.errors)-1] += "\n\t" + text + more
		return
	}
	if !e.Soft || !unused(e.Msg) {
		c.bad = append(c.bad, e.Pos)
	}
	if c.absent == "" && c.follows(e.Msg) {
		return
	}
	text += cmp.Or(c.absent, e.Msg)
	c.absent = ""
	c.errors = append(c.errors, text)
}

// follows reports whether an error only comes from another: from an import that is not
// there, or from C, of which we know nothing. The type checker leaves such errors out
// by the same words, but only after another.
func (c *typeCheck) follows(message string) bool {
	return (c.n.tainted || c.cgo()) && (strings.Contains(message, "invalid type") || strings.Contains(message, "invalid operand"))
}

// unused reports whether an error is about something that is not used, which is no
// reason not to read the function.
func unused(message string) bool { return strings.Contains(message, "not used") }

// Import implements types.Importer.
func (c *typeCheck) Import(importPath string) (*types.Package, error) {
	if importPath == "unsafe" {
		return types.Unsafe, nil
	}
	if imported := c.n.imports[importPath]; imported != nil && imported.read != nil && imported.read.Types != nil {
		return imported.read.Types, nil
	}
	c.absent = cmp.Or(c.n.missing[importPath], "could not import "+importPath)
	c.n.tainted = true
	// The checker lets names of a package that comes with an error pass, if only it
	// knows what the package is called.
	return types.NewPackage(importPath, c.called(importPath)), errors.New(c.absent)
}

// called guesses the name of a package that is not there.
func (c *typeCheck) called(importPath string) string {
	names := possibleNames(importPath)
	used := map[string]bool{}
	for _, file := range c.files {
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok {
					used[x.Name] = true
				}
			}
			return true
		})
	}
	for _, name := range names {
		if used[name] {
			return name
		}
	}
	return names[0]
}

// possibleNames are what a package with this path may be called, the likely first:
// yaml for gopkg.in/yaml.v3, redis for github.com/redis/go-redis/v9.
func possibleNames(importPath string) []string {
	parts := strings.Split(importPath, "/")
	last := parts[len(parts)-1]
	if len(parts) > 1 && len(last) > 1 && last[0] == 'v' && strings.Trim(last[1:], "0123456789") == "" {
		last = parts[len(parts)-2]
	}
	if before, _, versioned := strings.Cut(last, ".v"); versioned {
		last = before
	}
	var names []string
	add := func(name string) {
		if token.IsIdentifier(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	add(last)
	add(strings.TrimPrefix(last, "go-"))
	add(strings.TrimSuffix(strings.TrimSuffix(last, "-go"), ".go"))
	words := strings.FieldsFunc(last, func(r rune) bool { return r == '-' || r == '.' })
	add(strings.Join(words, ""))
	add(strings.Join(words, "_"))
	for _, word := range words {
		add(word)
	}
	if len(names) == 0 {
		names = []string{"unknown"}
	}
	return names
}

// real reports whether a package was read.
func (c *typeCheck) real(p *types.Package) bool {
	if p == types.Unsafe {
		return true
	}
	for _, imported := range c.n.imports {
		if imported.read != nil && imported.read.Types == p {
			return true
		}
	}
	return false
}

// forgetFakes takes C and what is not there out of the imports of the package:
// package ssa wants all of them to have been created.
func (c *typeCheck) forgetFakes() {
	pkg := c.n.read.Types
	var imports []*types.Package
	for _, p := range pkg.Imports() {
		if c.real(p) {
			imports = append(imports, p)
		}
	}
	pkg.SetImports(imports)
}

// cgo reports whether a file uses C.
func (c *typeCheck) cgo() bool {
	for _, file := range c.files {
		for _, imported := range file.Imports {
			if imported.Path.Value == `"C"` {
				return true
			}
		}
	}
	return false
}
