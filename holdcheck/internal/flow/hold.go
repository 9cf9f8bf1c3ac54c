package flow

import (
	"go/types"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// Taken says what is held, and where it was taken.
type Taken struct {
	What catalog.Handle
	// Place is where it was taken or, where a helper takes it and runs a function
	// meanwhile, where the helper is given the function.
	Place   Place
	By      string   // the function that Place is in
	Openers []string // other functions that take it on its behalf, by their names at run time
}

// hold is a connection that is held in one function, from a site on or, where site
// is nil, from the beginning.
type hold struct {
	Taken
	site *site

	closers []string
	aliases map[key]bool // what is the transaction, the connection, the rows
	derived map[key]bool // what was made from it: a repository
	errs    map[key]bool // the error that says that there is none
	pool    key          // what it was taken from
	bit     uint64

	// The hold was taken by a method of an interface: through what value, and by which
	// types' methods.
	through key
	types   []types.Type
}

// call is what a called parameter's summary says of the hold.
func (h *hold) call(body bool) *heldCall {
	return &heldCall{Taken: h.Taken, Body: body}
}

// holdsOf are the holds that a function takes.
func (u *Unit) holdsOf(n *node) []*hold {
	var hs []*hold
	add := func(s *site, what catalog.Handle, closers, openers []string) *hold {
		h := &hold{
			Taken: Taken{what, s.place(), n.name, openers}, site: s, closers: closers,
			aliases: map[key]bool{}, derived: map[key]bool{}, errs: map[key]bool{},
		}
		if v, ok := s.instr.(*ssa.Call); ok && s.results > 1 {
			if last := s.call.Signature().Results().At(s.results - 1).Type(); catalog.IsError(last) {
				h.errs[result(v, s.results-1)] = true
			}
		} else if ok && s.results == 1 && catalog.IsError(s.call.Signature().Results().At(0).Type()) {
			h.errs[result(v, 0)] = true
		}
		h.pool = u.poolTaken(s)
		hs = append(hs, h)
		return h
	}
	for _, s := range n.sites {
		v, isCall := s.instr.(*ssa.Call)
		if !isCall {
			continue
		}
		if s.opener != nil {
			switch r := s.opener.Result; {
			case r >= 0:
				h := add(s, s.opener.What, s.opener.Closers, nil)
				h.aliases[result(v, r)] = true
				u.havingPool(h, s)
			case r == catalog.Receiver && len(s.args) > 0:
				add(s, s.opener.What, s.opener.Closers, nil).aliases[u.keys.of(s.args[0])] = true
			}
			continue
		}
		if i := beginsLate(s); i >= 0 {
			add(s, catalog.Transaction, nil, nil).aliases[result(v, i)] = true
			continue
		}
		// What functions that s calls leave open is one hold.
		var h *hold
		var through []types.Type
		open := func(o opened) *hold {
			if h == nil {
				h = add(s, o.What, o.Closers, nil)
			}
			for _, name := range o.Openers {
				if !slices.Contains(h.Openers, name) {
					h.Openers = append(h.Openers, name)
				}
			}
			return h
		}
		if s.facts != nil {
			for _, o := range s.facts.Opens {
				h := open(o)
				if o.Result >= 0 {
					h.aliases[result(v, o.Result)] = true
				} else if o.Param.Index < len(s.args) {
					k := u.keys.of(s.args[o.Param.Index])
					h.aliases[key{k.base, k.path + o.Param.Path}] = true
				}
			}
		}
		for _, t := range u.targets(s) {
			if s.invoke != nil && len(t.node.opens) > 0 {
				through = append(through, t.node.receiverType())
			}
			for _, k := range sortedKeys(t.node.opens) {
				o := t.node.opens[k]
				switch p, isParam := k.base.(*ssa.Parameter); {
				case o.Result >= 0:
					open(o).aliases[result(v, o.Result)] = true
				case isParam && p.Parent() == t.node.fn:
					if i := parameterIndex(p); i < len(s.args) {
						ak := u.keys.of(s.args[i])
						open(o).aliases[key{ak.base, ak.path + k.path}] = true
					}
				default:
					open(o).aliases[k] = true
				}
			}
		}
		if h != nil && s.invoke != nil {
			h.through, h.types = u.keys.of(s.args[0]), through
		}
	}
	if len(hs) > 63 {
		hs = hs[:63]
	}
	return hs
}

// spread finds all that a hold is known by in a function and its closures.
func (u *Unit) spread(h *hold, family []*ssa.Function) {
	for range 4 {
		before := len(h.aliases) + len(h.derived)
		for _, fn := range family {
			for _, b := range fn.Blocks {
				for _, instr := range b.Instrs {
					u.spreadOver(h, instr)
				}
			}
		}
		if len(h.aliases)+len(h.derived) == before {
			return
		}
	}
}

func (u *Unit) spreadOver(h *hold, instr ssa.Instruction) {
	switch i := instr.(type) {
	case *ssa.Store:
		k := u.keys.of(i.Val)
		if h.aliases[k] {
			h.aliases[u.keys.of(i.Addr)] = true
		} else if h.derived[k] || u.captures(h, i.Val) {
			h.derived[u.keys.of(i.Addr)] = true
		} else if h.holds(k) { // a struct is copied
			at := u.keys.of(i.Addr)
			for _, a := range slices.Collect(maps.Keys(h.aliases)) {
				if a.base == k.base && strings.HasPrefix(a.path, k.path) && len(at.path)+len(a.path) < maxPath {
					h.aliases[key{at.base, at.path + a.path[len(k.path):]}] = true
				}
			}
		}
	case *ssa.Phi:
		for _, e := range i.Edges {
			k := u.keys.of(e)
			if h.aliases[k] {
				h.aliases[u.keys.of(i)] = true
			} else if h.derived[k] {
				h.derived[u.keys.of(i)] = true
			}
		}
	case *ssa.Call:
		args := i.Call.Args
		if !i.Call.IsInvoke() && i.Call.Signature().Recv() != nil && len(args) > 0 {
			args = args[1:] // what a transaction returns is not it: rows, savepoints
		}
		for _, a := range args {
			k := u.keys.of(a)
			if !h.aliases[k] && !h.derived[k] && !h.holds(k) {
				continue
			}
			results := i.Call.Signature().Results()
			for r := range results.Len() {
				if mayCarry(results.At(r).Type()) {
					h.derived[result(i, r)] = true
				}
			}
		}
	}
}

// holds reports whether the thing that k names has the hold in one of its fields.
func (h *hold) holds(k key) bool {
	for a := range h.aliases {
		if a.base == k.base && len(a.path) > len(k.path) && strings.HasPrefix(a.path, k.path) {
			return true
		}
	}
	return false
}

// mayCarry reports whether a value that was made from a hold can be what ends it: a
// function, a context, or something with a method for that.
func mayCarry(t types.Type) bool {
	if catalog.IsContext(t) {
		return true
	}
	if _, ok := t.Underlying().(*types.Signature); ok {
		return true
	}
	return catalog.HasCloser(t)
}

// captures reports whether a value is a closure over the hold.
func (u *Unit) captures(h *hold, v ssa.Value) bool {
	c, ok := v.(*ssa.MakeClosure)
	if !ok {
		return false
	}
	for _, b := range c.Bindings {
		k := u.keys.of(b)
		if h.aliases[k] || h.derived[k] {
			return true
		}
		if a, ok := b.(*ssa.Alloc); ok {
			vals, _ := u.keys.stored(a)
			for _, v := range vals {
				if h.aliases[u.keys.of(v)] {
					return true
				}
			}
		}
	}
	return false
}

// named reports whether a key names the hold, or something in or around it.
func (h *hold) named(k key) (itself, around bool) {
	if h.aliases[k] {
		return true, true
	}
	for a := range h.aliases {
		if a.base == k.base && strings.HasPrefix(k.path, a.path) && k.path[len(a.path)] == '.' {
			return true, true // an embedded part of it
		}
	}
	return false, h.derived[k] || h.holds(k)
}

// family is a function with its closures.
func family(fn *ssa.Function) []*ssa.Function {
	all := []*ssa.Function{fn}
	for _, a := range fn.AnonFuncs {
		all = append(all, family(a)...)
	}
	return all
}

// beginsLate is the number of the result of a function of the program that makes a
// transaction which begins at its first statement; -1 where s calls none. It is told
// by its name, by the result's Commit and Rollback, and by its package, which speaks
// SQL.
func beginsLate(s *site) int {
	fn := s.call.StaticCallee()
	if fn == nil || len(s.targets) == 0 || len(s.targets[0].opens) > 0 || !s.targets[0].speaksSQL() {
		return -1
	}
	obj, ok := object(fn)
	if !ok || obj.Pkg() == nil || !slices.ContainsFunc(obj.Pkg().Imports(), func(p *types.Package) bool { return catalog.Driver(p.Path()) }) {
		return -1
	}
	if name := strings.ToLower(obj.Name()); !strings.HasPrefix(name, "begin") && !strings.HasPrefix(name, "starttrans") {
		return -1
	}
	results := obj.Signature().Results()
	for i := range results.Len() {
		if t := results.At(i).Type(); catalog.HasMethod(t, "Commit") && catalog.HasMethod(t, "Rollback") {
			return i
		}
	}
	return -1
}

// speaksSQL reports whether a function returns something with a transaction in it.
func (n *node) speaksSQL() bool {
	for _, b := range n.fn.Blocks {
		for _, instr := range b.Instrs {
			m, ok := instr.(*ssa.MakeInterface)
			if !ok || !catalog.HasMethod(m.X.Type(), "Commit") {
				continue
			}
			t := m.X.Type()
			if p, ok := t.Underlying().(*types.Pointer); ok {
				t = p.Elem()
			}
			str, ok := t.Underlying().(*types.Struct)
			if !ok {
				continue
			}
			for f := range str.Fields() {
				if catalog.HasMethod(f.Type(), "ExecContext") || catalog.HasMethod(f.Type(), "Exec") {
					return true
				}
			}
		}
	}
	return false
}

// poolTaken is the pool that a site takes a hold from, as far as it is known.
func (u *Unit) poolTaken(s *site) key {
	used := map[key]Leaf{}
	u.addPools(used, s)
	for _, k := range sortedKeys(used) {
		return k
	}
	return key{}
}

// havingPool notes which types' values a hold can be of, where its pool was got from a
// method that some types answer with nil.
func (u *Unit) havingPool(h *hold, s *site) {
	if len(s.args) == 0 {
		return
	}
	call, ok := s.args[0].(*ssa.Call)
	if !ok || !call.Call.IsInvoke() {
		return
	}
	n := u.nodes[s.in.fn]
	if n == nil || n.byPos[call] == nil {
		return
	}
	for _, t := range u.targets(n.byPos[call]) {
		if !t.node.returnsNil() {
			h.types = append(h.types, t.node.receiverType())
		}
	}
	h.through = u.keys.of(call.Call.Value)
}

// returnsNil reports whether a function's first result is always nil.
func (n *node) returnsNil() bool {
	for _, b := range n.fn.Blocks {
		if r, ok := b.Instrs[len(b.Instrs)-1].(*ssa.Return); ok && len(r.Results) > 0 {
			if k, ok := r.Results[0].(*ssa.Const); !ok || !k.IsNil() {
				return false
			}
		}
	}
	return true
}

// receiverType is the type whose method a function is, or nil.
func (n *node) receiverType() types.Type {
	if recv := n.fn.Signature.Recv(); recv != nil {
		return recv.Type()
	}
	return nil
}

// excludes reports whether a slow call cannot be made while h is held: the value that
// h was taken through is of one type only.
func (h *hold) excludes(l Leaf) bool {
	if l.by == nil || len(h.types) == 0 || l.through != h.through {
		return false
	}
	return !slices.ContainsFunc(h.types, func(t types.Type) bool { return t != nil && types.Identical(t, l.by) })
}
