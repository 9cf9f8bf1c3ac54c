package load

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

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
