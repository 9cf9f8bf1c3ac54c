package flow

import (
	"cmp"
	"go/types"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// maxRounds bounds how often a function is looked at again because one that it calls
// was understood better. Recursion needs some.
const maxRounds = 30

// propagate works out the summaries of all functions, those that are called first.
func (u *Unit) propagate() {
	for i := 0; i < len(u.order); i++ { // it grows by wrappers
		n := u.order[i]
		for _, s := range n.sites {
			for _, t := range u.reached(s) {
				t.callers[n] = true
			}
		}
	}
	work := slices.Clone(u.order)
	slices.Reverse(work)
	for _, n := range work {
		n.queued = true
	}
	for len(work) > 0 {
		n := work[0]
		work = work[1:]
		n.queued = false
		if n.rounds++; n.rounds > maxRounds {
			continue
		}
		slow, held := u.recompute(n)
		if !slow && !held {
			continue
		}
		callers := slices.Collect(maps.Keys(n.callers))
		slices.SortFunc(callers, func(a, b *node) int {
			return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.fn.Pos(), b.fn.Pos()))
		})
		for _, c := range callers {
			c.stale = c.stale || held
			if !c.queued {
				c.queued = true
				work = append(work, c)
			}
		}
	}
}

// reached are all functions whose summaries a site's effects depend on: those called,
// and those given as arguments.
func (u *Unit) reached(s *site) []*node {
	var nodes []*node
	for _, t := range u.targets(s) {
		nodes = append(nodes, t.node)
	}
	for _, a := range s.args {
		if isFunc(a) {
			for _, r := range u.funcs(a).refs {
				nodes = append(nodes, r.node)
			}
		}
	}
	return nodes
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

// recompute looks at a function again and reports whether its summary changed: its
// slow calls, and what it has to do with holds.
func (u *Unit) recompute(n *node) (slowChanged, heldChanged bool) {
	var slow leaves
	calls, closes, pools := map[callKey]calledArgs{}, map[key]bool{}, map[key]Leaf{}
	for _, s := range n.sites {
		if s.async() {
			continue
		}
		for _, l := range u.leavesOf(s) {
			if passes(l) {
				slow.add(l)
			}
		}
		u.addCalls(calls, s, nil)
		u.addPools(pools, s)
		for k := range u.released(s) {
			if k.base.Parent() != nil && outermostOf(k.base.Parent()) == outermostOf(n.fn) || isGlobal(k) {
				closes[k] = true
			}
		}
	}
	if len(closes) > maxCloses {
		for _, k := range sortedKeys(closes)[maxCloses:] {
			delete(closes, k)
		}
	}
	opens := map[key]opened{}
	if n.stale {
		n.flow, n.stale = u.flow(n, nil), false
	}
	if f := n.flow; f != nil {
		for _, e := range f.events {
			u.addCalls(calls, e.site, e.tokens[0])
		}
		opens = f.opens
	}
	best := slow.best()
	slowChanged = !sameLeaves(best, n.slow)
	heldChanged = !maps.Equal(closes, n.closes) || !sameKeys(opens, n.opens) || !sameKeys(pools, n.pools) || !sameKeys(calls, n.calls)
	n.slow, n.calls, n.closes, n.opens, n.pools = best, calls, closes, opens, pools
	return slowChanged, heldChanged
}

func isGlobal(k key) bool {
	_, ok := k.base.(*ssa.Global)
	return ok
}

func sameKeys[K comparable, V any](a, b map[K]V) bool {
	return maps.EqualFunc(a, b, func(V, V) bool { return true })
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
	var ls leaves
	for _, g := range s.waits {
		for _, l := range u.leavesOfGoroutine(g) {
			u.extend(&ls, s, l, nil)
		}
	}
	if len(s.waits) > 0 {
		return ls.list
	}
	if s.sink != nil {
		ls.add(s.leaf(*s.sink))
	}
	if writes(s) {
		ls.add(s.leaf(catalog.ToClient))
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
	var ls leaves
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
func (u *Unit) extend(ls *leaves, s *site, l Leaf, args []ssa.Value) {
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

// isWrapper reports whether a function was made by the compiler: a method of an
// embedded field, a method value.
func isWrapper(n *node) bool {
	return n.fn.Synthetic != "" && n.fn.Parent() == nil && n.fn.Pos() == 0 || strings.Contains(n.fn.Synthetic, "wrapper")
}

// argCall is an argument that is called by what a site calls.
type argCall struct {
	arg  ssa.Value
	call calledArgs
}

// argCalls are the arguments of a site that are called before it returns.
func (u *Unit) argCalls(s *site) []argCall {
	var list []argCall
	at := func(args []ssa.Value, i int, c calledArgs) {
		if i >= 0 && i < len(args) {
			list = append(list, argCall{args[i], c})
		}
	}
	plain := calledArgs{Step: s.step, What: s.what, pos: s.pos}
	if s.opener != nil && s.opener.Callback >= 0 {
		i := s.opener.Callback
		if s.receives() {
			i++
		}
		if i < len(s.args) {
			c := plain
			c.Held = &heldCall{
				What: s.opener.What, Func: s.in.name,
				Hold: s.place(), Body: true,
			}
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

// encloses reports whether inner is outer or is a closure in it.
func encloses(outer, inner *ssa.Function) bool {
	for f := inner; f != nil; f = f.Parent() {
		if f == outer {
			return true
		}
	}
	return false
}

// addCalls adds the parameters, of s's function or of those around it, that s leads
// to a call of. under is the hold that is open meanwhile, or nil.
func (u *Unit) addCalls(calls map[callKey]calledArgs, s *site, under *hold) {
	add := func(k key, c calledArgs) {
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
			at.hold = c.Held.Hold
		}
		if _, known := calls[at]; !known && len(calls) < maxCalls {
			calls[at] = c
		}
	}
	plain := calledArgs{Step: s.step, What: s.what, pos: s.pos}
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
							h.Openers = append([]string{h.Func}, h.Openers...)
							h.Hold, h.Func = s.place(), s.in.name
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

// maxCalls is how many calls of parameters are told apart in one function.
const maxCalls = 64

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

// released are the keys, in the frame of s and those around it, of what s releases.
func (u *Unit) released(s *site) map[key]bool {
	closed := u.closedBy(s)
	if s.call == nil {
		return closed
	}
	if s.dynamic { // release(), that a function returned with a connection
		if k := u.keys.of(s.call.Value); k.path == "" || k.path[0] == '#' {
			closed[k] = true
		}
	}
	if s.receives() {
		name := methodName(s.call)
		if catalog.CloserNames[name] || name == "Next" {
			closed[u.keys.of(s.args[0])] = true
		}
		if strings.HasSuffix(name, "Scan") {
			k := u.keys.of(s.args[0])
			closed[key{k.base, k.path + scanned}] = true
		}
	}
	return closed
}

// closedBy are the keys of what the functions that s calls release.
func (u *Unit) closedBy(s *site) map[key]bool {
	closed := map[key]bool{}
	if s.call == nil {
		return closed
	}
	in := func(args []ssa.Value, i int, path string) {
		if i < len(args) {
			k := u.keys.of(args[i])
			if path := k.path + path; strings.Count(path, ".") <= maxFields {
				closed[key{k.base, path}] = true
			}
		}
	}
	if s.facts != nil {
		for _, p := range s.facts.Closes {
			in(s.args, p.Index, p.Path)
		}
	}
	refs := u.targets(s)
	for _, c := range u.argCalls(s) {
		refs = append(refs, u.funcs(c.arg).refs...)
	}
	for _, t := range refs {
		for k := range t.node.closes {
			if p, ok := k.base.(*ssa.Parameter); ok && p.Parent() == t.node.fn {
				if slices.ContainsFunc(s.targets, func(n *node) bool { return n == t.node }) || s.invoke != nil || s.dynamic {
					in(s.args, parameterIndex(p), k.path)
				}
				continue
			}
			closed[k] = true
		}
	}
	return closed
}

// maxFields is how deep in a structure a hold is looked for: lists have no end.
const maxFields = 2

// maxCloses is how many things are kept that one function releases.
const maxCloses = 48

// scanned is the end of the path of a row that was read. Of rows, this is no end.
const scanned = ".Scan()"
