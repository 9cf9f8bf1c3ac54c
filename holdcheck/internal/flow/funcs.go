package flow

import (
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// funcRef is a function that a value may be. Where a call returned it, via is that
// call, whose arguments its parameters around it are.
type funcRef struct {
	node *node
	via  *site
}

// funcSet is what a value of a function's type may be.
type funcSet struct {
	refs   []funcRef
	params []key // parameters, of the function at hand or of those around it
	other  []*types.Func
	open   bool // or something else
}

// funcs finds the functions that a value may be.
func (u *Unit) funcs(v ssa.Value) funcSet {
	var set funcSet
	u.addFuncs(&set, v, map[ssa.Value]bool{}, nil)
	return set
}

func (u *Unit) addFuncs(set *funcSet, v ssa.Value, seen map[ssa.Value]bool, via *site) {
	if seen[v] {
		return
	}
	if _, several := v.Type().Underlying().(*types.Slice); several {
		u.addElements(set, v, seen, via)
		return
	}
	seen[v] = true
	add := func(v ssa.Value) { u.addFuncs(set, v, seen, via) }
	all := func(vs []ssa.Value) {
		if len(vs) == 0 {
			set.open = true
		}
		for _, v := range vs {
			add(v)
		}
	}
	switch v := v.(type) {
	case *ssa.Function:
		u.addFunc(set, v, via)
	case *ssa.MakeClosure:
		u.addFunc(set, v.Fn.(*ssa.Function), via)
	case *ssa.ChangeType:
		add(v.X)
	case *ssa.MakeInterface:
		add(v.X)
	case *ssa.ChangeInterface:
		add(v.X)
	case *ssa.TypeAssert:
		add(v.X)
	case *ssa.Phi:
		all(v.Edges)
	case *ssa.Const: // nil
	case *ssa.Parameter:
		set.params = append(set.params, key{v, ""})
	case *ssa.FreeVar:
		if b := u.keys.binding(v); b != nil {
			add(b)
		} else {
			set.open = true
		}
	case *ssa.Field:
		all(u.fields[fieldOf(v.X.Type(), v.Field)])
	case *ssa.Lookup:
		u.addElements(set, v.X, seen, via)
	case *ssa.Index:
		u.addElements(set, v.X, seen, via)
	case *ssa.Extract:
		if l, ok := v.Tuple.(*ssa.Lookup); ok && v.Index == 0 {
			u.addElements(set, l.X, seen, via)
		} else if n, ok := v.Tuple.(*ssa.Next); ok {
			if r, ok := n.Iter.(*ssa.Range); ok {
				u.addElements(set, r.X, seen, via)
			}
		} else {
			set.open = true
		}
	case *ssa.UnOp:
		switch at := v.X.(type) {
		case *ssa.IndexAddr:
			u.addElements(set, at.X, seen, via)
		case *ssa.FieldAddr:
			all(u.fields[fieldOf(at.X.Type(), at.Field)])
		case *ssa.Global:
			all(u.globals[at])
		case *ssa.Alloc:
			vals, _ := u.keys.stored(at)
			all(vals)
		case *ssa.FreeVar:
			if a, ok := u.variable(at).(*ssa.Alloc); ok {
				vals, _ := u.keys.stored(a)
				all(vals)
			} else {
				set.open = true
			}
		default:
			set.open = true
		}
	case *ssa.Call:
		n := u.nodes[v.Parent()]
		if n == nil || n.byPos[v] == nil {
			set.open = true
			return
		}
		s := n.byPos[v]
		if a, ok := stoodFor(v); ok {
			add(a)
			return
		}
		targets := u.targets(s)
		if len(targets) == 0 {
			set.open = true
		}
		for _, t := range targets {
			for _, r := range t.node.returns {
				u.addFuncs(set, r, seen, s)
			}
		}
	default:
		set.open = true
	}
}

// addElements adds the functions in a map, a slice or an array.
func (u *Unit) addElements(set *funcSet, container ssa.Value, seen map[ssa.Value]bool, via *site) {
	if seen[container] {
		return
	}
	seen[container] = true
	found := false
	add := func(k key) {
		for _, v := range u.elements[k] {
			found = true
			if isFunc(v) {
				u.addFuncs(set, v, seen, via)
			} else {
				u.addElements(set, v, seen, via)
			}
		}
	}
	switch c := container.(type) {
	case *ssa.Slice:
		found = true
		u.addElements(set, c.X, seen, via)
	case *ssa.Phi:
		found = true
		for _, e := range c.Edges {
			u.addElements(set, e, seen, via)
		}
	case *ssa.Call:
		if b, ok := c.Call.Value.(*ssa.Builtin); ok && b.Name() == "append" {
			found = true
			for _, a := range c.Call.Args {
				u.addElements(set, a, seen, via)
			}
		}
	case *ssa.UnOp:
		add(u.place(c.X))
		if a, ok := u.variable(c.X).(*ssa.Alloc); ok {
			vals, _ := u.keys.stored(a)
			for _, v := range vals {
				found = true
				u.addElements(set, v, seen, via)
			}
		}
	case *ssa.Parameter:
		set.params = append(set.params, key{c, ""})
		return
	case *ssa.FreeVar:
		if b := u.keys.binding(c); b != nil {
			found = true
			u.addElements(set, b, seen, via)
		}
	case *ssa.Const:
		return // nil
	}
	add(u.keys.of(container))
	if !found {
		set.open = true
	}
}

// variable is the variable that a closure's variable is.
func (u *Unit) variable(v ssa.Value) ssa.Value {
	for {
		f, ok := v.(*ssa.FreeVar)
		if !ok {
			return v
		}
		b := u.keys.binding(f)
		if b == nil {
			return v
		}
		v = b
	}
}

func (u *Unit) addFunc(set *funcSet, fn *ssa.Function, via *site) {
	if obj, ok := fn.Object().(*types.Func); ok && strings.HasPrefix(fn.Synthetic, "bound method wrapper") {
		if recv := obj.Signature().Recv(); recv != nil && types.IsInterface(recv.Type()) {
			if iface, ok := recv.Type().Underlying().(*types.Interface); ok && !catalog.IsStd(packagePath(obj)) {
				for _, n := range u.implementations(iface, obj) {
					set.refs = append(set.refs, funcRef{n, via})
				}
			}
			set.other = append(set.other, obj)
			return
		}
		if method := u.prog.FuncValue(obj.Origin()); method != nil {
			fn = method
		}
	}
	if n := u.node(fn); n != nil {
		set.refs = append(set.refs, funcRef{n, via})
		return
	}
	if obj, ok := object(fn); ok {
		set.other = append(set.other, obj)
	} else {
		set.open = true
	}
}

// targets are the unit's functions that a site calls.
func (u *Unit) targets(s *site) []funcRef {
	switch {
	case s.known:
		return s.refs
	case s.asked: // it depends on itself
		return nil
	}
	s.asked = true
	u.asking++
	refs := u.findTargets(s)
	u.asking--
	s.asked = false
	if u.asking == 0 { // else it may be without what is asked for further up
		s.refs, s.known = refs, true
	}
	return refs
}

func (u *Unit) findTargets(s *site) []funcRef {
	var refs []funcRef
	for _, t := range s.targets {
		refs = append(refs, funcRef{t, nil})
	}
	switch {
	case s.fast:
	case s.invoke != nil:
		if iface, ok := s.call.Value.Type().Underlying().(*types.Interface); ok && !catalog.IsStd(packagePath(s.invoke)) {
			for _, t := range u.implementations(iface, s.invoke) {
				refs = append(refs, funcRef{t, nil})
			}
		}
	case s.dynamic:
		refs = append(refs, u.funcs(s.call.Value).refs...)
	}
	return refs
}

func packagePath(f *types.Func) string {
	if f.Pkg() == nil {
		return ""
	}
	return f.Pkg().Path()
}

// collects notes that a variable holds a map or a slice of functions.
func (u *Unit) collects(addr, container ssa.Value, elem types.Type) {
	if _, ok := elem.Underlying().(*types.Signature); !ok {
		return
	}
	k := u.place(addr)
	u.elements[k] = append(u.elements[k], container)
}

// place is the key of a variable: for a field, one that all values of its type share.
func (u *Unit) place(addr ssa.Value) key {
	if f, ok := addr.(*ssa.FieldAddr); ok {
		return u.fieldKey(fieldOf(f.X.Type(), f.Field))
	}
	return u.keys.of(addr)
}

// fieldKey stands for a field of all values of a type.
func (u *Unit) fieldKey(f *types.Var) key {
	return key{nil, f.Id() + "@" + u.prog.Fset.Position(f.Pos()).String()}
}
