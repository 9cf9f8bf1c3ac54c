package catalog

import (
	"go/types"
	"strings"
)

// FullName is the name in the tables: types.Func.FullName without type parameters.
func FullName(f *types.Func) string {
	name := f.Origin().FullName()
	if open := strings.IndexByte(name, '['); open >= 0 {
		if end := strings.IndexByte(name[open:], ']'); end >= 0 {
			name = name[:open] + name[open+end+1:]
		}
	}
	return name
}

// TypeName is a type, or what it points to, with the path of its package; empty where
// it has no name.
func TypeName(t types.Type) string {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := types.Unalias(t).(*types.Named); ok && n.Obj().Pkg() != nil {
		return n.Obj().Pkg().Path() + "." + n.Obj().Name()
	}
	return ""
}

// HasMethod reports whether a type, as it is, has a method that is exported.
func HasMethod(t types.Type, name string) bool {
	obj, _, _ := types.LookupFieldOrMethod(t, false, nil, name)
	_, ok := obj.(*types.Func)
	return ok
}

// IsContext reports whether a type is context.Context.
func IsContext(t types.Type) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Name() == "Context" && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "context"
}

// IsError reports whether a type is error.
func IsError(t types.Type) bool { return types.Identical(t, types.Universe.Lookup("error").Type()) }
