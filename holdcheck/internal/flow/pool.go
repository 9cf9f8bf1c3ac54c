package flow

import (
	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// secondCheckout reports whether a site takes a connection from the pool that h was
// taken from.
func (u *Unit) secondCheckout(h *hold, s *site) (l Leaf, ok bool) {
	if h.pool.base == nil || s.call == nil || h.site == s {
		return l, false
	}
	used := map[key]Leaf{}
	u.addPools(used, s)
	l, ok = used[h.pool]
	return l, ok
}

// addPools adds the pools that a site takes connections from, itself or by what it
// calls, as its function knows them.
func (u *Unit) addPools(pools map[key]Leaf, s *site) {
	if s.call == nil || len(s.args) == 0 {
		return
	}
	add := func(k key, l Leaf) {
		if old, known := pools[k]; !known || l.before(old) {
			pools[k] = l
		}
	}
	if k := u.poolOf(s); k.base != nil {
		add(k, s.leaf(catalog.Cost{Kind: catalog.Checkout, Severity: catalog.High}))
	}
	for _, t := range s.targets {
		for k, l := range t.pools {
			p, ok := k.base.(*ssa.Parameter)
			if !ok || p.Parent() != t.fn || len(l.Chain) > 4 {
				continue
			}
			i := parameterIndex(p)
			if i >= len(s.args) {
				continue
			}
			guards, can := pass(l, s.args, s.in)
			if !can {
				continue
			}
			at := u.keys.of(s.args[i])
			if len(at.path)+len(k.path) > maxPath {
				continue
			}
			l.Guards = append(guards, s.guards...)
			l.Chain = append([]Step{s.step}, l.Chain...)
			add(key{at.base, at.path + k.path}, l)
		}
	}
}

// translate is a key of a function that s calls, as s's function knows it.
func (u *Unit) translate(k key, s *site) key {
	p, ok := k.base.(*ssa.Parameter)
	if !ok {
		return key{}
	}
	if p.Parent() == s.in.fn || encloses(p.Parent(), s.in.fn) {
		return k
	}
	i := parameterIndex(p)
	if i >= len(s.args) || len(s.targets) == 0 || s.targets[0].fn != p.Parent() {
		return key{}
	}
	at := u.keys.of(s.args[i])
	return key{at.base, at.path + k.path}
}

// poolGiven is the pool that a helper of a library is called with.
func (u *Unit) poolGiven(s *site) key {
	for _, a := range s.args {
		if catalog.IsPool(a.Type()) {
			return u.keys.of(a)
		}
		if m, ok := a.(*ssa.MakeInterface); ok && catalog.IsPool(m.X.Type()) {
			return u.keys.of(m.X)
		}
	}
	return key{}
}

// poolOf is the pool that a site takes a connection from, if it does.
func (u *Unit) poolOf(s *site) key {
	if fn := s.call.StaticCallee(); fn == nil || fn.Signature.Recv() == nil {
		if s.opener != nil {
			return u.poolGiven(s)
		}
		return key{}
	}
	name := methodName(s.call)
	v := s.args[0]
	if !catalog.IsPool(v.Type()) {
		return key{}
	}
	if t := catalog.TypeName(v.Type()); t == "gorm.io/gorm.DB" || t == "github.com/jinzhu/gorm.DB" {
		if !catalog.IsGormFinisher(name) {
			return key{}
		}
		for {
			call, ok := v.(*ssa.Call)
			if !ok || call.Call.IsInvoke() || methodName(&call.Call) == "Begin" || catalog.TypeName(call.Type()) != t ||
				len(call.Call.Args) == 0 || catalog.TypeName(call.Call.Args[0].Type()) != t {
				return u.keys.of(v)
			}
			v = call.Call.Args[0]
		}
	}
	if catalog.IsPoolUse(name) || s.opener != nil {
		return u.keys.of(v)
	}
	return key{}
}
