package flow

import (
	"cmp"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// calledParam is a parameter that a function calls.
type calledParam struct {
	Index int
	Step  Step      // where
	What  string    // how it is called there
	Held  *heldCall // nil where nothing is held meanwhile

	pos token.Pos // of Step, within the unit
}

// heldCall tells what is held while a parameter is called.
type heldCall struct {
	Taken
	// Body says that the parameter is the body of a transaction, and the function a
	// helper that runs it. Otherwise the function calls back with data, and the hold
	// is its own.
	Body bool

	pool key // what it was taken from, as the function knows it
}

// callKey is a parameter that is called, and where what is held meanwhile was taken:
// nowhere, or in one of several implementations.
type callKey struct {
	key
	hold Place
}

// argCall is an argument that is called by what a site calls.
type argCall struct {
	arg  ssa.Value
	call calledParam
}

// argCalls are the arguments of a site that are called before it returns.
func (u *Unit) argCalls(s *site) []argCall {
	var list []argCall
	at := func(args []ssa.Value, i int, c calledParam) {
		if i >= 0 && i < len(args) {
			list = append(list, argCall{args[i], c})
		}
	}
	plain := calledParam{Step: s.step, What: s.what, pos: s.pos}
	if s.opener != nil && s.opener.Callback >= 0 {
		i := s.opener.Callback
		if s.receives() {
			i++
		}
		if i < len(s.args) {
			c := plain
			c.Held = &heldCall{Taken: Taken{What: s.opener.What, Place: s.place(), By: s.in.name}, Body: true}
			if k := u.poolGiven(s); k.base != nil {
				c.Held.pool = k
			}
			at(s.args, i, c)
		}
	}
	if s.call == nil {
		return list
	}
	if obj, ok := callee(s.call); ok {
		if i, calls := catalog.ArgumentCalled(obj); calls {
			at(s.args, i, plain)
		}
	}
	if s.facts != nil {
		for _, c := range s.facts.Calls {
			at(s.args, c.Index, c)
		}
	}
	for _, t := range u.targets(s) {
		for _, k := range sortedCalls(t.node.calls) {
			c := t.node.calls[k]
			p, ok := k.base.(*ssa.Parameter)
			if !ok {
				continue
			}
			switch {
			case p.Parent() == t.node.fn:
				i := parameterIndex(p)
				if i == 0 && s.invoke != nil && isFunc(p) { // a function type with methods
					for _, v := range u.boxed[p.Type()] {
						list = append(list, argCall{v, c})
					}
					continue
				}
				at(s.args, i, c)
			case t.via != nil && !encloses(p.Parent(), s.in.fn):
				at(t.via.args, parameterIndex(p), c)
			}
		}
	}
	for _, a := range s.args {
		if c, ok := a.(*ssa.MakeClosure); ok && strings.HasPrefix(c.Fn.(*ssa.Function).Synthetic, "range-over-func") {
			list = append(list, argCall{a, plain})
		}
	}
	return list
}

// maxCalls is how many calls of parameters are told apart in one function.
const maxCalls = 64

// addCalls adds the parameters, of s's function or of those around it, that s leads
// to a call of. under is the hold that is open meanwhile, or nil.
func (u *Unit) addCalls(calls map[callKey]calledParam, s *site, under *hold) {
	add := func(k key, c calledParam) {
		p, ok := k.base.(*ssa.Parameter)
		if !ok || !encloses(p.Parent(), s.in.fn) {
			return
		}
		if c.Held == nil && under != nil {
			c.Held = under.call(isBody(p.Type()))
			c.Held.pool = under.pool
			c.Step, c.What, c.pos = s.step, s.what, s.pos
		}
		at := callKey{key: k}
		if c.Held != nil {
			at.hold = c.Held.Place
		}
		if _, known := calls[at]; !known && len(calls) < maxCalls {
			calls[at] = c
		}
	}
	plain := calledParam{Step: s.step, What: s.what, pos: s.pos}
	if s.dynamic {
		for _, k := range u.funcs(s.call.Value).params {
			add(k, plain)
		}
	}
	for _, c := range u.argCalls(s) {
		set := u.funcs(c.arg)
		for _, k := range set.params {
			add(k, c.call)
		}
		// A closure that calls a parameter of the function that it is in.
		for _, r := range set.refs {
			for _, k := range sortedCalls(r.node.calls) {
				inner := r.node.calls[k]
				if p, ok := k.base.(*ssa.Parameter); ok && p.Parent() != r.node.fn {
					if held := c.call.Held; inner.Held == nil && held != nil {
						h := *held
						if h.Body { // it was handed over here
							h.Body = isBody(p.Type())
							h.Openers = append([]string{h.By}, h.Openers...)
							h.Place, h.By = s.place(), s.in.name
						} else { // it is called back, by way of another function
							inner.Step, inner.What, inner.pos = c.call.Step, c.call.What, c.call.pos
						}
						inner.Held = &h
					}
					add(k.key, inner)
				}
			}
		}
	}
	for _, t := range u.targets(s) {
		for _, k := range sortedCalls(t.node.calls) {
			c := t.node.calls[k]
			if p, ok := k.base.(*ssa.Parameter); ok && p.Parent() != t.node.fn {
				add(k.key, c)
			}
		}
	}
}

// isBody reports whether a parameter is what a helper runs as the body of a
// transaction: a function of contexts, transactions and stores. One that takes data
// is called back.
func isBody(t types.Type) bool {
	if several, ok := t.Underlying().(*types.Slice); ok {
		t = several.Elem()
	}
	sig, ok := t.Underlying().(*types.Signature)
	if !ok {
		return false
	}
	for i := range sig.Params().Len() {
		if plainData(sig.Params().At(i).Type()) {
			return false
		}
	}
	return true
}

// handles are words in the names of types through which SQL is spoken.
var handles = []string{"tx", "trans", "store", "repo", "quer", "session", "conn", "db", "dao", "unit", "context", "client", "service", "database"}

func plainData(t types.Type) bool {
	t = types.Unalias(t)
	pointer := false
	if p, ok := t.(*types.Pointer); ok {
		t, pointer = types.Unalias(p.Elem()), true
	}
	switch n := t.(type) {
	case *types.TypeParam:
		return false
	case *types.Named:
		if types.IsInterface(n) {
			return false
		}
		name := strings.ToLower(n.Obj().Name())
		for _, h := range handles {
			if strings.Contains(name, h) {
				return false
			}
		}
		if pointer && n.Obj().Pkg() != nil && catalog.Curated(n.Obj().Pkg().Path()) {
			return false
		}
		return true
	}
	return !types.IsInterface(t)
}

func isFunc(v ssa.Value) bool {
	switch v.(type) {
	case *ssa.Const:
		return false
	case *ssa.MakeInterface:
		return false
	}
	t := v.Type()
	if several, ok := t.Underlying().(*types.Slice); ok {
		t = several.Elem()
	}
	_, ok := t.Underlying().(*types.Signature)
	return ok
}

func sortedCalls(m map[callKey]calledParam) []callKey {
	ks := slices.Collect(maps.Keys(m))
	slices.SortFunc(ks, func(a, b callKey) int {
		return cmp.Or(cmp.Compare(a.base.Pos(), b.base.Pos()), cmp.Compare(a.path, b.path), cmp.Compare(a.hold.File, b.hold.File), cmp.Compare(a.hold.Line, b.hold.Line),
			cmp.Compare(a.hold.What, b.hold.What), cmp.Compare(a.base.Name(), b.base.Name()))
	})
	return ks
}
