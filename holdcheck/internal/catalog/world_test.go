package catalog

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

// standardTypes are the packages of the standard library that the tables name.
var standardTypes = sync.OnceValues(func() (map[string]*types.Package, error) {
	paths := map[string]bool{"context": true, "errors": true}
	for _, names := range tableNames() {
		for _, name := range names {
			if path := pathOf(name); IsStd(path) {
				paths[path] = true
			}
		}
	}
	loaded, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes}, slices.Sorted(maps.Keys(paths))...)
	byPath := map[string]*types.Package{}
	for _, p := range loaded {
		byPath[p.PkgPath] = p.Types
	}
	return byPath, err
})

// fullNameForm has a method's receiver and name, or a function's package and name.
var fullNameForm = regexp.MustCompile(`^(?:\((\*?)([\w./~-]+)\.(\w+)\)|([\w./~-]+))\.(\w+)$`)

func pathOf(name string) string {
	m := fullNameForm.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	return m[2] + m[4]
}

// standardFunc finds a function of the standard library by its full name.
func standardFunc(t *testing.T, name string) *types.Func {
	t.Helper()
	all, err := standardTypes()
	if err != nil {
		t.Fatal(err)
	}
	m := fullNameForm.FindStringSubmatch(name)
	pkg := all[pathOf(name)]
	if pkg == nil {
		t.Fatalf("no package for %s", name)
	}
	if m[3] == "" {
		fn, _ := pkg.Scope().Lookup(m[5]).(*types.Func)
		return fn
	}
	typ, ok := pkg.Scope().Lookup(m[3]).(*types.TypeName)
	if !ok {
		return nil
	}
	obj, _, _ := types.LookupFieldOrMethod(types.NewPointer(typ.Type()), true, pkg, m[5])
	if types.IsInterface(typ.Type()) {
		obj, _, _ = types.LookupFieldOrMethod(typ.Type(), true, pkg, m[5])
	}
	fn, _ := obj.(*types.Func)
	if fn == nil || FullName(fn) != name {
		return nil // it is another type's, or has no pointer
	}
	return fn
}

// unexported reports whether a name's receiver is not exported: export data need not
// have it.
func unexported(name string) bool {
	m := fullNameForm.FindStringSubmatch(name)
	return m[3] != "" && !ast.IsExported(m[3])
}

// world type-checks small packages that stand in for a library's.
type world struct {
	t        *testing.T
	packages map[string]*types.Package
}

func newWorld(t *testing.T) *world {
	if testing.Short() {
		t.Skip("asks the go command for types")
	}
	std, err := standardTypes()
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, maps.Clone(std)}
}

func (w *world) Import(path string) (*types.Package, error) {
	if p := w.packages[path]; p != nil {
		return p, nil
	}
	return importer.Default().Import(path)
}

// add checks a package, and returns its functions by their full names.
func (w *world) add(path, source string) map[string]*types.Func {
	w.t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: w}).Check(path, fset, []*ast.File{file}, info)
	if err != nil {
		w.t.Fatal(err)
	}
	w.packages[path] = pkg
	funcs := map[string]*types.Func{}
	for _, obj := range info.Defs {
		if fn, ok := obj.(*types.Func); ok {
			funcs[strings.ReplaceAll(FullName(fn), path+".", "")] = fn
		}
	}
	return funcs
}
