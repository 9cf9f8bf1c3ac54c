package flow

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
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

// recompute looks at a function again and reports whether its summary changed: its
// slow calls, and what it has to do with holds.
func (u *Unit) recompute(n *node) (slowChanged, heldChanged bool) {
	var slow leafSet
	calls, closes, pools := map[callKey]calledParam{}, map[key]bool{}, map[key]Leaf{}
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
		n.walk, n.stale = u.walk(n, nil), false
	}
	if f := n.walk; f != nil {
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

// isWrapper reports whether a function was made by the compiler: a method of an
// embedded field, a method value.
func isWrapper(n *node) bool {
	return n.fn.Synthetic != "" && n.fn.Parent() == nil && n.fn.Pos() == 0 || strings.Contains(n.fn.Synthetic, "wrapper")
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
