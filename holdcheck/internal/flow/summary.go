package flow

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// Summary is what a caller must know of a function. It is all that is kept of a
// function in another package, and the analyzer's fact.
type Summary struct {
	Slow   []Leaf        // the slow calls that it can lead to before it returns
	Opens  []opened      // what it has taken and not released when it returns
	Closes []parameter   // what of its parameters it releases
	Calls  []calledParam // which of its parameters it calls
}

func (s *Summary) empty() bool {
	return len(s.Slow)+len(s.Opens)+len(s.Closes)+len(s.Calls) == 0
}

// Summaries are what other packages must know of this unit's functions, and of the
// methods of its interfaces.
func (u *Unit) Summaries() map[*types.Func]*Summary {
	known := map[*types.Func]*Summary{}
	for _, n := range u.order {
		obj, ok := object(n.fn)
		if !ok || n.fn.Parent() != nil || isWrapper(n) || obj.Pkg() == nil || !u.packages[obj.Pkg()] {
			continue
		}
		if s := u.summary(n); !s.empty() {
			known[obj] = s
		}
	}
	for pkg := range u.packages {
		scope := pkg.Scope()
		for _, name := range scope.Names() {
			tn, ok := scope.Lookup(name).(*types.TypeName)
			if !ok {
				continue
			}
			iface, ok := tn.Type().Underlying().(*types.Interface)
			if !ok || !iface.IsMethodSet() {
				continue
			}
			for m := range iface.ExplicitMethods() {
				if m.Pkg() != pkg {
					continue
				}
				s := &Summary{}
				all := u.implementations(iface, m)
				for _, n := range all {
					one := u.summary(n)
					if !u.own && slices.ContainsFunc(all, func(n *node) bool { return len(n.slow) == 0 }) {
						one.Slow = nil // which one it is is the caller's choice
					}
					s.Slow = append(s.Slow, one.Slow...)
					s.Calls = append(s.Calls, one.Calls...)
					s.Opens = append(s.Opens, one.Opens...)
				}
				var ls leafSet
				for _, l := range s.Slow {
					ls.add(l)
				}
				if s.Slow = ls.best(); !s.empty() {
					known[m] = s
				}
			}
		}
	}
	return known
}

// Summary is what a caller in another package must know of a function.
func (u *Unit) summary(n *node) *Summary {
	s := &Summary{}
	for _, l := range n.slow {
		if !u.own {
			if l.Severity == catalog.Low {
				continue
			}
			l.Chain = nil // a library's inside is not shown
			l.Slow, l.Func = Place{What: l.What}, ""
		}
		s.Slow = append(s.Slow, l)
	}
	for _, k := range sortedKeys(n.opens) {
		o := n.opens[k]
		switch p, isParam := k.base.(*ssa.Parameter); {
		case isParam && p.Parent() == n.fn:
			o.Param = parameter{parameterIndex(p), k.path}
		case o.Result < 0:
			continue
		}
		s.Opens = append(s.Opens, o)
	}
	for _, k := range sortedKeys(n.closes) {
		if p, ok := k.base.(*ssa.Parameter); ok && p.Parent() == n.fn {
			s.Closes = append(s.Closes, parameter{parameterIndex(p), k.path})
		}
	}
	for _, k := range sortedCalls(n.calls) {
		if p, ok := k.base.(*ssa.Parameter); ok && p.Parent() == n.fn && k.path == "" {
			c := n.calls[k]
			c.Index = parameterIndex(p)
			s.Calls = append(s.Calls, c)
		}
	}
	return s
}

// parameter is one of a function's parameters, the receiver first, or a part of it.
type parameter struct {
	Index int
	Path  string
}

// opened is a hold that is open when a function returns.
type opened struct {
	// Result is the number of the result that is the hold, or leads to it; -1 where
	// it was put into a parameter.
	Result  int
	Param   parameter
	What    catalog.Handle
	Closers []string
	Openers []string // functions between the caller and the pool, by their names at run time
}
