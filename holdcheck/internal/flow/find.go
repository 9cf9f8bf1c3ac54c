package flow

import (
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// Found is a call in a function that holds a connection, and the slow calls that it
// leads to.
type Found struct {
	Taken
	Pos    token.Pos // of the call
	Leaves []Leaf    // the worst and nearest first

	in *node
}

// Find lists the slow calls that are made while a connection is held, in the packages
// for which in is true. Those in functions for tests are among them only with tests.
func (u *Unit) Find(in func(*ssa.Package) bool, tests bool) []Found {
	return u.search(func(n *node) bool {
		return in(outermostOf(n.fn).Pkg) && (tests || u.audience(n) == forService)
	})
}

// search lists the slow calls that are made while a connection is held, in the
// functions for which want is true.
func (u *Unit) search(want func(*node) bool) []Found {
	c := collector{u: u, want: want, seen: map[foundAt]bool{}}
	for i := 0; i < len(u.order); i++ {
		n := u.order[i]
		if isWrapper(n) {
			continue
		}
		if n.stale { // there were too many rounds
			n.walk, n.stale = u.walk(n, nil), false
		}
		if n.walk != nil {
			c.events(n.walk, nil)
		}
		if obj, ok := object(n.fn); ok {
			if what, ok := catalog.HookOf(obj); ok {
				at := u.step(n, n.fn.Pos())
				c.body(n, &hold{Taken: Taken{What: what, Place: Place{at.File, at.Line, n.fn.Name()}, By: n.name}})
			}
		}
		for _, s := range n.sites {
			c.handed(s)
		}
		c.returned(n)
	}
	return c.found
}

type collector struct {
	u     *Unit
	want  func(*node) bool
	found []Found
	seen  map[foundAt]bool
}

// foundAt are the lines by which one finding is told from another.
type foundAt struct{ hold, call, slow line }

type line struct {
	file string
	line int
}

func (c *collector) add(h *hold, site Step, pos token.Pos, in *node, ls []Leaf) {
	ls = slices.DeleteFunc(slices.Clone(ls), func(l Leaf) bool {
		return l.Kind == catalog.Client && h.What != catalog.Rows
	})
	if len(ls) == 0 || !c.want(in) {
		return
	}
	slices.SortFunc(ls, compareLeaves)
	slow := ls[0].Slow
	id := foundAt{line{h.Place.File, h.Place.Line}, line{site.File, site.Line}, line{slow.File, slow.Line}}
	if !c.seen[id] {
		c.seen[id] = true
		c.found = append(c.found, Found{h.Taken, pos, ls, in})
	}
}

// events are the calls that one function makes while it holds; where of is not nil,
// those under that hold.
func (c *collector) events(f *walk, of *hold) {
	for _, e := range f.events {
		if h := e.tokens[0]; of == nil || h == of {
			if !c.deferred(h, e.site) {
				tokens := e.tokens
				if of != nil {
					tokens = tokens[:1]
				}
				c.site(tokens, e.site)
			}
		}
	}
	for _, h := range f.holds {
		if of == nil || h == of {
			c.ending(f, h)
		}
	}
}

// deferred looks into a deferred closure, whose calls are the function's own, and
// reports whether s is one.
func (c *collector) deferred(h *hold, s *site) bool {
	if _, ok := s.instr.(*ssa.Defer); !ok || len(s.targets) != 1 || s.targets[0].fn.Parent() != s.in.fn {
		return false
	}
	c.inside(h, s, s.targets[0])
	return true
}

// ending looks into the functions that release h: what they call before is called
// while it is held.
func (c *collector) ending(f *walk, h *hold) {
	for _, s := range f.n.sites {
		if f.ended[s]&h.bit == 0 {
			continue
		}
		for _, t := range c.u.targets(s) {
			if len(t.node.slow) > 0 && !isWrapper(t.node) {
				c.inside(h, s, t.node)
			}
		}
	}
}

// inside follows h in a function that s calls.
func (c *collector) inside(h *hold, s *site, n *node) {
	in := *h
	in.site = nil
	in.aliases, in.derived, in.errs = maps.Clone(h.aliases), maps.Clone(h.derived), map[key]bool{}
	if n.fn.Parent() == nil {
		in.aliases, in.derived = map[key]bool{}, map[key]bool{}
	}
	for i, p := range n.fn.Params {
		if i < len(s.args) {
			k := c.u.keys.of(s.args[i])
			for a := range h.aliases {
				if a.base == k.base && strings.HasPrefix(a.path, k.path) {
					in.aliases[key{p, a.path[len(k.path):]}] = true
				}
			}
			if h.derived[k] {
				in.derived[key{p, ""}] = true
			}
		}
	}
	f := c.u.walk(n, &in)
	if f == nil {
		return
	}
	for _, e := range f.events {
		if e.tokens[0] != &in {
			continue
		}
		if n.fn.Parent() != nil && encloses(n.fn.Parent(), s.in.fn) {
			c.site([]*hold{h}, e.site)
			continue
		}
		var ls leafSet
		for _, l := range c.u.leavesOf(e.site) {
			if passes(l) {
				c.u.extend(&ls, s, l, nil)
			}
		}
		c.add(h, s.step, s.pos, s.in, ls.list)
	}
}

func (c *collector) site(holds []*hold, s *site) {
	h := holds[0]
	for _, h := range holds {
		if l, ok := c.u.secondCheckout(h, s); ok {
			c.add(h, s.step, s.pos, s.in, []Leaf{l})
		}
	}
	ls := c.u.leavesUnder(h, s)
	if len(ls) == 0 && s.invoke != nil && catalog.FullName(s.invoke) == "(net/http.Handler).ServeHTTP" {
		ls = c.u.behind(s.invoke.Type(), s.in, s.step)
	}
	if len(ls) == 0 {
		if l, ok := c.u.unresolved(s); ok {
			ls = append(ls, l)
		}
	}
	c.add(h, s.step, s.pos, s.in, ls)
}

// body follows a function that runs while h is held from its beginning.
func (c *collector) body(n *node, h *hold) {
	h.aliases, h.derived, h.errs = map[key]bool{}, map[key]bool{}, map[key]bool{}
	h.closers = []string{"Commit", "Rollback"}
	for _, p := range n.fn.Params {
		if !catalog.IsContext(p.Type()) {
			h.aliases[key{p, ""}] = true
		}
	}
	if f := c.u.walk(n, h); f != nil {
		c.events(f, h)
	}
}

// handed are the functions that a site hands to something that holds while it calls
// them.
func (c *collector) handed(s *site) {
	if s.async() {
		return
	}
	for _, a := range c.u.argCalls(s) {
		held := a.call.Held
		if held == nil {
			continue
		}
		set := c.u.funcs(a.arg)
		openers := append([]string{held.By}, held.Openers...)
		if !held.Body {
			h := &hold{Taken: held.Taken}
			var ls []Leaf
			for _, l := range c.u.leavesOfFuncs(set) {
				if len(l.Chain) == 0 {
					l.Slow, l.Func = Place{a.call.Step.File, a.call.Step.Line, a.call.What}, a.call.Step.Func
				}
				l.Chain = append([]Step{a.call.Step}, l.Chain...)
				ls = append(ls, l)
			}
			pos := a.call.pos
			if pos == token.NoPos { // in another package
				pos = s.pos
			}
			c.add(h, a.call.Step, pos, s.in, ls)
			continue
		}
		h := hold{Taken: Taken{held.What, s.place(), s.in.name, openers}}
		h.pool = c.u.translate(held.pool, s)
		for _, r := range set.refs {
			h := h
			c.body(r.node, &h)
		}
		for _, obj := range set.other {
			for _, l := range c.u.leavesOfFuncs(funcSet{other: []*types.Func{obj}}) {
				l.Slow, l.Func, l.Chain = Place{s.step.File, s.step.Line, shortName(obj)}, s.in.name, []Step{s.step}
				c.add(&h, s.step, s.pos, s.in, []Leaf{l})
			}
		}
	}
}

// returned are the functions that a middleware calls while it holds: the rest of the
// request, which is put together elsewhere.
func (c *collector) returned(n *node) {
	if len(n.callers) > 0 {
		return
	}
	for _, k := range sortedCalls(n.calls) {
		call := n.calls[k]
		if call.Held == nil || k.base.Parent() == n.fn {
			continue
		}
		h := &hold{Taken: call.Held.Taken}
		if _, named := types.Unalias(k.base.Type()).(*types.Named); named {
			if ls := c.u.behind(k.base.Type(), n, call.Step); len(ls) > 0 {
				c.add(h, call.Step, k.base.Pos(), n, ls)
				continue
			}
		}
		c.add(h, call.Step, k.base.Pos(), n, []Leaf{{
			Kind: catalog.Unresolved, Severity: catalog.Low, What: call.What, Func: call.Step.Func,
			Slow: Place{call.Step.File, call.Step.Line, call.What}, Chain: []Step{call.Step},
		}})
	}
}

// unresolved reports whether a site calls something that could not be followed.
func (u *Unit) unresolved(s *site) (l Leaf, ok bool) {
	if s.call == nil || s.fast || s.facts != nil || len(u.targets(s)) > 0 {
		return l, false
	}
	switch {
	case s.invoke != nil:
		path := packagePath(s.invoke)
		if path == "" || catalog.IsStd(path) && catalog.FullName(s.invoke) != "(net/http.Handler).ServeHTTP" || catalog.Curated(path) {
			return l, false
		}
	case s.dynamic:
		if ends(s.call.Value) {
			return l, false
		}
		if set := u.funcs(s.call.Value); len(set.params) > 0 || len(set.other) > 0 || !set.open {
			return l, false
		}
	default:
		obj, ok := callee(s.call)
		if !ok || catalog.FullName(obj) != "(reflect.Value).Call" && catalog.FullName(obj) != "(reflect.Value).CallSlice" {
			return l, false
		}
	}
	return s.leaf(catalog.Cost{Kind: catalog.Unresolved, Severity: catalog.Low}), true
}

// ends reports whether a function is what cancels a context, or was returned by the
// standard library.
func ends(v ssa.Value) bool {
	if t := catalog.TypeName(v.Type()); t == "context.CancelFunc" || t == "context.CancelCauseFunc" {
		return true
	}
	if e, ok := v.(*ssa.Extract); ok {
		v = e.Tuple
	}
	call, ok := v.(*ssa.Call)
	if !ok {
		return false
	}
	obj, ok := callee(&call.Call)
	return ok && catalog.IsStd(packagePath(obj))
}

// behind are the slow calls of the handlers that a middleware may call, of which only
// the type is known. Which of them it calls is put together elsewhere, so they are no
// worse than medium.
func (u *Unit) behind(handler types.Type, middleware *node, at Step) []Leaf {
	sig, ok := handler.Underlying().(*types.Signature)
	if !ok {
		return nil
	}
	var ls leafSet
	for _, n := range u.order {
		if n == middleware || len(n.slow) == 0 || isWrapper(n) || len(n.calls) > 0 ||
			!types.Identical(n.fn.Signature.Params(), sig.Params()) || !types.Identical(n.fn.Signature.Results(), sig.Results()) {
			continue
		}
		for _, l := range n.slow {
			if l.Severity == catalog.High {
				l.Severity = catalog.Medium
			}
			l.Chain, l.Guards = append([]Step{at}, l.Chain...), nil
			ls.add(l)
		}
	}
	return ls.best()
}
