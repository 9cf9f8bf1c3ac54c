package load

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"os"
	"path"
	"slices"
	"strings"
)

// parse reads the files of a package. What cannot be parsed is left out of them.
func (r *reader) parse(ctx context.Context, n *listedPackage, bodies bool) []*ast.File {
	files := make([]*ast.File, 0, len(n.files))
	for _, name := range n.files {
		if ctx.Err() != nil {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			n.broken, n.tainted = true, true
			if n.own {
				n.errors = append(n.errors, err.Error())
			}
			continue
		}
		n.size += len(source)
		if !bodies {
			blank(source)
		}
		if file := r.parseFile(n, name, source); file != nil {
			if n.bodies {
				dropData(file)
			}
			files = append(files, file)
		}
	}
	return files
}

// parseFile parses a file. The parser may lose all that is behind a mistake, so
// functions with one are left without a body, and it begins again.
func (r *reader) parseFile(n *listedPackage, name string, source []byte) *ast.File {
	mode := parser.SkipObjectResolution
	if n.own {
		mode |= parser.ParseComments
	}
	const tries = 20
	var without []int // offsets of the bodies that are left out
	for range tries {
		file, err := parser.ParseFile(r.program.Fset, name, source, mode)
		if err == nil {
			n.skip(r.program.Fset, file, without)
			return file
		}
		n.broken, n.tainted = true, true
		if file != nil && (!file.Package.IsValid() || file.Name.Name == "_") {
			file = nil // not even that could be read
		}
		var list scanner.ErrorList
		if !errors.As(err, &list) || len(list) == 0 {
			n.errors = append(n.errors, err.Error())
			return nil
		}
		at, found := blankAround(source, list[0].Pos.Offset)
		if found {
			list = list[:1] // what follows may only follow from it
			without = append(without, at)
		}
		if n.own {
			for _, e := range list {
				n.errors = append(n.errors, fmt.Sprintf("%s:%d:%d: %s", FileName(r.dir, e.Pos.Filename), e.Pos.Line, e.Pos.Column, e.Msg))
			}
		}
		if !found {
			n.skip(r.program.Fset, file, without)
			return file
		}
	}
	return nil
}

// skip takes the bodies at the offsets out of a file.
func (n *listedPackage) skip(fset *token.FileSet, file *ast.File, offsets []int) {
	if file == nil || len(offsets) == 0 {
		return
	}
	file.Decls = slices.DeleteFunc(file.Decls, func(decl ast.Decl) bool {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil || !slices.Contains(offsets, fset.PositionFor(f.Body.Lbrace, false).Offset) {
			return false
		}
		n.skipped = append(n.skipped, funcName(f))
		f.Body = nil
		return f.Recv == nil && f.Name.Name == "init"
	})
}

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

// strip takes what has no type out of files and info: package ssa panics where it
// meets such a thing in the body of a function, or a declaration without an object.
// That a type has a field or a function a parameter without a type it can bear.
func (c *typeCheck) strip() {
	info := c.n.read.Info
	c.findBad()
	stripped := c.n.skipped
	for _, file := range c.files {
		file.Decls = slices.DeleteFunc(file.Decls, func(decl ast.Decl) bool {
			switch decl := decl.(type) {
			case *ast.BadDecl:
				return true
			case *ast.GenDecl:
				decl.Specs = slices.DeleteFunc(decl.Specs, func(spec ast.Spec) bool { return !c.keepSpec(spec) })
			case *ast.FuncDecl:
				f, ok := info.Defs[decl.Name].(*types.Func)
				if !ok {
					stripped = append(stripped, funcName(decl))
					return true
				}
				if _, ok := f.Type().(*types.Signature); !ok {
					stripped = append(stripped, funcName(decl))
					return true
				}
				if decl.Body != nil && c.badWithin(decl) {
					stripped = append(stripped, funcName(decl))
					decl.Body = nil
					return decl.Recv == nil && decl.Name.Name == "init"
				}
			}
			return false
		})
	}
	info.InitOrder = slices.DeleteFunc(info.InitOrder, func(i *types.Initializer) bool {
		return c.badWithin(i.Rhs) || slices.ContainsFunc(i.Lhs, func(v *types.Var) bool { return untyped(v.Type()) })
	})
	if len(stripped) > 0 && c.n.own {
		why := "does not compile"
		if len(c.n.errors) == 0 {
			why = "uses what could not be read"
			if c.cgo() {
				why = "uses cgo"
			}
		}
		c.n.unread = append(c.n.unread, fmt.Sprintf("%s: not read, since it %s: %s", c.n.path, why, some(stripped)))
	}
}

// some is a list that ends after a few.
func some(names []string) string {
	const few = 5
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + f.Name.Name
		default:
			return f.Name.Name
		}
	}
}

// keepSpec takes the names that have no object, and constants that have no value, out
// of a declaration, and reports whether anything is left.
func (c *typeCheck) keepSpec(spec ast.Spec) bool {
	info := c.n.read.Info
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return info.Defs[spec.Name] != nil
	case *ast.ValueSpec:
		spec.Names = slices.DeleteFunc(spec.Names, func(name *ast.Ident) bool {
			switch obj := info.Defs[name].(type) {
			case *types.Var:
				return obj.Type() == nil
			case *types.Const:
				return obj.Type() == nil || obj.Val() == nil || untyped(obj.Type())
			}
			return true
		})
		return len(spec.Names) > 0
	}
	return true
}

// badWithin reports whether something within a node has no type.
func (c *typeCheck) badWithin(n ast.Node) bool {
	i, found := slices.BinarySearch(c.bad, n.Pos())
	return found || i < len(c.bad) && c.bad[i] < n.End()
}

// findBad fills c.bad, where the errors are already.
func (c *typeCheck) findBad() {
	info := c.n.read.Info
	for e, tv := range info.Types {
		if !tv.IsBuiltin() && untyped(tv.Type) {
			c.bad = append(c.bad, e.Pos())
		}
	}
	object := func(pos token.Pos, obj types.Object) {
		switch obj := obj.(type) {
		case nil, *types.Builtin, *types.Label, *types.Nil: // never have a type
		case *types.PkgName:
			if !c.real(obj.Imported()) {
				c.bad = append(c.bad, pos)
			}
		default:
			if untyped(obj.Type()) {
				c.bad = append(c.bad, pos)
			}
		}
	}
	for id, obj := range info.Defs {
		object(id.Pos(), obj)
	}
	for id, obj := range info.Uses {
		object(id.Pos(), obj)
		if f, ok := obj.(*types.Func); ok && f.Signature().TypeParams().Len() > 0 {
			if _, instantiated := info.Instances[id]; !instantiated { // with arguments that have no type
				c.bad = append(c.bad, id.Pos())
			}
		}
	}
	for node, obj := range info.Implicits {
		if _, ok := obj.(*types.PkgName); !ok {
			object(node.Pos(), obj)
		}
	}
	for id, instance := range info.Instances {
		if untyped(instance.Type) {
			c.bad = append(c.bad, id.Pos())
		}
	}
	for _, file := range c.files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.BadExpr, *ast.BadStmt:
				c.bad = append(c.bad, n.Pos())
			}
			return true
		})
	}
	slices.Sort(c.bad)
}

// untyped reports whether something has no type, or one that is made of such.
// Fields of a named type do not count: they are in the way of those who use them.
func untyped(t types.Type) bool {
	switch t := types.Unalias(t).(type) {
	case nil:
		return false // no value
	case *types.Basic:
		return t.Kind() == types.Invalid
	case *types.Named:
		for arg := range t.TypeArgs().Types() {
			if untyped(arg) {
				return true
			}
		}
		return t.Underlying() == types.Typ[types.Invalid]
	case *types.TypeParam:
		return t.Constraint().Underlying() == types.Typ[types.Invalid]
	case *types.Pointer:
		return untyped(t.Elem())
	case *types.Slice:
		return untyped(t.Elem())
	case *types.Array:
		return untyped(t.Elem())
	case *types.Chan:
		return untyped(t.Elem())
	case *types.Map:
		return untyped(t.Key()) || untyped(t.Elem())
	case *types.Tuple:
		for v := range t.Variables() {
			if untyped(v.Type()) {
				return true
			}
		}
	case *types.Signature:
		return untyped(t.Params()) || untyped(t.Results())
	case *types.Struct:
		for field := range t.Fields() {
			if untyped(field.Type()) {
				return true
			}
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			if untyped(m.Type()) {
				return true
			}
		}
		for e := range t.EmbeddedTypes() {
			if untyped(e) {
				return true
			}
		}
	case *types.Union:
		for term := range t.Terms() {
			if untyped(term.Type()) {
				return true
			}
		}
	}
	return false
}
