package flow

import (
	"cmp"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// Summary is what a caller must know of a function. It is all that is kept of a
// function in another package, and the analyzer's fact.
type Summary struct {
	Slow   []Leaf       // the slow calls that it can lead to before it returns
	Opens  []opened     // what it has taken and not released when it returns
	Closes []parameter  // what of its parameters it releases
	Calls  []calledArgs // which of its parameters it calls
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
				var ls leaves
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

// Place is a line of source, with the file's whole path.
type Place struct {
	File string
	Line int
	What string // the call there, as people write it: http.Client.Do
}

// Step is one call of a chain.
type Step struct {
	File string
	Line int
	Func string // the function that the line is in, as runtime.Func names it
}

// Leaf is a slow call and the way to it.
type Leaf struct {
	Kind     catalog.Kind
	Severity catalog.Severity
	What     string // the library's function at the end: http.Client.Do
	Waits    bool   // it is called Wait
	Slow     Place  // with the file's whole path
	Func     string // that makes the slow call
	// Chain begins in the function that the leaf is of. It is empty in a dependency.
	Chain []Step
	// Maybe says that it hangs on what a context carries, and so its severity is Low.
	Maybe bool
	// through is the value, as the function knows it, whose method of an interface
	// leads there, and by the method of which type.
	through key
	by      types.Type
	// Guards are what the function's parameters must be for the call to be made.
	Guards []guard
}

// guard is a condition on a parameter: that it is a constant or, where Not is set,
// anything else.
type guard struct {
	Index int
	Value string // as constWord has it
	Not   bool
}

// maxLeaves is how many slow calls are kept of one function, the worst and nearest.
const maxLeaves = 12

// maxChain is how many calls a chain may have.
const maxChain = 24

// leaves collects the slow calls of one function.
type leaves struct {
	list []Leaf
	at   map[Place]int
}

func (ls *leaves) add(l Leaf) {
	if len(l.Chain) > maxChain {
		return
	}
	if ls.at == nil {
		ls.at = map[Place]int{}
	}
	if i, known := ls.at[l.Slow]; known {
		if l.before(ls.list[i]) {
			ls.list[i] = l
		}
		return
	}
	ls.at[l.Slow] = len(ls.list)
	ls.list = append(ls.list, l)
}

func (l Leaf) before(m Leaf) bool { return compareLeaves(l, m) < 0 }

// compareLeaves puts first what is worst, unconditional, near.
func compareLeaves(a, b Leaf) int {
	return cmp.Or(
		cmp.Compare(slices.Index(catalog.Severities(), a.Severity), slices.Index(catalog.Severities(), b.Severity)),
		compareBool(a.Kind == catalog.Sleep, b.Kind == catalog.Sleep), // often the pause of a retry, whose point is another call
		cmp.Compare(len(a.Chain), len(b.Chain)),
		cmp.Compare(len(a.Guards), len(b.Guards)),
		cmp.Compare(a.Slow.File, b.Slow.File), cmp.Compare(a.Slow.Line, b.Slow.Line), cmp.Compare(a.What, b.What),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// best are the leaves that are kept.
func (ls *leaves) best() []Leaf {
	slices.SortFunc(ls.list, compareLeaves)
	list := ls.list
	if len(list) > maxLeaves {
		list = list[:maxLeaves]
	}
	return slices.Clip(list)
}

func sameLeaves(a, b []Leaf) bool {
	return slices.EqualFunc(a, b, func(a, b Leaf) bool {
		return a.Slow == b.Slow && a.Severity == b.Severity && len(a.Chain) == len(b.Chain) && len(a.Guards) == len(b.Guards)
	})
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

// calledArgs is a parameter that a function calls.
type calledArgs struct {
	Index int
	Step  Step      // where
	What  string    // how it is called there
	Held  *heldCall // nil where nothing is held meanwhile

	pos token.Pos // of Step, within the unit
}

// heldCall tells what is held while a parameter is called.
type heldCall struct {
	What    catalog.Handle
	Hold    Place  // where it was taken
	Func    string // that took it
	Openers []string
	// Body says that the parameter is the body of a transaction, and the function a
	// helper that runs it. Otherwise the function calls back with data, and the hold
	// is its own.
	Body bool

	pool key // what it was taken from, as the function knows it
}
