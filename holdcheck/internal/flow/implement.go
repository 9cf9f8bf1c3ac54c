package flow

import (
	"go/types"
	"slices"
)

// methodOf is a method of an interface.
type methodOf struct {
	iface *types.Interface
	name  string
}

// implementations are the methods that a call of an interface's method can be: of
// types of the unit that are put into interfaces, or, where none is, of all.
func (u *Unit) implementations(iface *types.Interface, m *types.Func) []*node {
	k := methodOf{iface, m.Name()}
	if known, ok := u.impls[k]; ok {
		return known
	}
	found := u.methods(u.concrete, iface, m)
	if len(found) == 0 {
		found = u.methods(u.named, iface, m)
	}
	u.impls[k] = found
	return found
}

func (u *Unit) methods(of []types.Type, iface *types.Interface, m *types.Func) (found []*node) {
	for _, t := range of {
		sel := u.prog.MethodSets.MethodSet(t).Lookup(m.Pkg(), m.Name())
		if sel == nil || types.IsInterface(t) || !types.Implements(t, iface) {
			continue
		}
		fn := u.prog.MethodValue(sel)
		if fn == nil {
			continue
		}
		if n := u.node(fn); n != nil && !slices.Contains(found, n) {
			found = append(found, n)
		}
	}
	return found
}
