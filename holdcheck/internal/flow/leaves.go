package flow

import (
	"cmp"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

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
	// Maybe says that it depends on what a context carries; its severity is Low then.
	Maybe bool
	// through is the value, as the function knows it, whose method of an interface
	// leads there, and by the method of which type.
	through key
	by      types.Type
	// Guards are what the function's parameters must be for the call to be made.
	Guards []guard
}

// maxLeaves is how many slow calls are kept of one function, the worst and nearest.
const maxLeaves = 12

// maxChain is how many calls a chain may have.
const maxChain = 24

// leafSet collects the slow calls of one function.
type leafSet struct {
	list []Leaf
	at   map[Place]int
}

func (ls *leafSet) add(l Leaf) {
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
func (ls *leafSet) best() []Leaf {
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

// passes reports whether a slow call counts for the callers of its function too.
// What is short, or waits for the own process, counts where it is seen.
func passes(l Leaf) bool {
	if l.Maybe && len(l.Chain) == 1 {
		return true
	}
	switch l.Kind {
	case catalog.Blocked:
		return l.Waits && len(l.Chain) < 2 // a method that stops workers
	case catalog.Client, catalog.Unresolved:
		return false
	}
	return l.Severity != catalog.Low || l.Maybe || len(l.Chain) < 2
}

// leavesOf are the slow calls that a site can lead to, with chains that begin at it.
func (u *Unit) leavesOf(s *site) []Leaf { return u.leavesUnder(nil, s) }

// leavesUnder are those that are possible while a hold is open.
func (u *Unit) leavesUnder(under *hold, s *site) []Leaf {
	var ls leafSet
	for _, g := range s.waits {
		for _, l := range u.leavesOfGoroutine(g) {
			u.extend(&ls, s, l, nil)
		}
	}
	if len(s.waits) > 0 {
		return ls.list
	}
	if s.cost != nil {
		ls.add(s.leaf(*s.cost))
	}
	if writes(s) {
		ls.add(s.leaf(catalog.Cost{Kind: catalog.Client, Severity: catalog.Medium}))
	}
	if s.facts != nil {
		for _, l := range s.facts.Slow {
			guards, can := pass(l, s.args, s.in)
			if !can {
				continue
			}
			l.Guards = append(guards, s.guards...)
			if len(l.Chain) == 0 {
				l.Slow, l.Func, l.Chain = s.place(), s.in.name, []Step{s.step}
			} else {
				l.Chain = append([]Step{s.step}, l.Chain...)
			}
			ls.add(l)
		}
	}
	targets := u.targets(s)
	if !u.own && s.invoke != nil && slices.ContainsFunc(targets, func(t funcRef) bool { return len(t.node.slow) == 0 }) {
		targets = nil // in a library, which one it is is the caller's choice
	}
	for _, t := range targets {
		for _, l := range t.node.slow {
			if s.invoke != nil {
				l.through, l.by = key{t.node.fn.Params[0], ""}, t.node.receiverType()
			}
			u.extend(&ls, s, l, s.args)
		}
	}
	if under != nil {
		ls.list = slices.DeleteFunc(ls.list, under.excludes)
	}
	for _, c := range u.argCalls(s) {
		for _, l := range u.leavesOfFuncs(u.funcs(c.arg)) {
			u.extend(&ls, s, l, nil)
		}
	}
	return ls.list
}

// leavesOfGoroutine are the slow calls of the goroutine that a site starts.
func (u *Unit) leavesOfGoroutine(g *site) []Leaf {
	if g.spawns < 0 {
		return u.leavesOf(g)
	}
	var ls leafSet
	if g.spawns < len(g.args) {
		for _, l := range u.leavesOfFuncs(u.funcs(g.args[g.spawns])) {
			u.extend(&ls, g, l, nil)
		}
	}
	return ls.list
}

// leavesOfFuncs are the slow calls of functions that a value may be.
func (u *Unit) leavesOfFuncs(set funcSet) []Leaf {
	var all []Leaf
	for _, r := range set.refs {
		all = append(all, r.node.slow...)
	}
	for _, obj := range set.other {
		if sk, ok := u.tables.Cost(obj); ok {
			all = append(all, Leaf{Kind: sk.Kind, Severity: sk.Severity, What: shortName(obj), Waits: isWait(obj)})
		} else if !u.tables.Fast(obj) {
			if f := u.imported(obj); f != nil {
				all = append(all, f.Slow...)
			}
		}
	}
	return all
}

// extend adds a slow call of a function that a site calls.
func (u *Unit) extend(ls *leafSet, s *site, l Leaf, args []ssa.Value) {
	guards, can := pass(l, args, s.in)
	if !can {
		return
	}
	l.Guards = append(guards, s.guards...)
	if p, ok := l.through.base.(*ssa.Parameter); ok && !encloses(p.Parent(), s.in.fn) {
		if i := parameterIndex(p); i < len(args) {
			at := u.keys.of(args[i])
			l.through = key{at.base, at.path + l.through.path}
		} else {
			l.through = key{}
		}
	}
	if s.maybe && l.Severity != catalog.Low {
		l.Severity, l.Maybe = catalog.Low, true
	}
	if len(l.Chain) == 0 {
		l.Slow, l.Func = s.place(), s.in.name
	}
	if len(l.Chain) > 0 && isWrapper(s.in) {
		ls.add(l) // nobody wrote it
		return
	}
	l.Chain = append([]Step{s.step}, l.Chain...)
	ls.add(l)
}
