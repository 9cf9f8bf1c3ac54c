package flow

import (
	"cmp"
	"go/token"
	"maps"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// key names a variable or what can be reached from one, across the closures that
// capture it, so that two values that are the same thing have the same key: a
// parameter, a field of the receiver, a result of a call. Pointers count as what they
// point to. It does not follow assignments that differ by path, so it is a guess,
// and one that is usually right for transactions, errors and callbacks.
type key struct {
	base ssa.Value
	path string
}

func (k key) field(name string) key { return key{k.base, k.path + "." + name} }

// result is the key of a call's result i.
func result(call ssa.Value, i int) key { return key{call, "#" + string(rune('0'+i))} }

// maxPath bounds keys of things that point to themselves.
const maxPath = 64

// keyFinder finds keys, and remembers them.
type keyFinder struct {
	known    map[ssa.Value]key
	bindings map[*ssa.FreeVar]ssa.Value
	stores   map[*ssa.Alloc][]ssa.Value
	escaping map[*ssa.Alloc]bool
}

func newKeyFinder() *keyFinder {
	return &keyFinder{map[ssa.Value]key{}, map[*ssa.FreeVar]ssa.Value{}, map[*ssa.Alloc][]ssa.Value{}, map[*ssa.Alloc]bool{}}
}

func (k *keyFinder) of(v ssa.Value) key {
	if known, ok := k.known[v]; ok {
		return known
	}
	k.known[v] = key{v, ""} // where v depends on itself
	found := k.find(v)
	if len(found.path) > maxPath {
		found = key{v, ""}
	}
	k.known[v] = found
	return found
}

func (k *keyFinder) find(v ssa.Value) key {
	switch v := v.(type) {
	case *ssa.FreeVar:
		if b := k.binding(v); b != nil {
			return k.of(b)
		}
	case *ssa.UnOp:
		if v.Op == token.MUL {
			at := k.of(v.X)
			if a, ok := at.base.(*ssa.Alloc); ok && at.path == "" {
				if vals, whole := k.stored(a); whole && len(vals) == 1 {
					return k.of(vals[0])
				}
			}
			return at
		}
	case *ssa.FieldAddr:
		return k.of(v.X).field(fieldOf(v.X.Type(), v.Field).Name())
	case *ssa.Field:
		return k.of(v.X).field(fieldOf(v.X.Type(), v.Field).Name())
	case *ssa.IndexAddr:
		return k.of(v.X).field("[]")
	case *ssa.Index:
		return k.of(v.X).field("[]")
	case *ssa.Lookup:
		return k.of(v.X).field("[]")
	case *ssa.MakeInterface:
		return k.of(v.X)
	case *ssa.ChangeType:
		return k.of(v.X)
	case *ssa.ChangeInterface:
		return k.of(v.X)
	case *ssa.Convert:
		return k.of(v.X)
	case *ssa.Slice:
		return k.of(v.X)
	case *ssa.TypeAssert:
		return k.of(v.X)
	case *ssa.Extract:
		if call, ok := v.Tuple.(*ssa.Call); ok {
			return result(call, v.Index)
		}
		if _, ok := v.Tuple.(*ssa.TypeAssert); ok && v.Index == 0 {
			return k.of(v.Tuple)
		}
	case *ssa.Call:
		if m := v.Call.Method; m != nil && m.Name() == "Value" && catalog.IsContext(v.Call.Value.Type()) {
			return k.of(v.Call.Value).field("Value()")
		}
		return result(v, 0)
	case *ssa.Phi:
		var all key
		for _, e := range v.Edges {
			if c, ok := e.(*ssa.Const); ok && c.IsNil() {
				continue
			}
			switch ek := k.of(e); {
			case ek.base == ssa.Value(v):
			case all.base == nil:
				all = ek
			case all != ek:
				return key{v, ""}
			}
		}
		if all.base != nil {
			return all
		}
	}
	return key{v, ""}
}

// binding is what a closure's variable is in the function around it. Wrappers that
// many method values share have none.
func (k *keyFinder) binding(v *ssa.FreeVar) ssa.Value {
	if b, known := k.bindings[v]; known {
		return b
	}
	fn := v.Parent()
	k.bindings[v] = nil
	if fn.Parent() == nil {
		return nil
	}
	for _, b := range fn.Parent().Blocks {
		for _, instr := range b.Instrs {
			if c, ok := instr.(*ssa.MakeClosure); ok && c.Fn == fn {
				for i, f := range fn.FreeVars {
					k.bindings[f] = c.Bindings[i]
				}
				return k.bindings[v]
			}
		}
	}
	return nil
}

// stored are the values that are stored to a variable as a whole, closures included.
// whole is false where something else may write to it.
func (k *keyFinder) stored(a *ssa.Alloc) (vals []ssa.Value, whole bool) {
	if vals, known := k.stores[a]; known {
		return vals, !k.escaping[a]
	}
	whole = true
	var visit func(addr ssa.Value)
	visit = func(addr ssa.Value) {
		if addr.Referrers() == nil {
			return
		}
		for _, use := range *addr.Referrers() {
			switch use := use.(type) {
			case *ssa.Store:
				if use.Addr == addr {
					vals = append(vals, use.Val)
				} else {
					whole = false
				}
			case *ssa.MakeClosure:
				fn := use.Fn.(*ssa.Function)
				for i, b := range use.Bindings {
					if b == addr {
						visit(fn.FreeVars[i])
					}
				}
			case *ssa.UnOp, *ssa.DebugRef:
			case *ssa.FieldAddr:
				whole = whole && !assigned(use)
			case *ssa.IndexAddr:
				whole = whole && !assigned(use)
			default:
				whole = false
			}
		}
	}
	visit(a)
	k.stores[a], k.escaping[a] = vals, !whole
	return vals, whole
}

// assigned reports whether something is stored at an address.
func assigned(addr ssa.Value) bool {
	for _, use := range *addr.Referrers() {
		if s, ok := use.(*ssa.Store); ok && s.Addr == addr {
			return true
		}
	}
	return false
}

// outermostOf is the declared function that a closure is in.
func outermostOf(fn *ssa.Function) *ssa.Function {
	for fn.Parent() != nil {
		fn = fn.Parent()
	}
	return fn
}

// sortedKeys are a map's keys in an order that is always the same.
func sortedKeys[V any](m map[key]V) []key {
	ks := slices.Collect(maps.Keys(m))
	slices.SortFunc(ks, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.base.Pos(), b.base.Pos()), cmp.Compare(a.base.Name(), b.base.Name()), cmp.Compare(a.path, b.path))
	})
	return ks
}
