package flow

import (
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// Unit is what is analyzed at once: all packages of a repository, or one package of
// a dependency. Of what it imports it knows summaries.
type Unit struct {
	prog     *ssa.Program
	own      bool // the repository's; chains are kept, and all kinds of slow calls
	tables   *catalog.Catalog
	imported func(*types.Func) *Summary

	nodes    map[*ssa.Function]*node
	order    []*node
	keys     *keyFinder
	packages map[*types.Package]bool

	concrete []types.Type // that are put into interfaces somewhere
	named    []types.Type // all, for interfaces that no concrete one implements
	impls    map[methodOf][]*node
	asking   int                        // calls of targets that have not returned
	fields   map[*types.Var][]ssa.Value // functions and channels that are stored in a field
	boxed    map[types.Type][]ssa.Value // functions that are put into an interface, by their type
	elements map[key][]ssa.Value        // functions in a map or a slice
	globals  map[*ssa.Global][]ssa.Value
}

// node is a function of the unit.
type node struct {
	fn    *ssa.Function
	name  string
	sites []*site
	byPos map[ssa.Instruction]*site

	slow    []Leaf
	calls   map[callKey]calledParam // parameters that it calls: its own, and those of the functions around it
	closes  map[key]bool
	opens   map[key]opened // by what is held: results of this function have its own value as base
	returns []ssa.Value    // functions that it may return
	pools   map[key]Leaf   // what it takes connections from, by what that is of its parameters

	callers map[*node]bool
	rounds  int
	queued  bool
	walk    *walk             // of its holds; nil where it has none
	stale   bool              // what walk depends on has changed
	tests   map[condition]int // how often a condition is tested
	// followed are the variables and joins that conditions depend on.
	followed map[ssa.Value]bool
}

// site is a call, or something else that may take time.
type site struct {
	instr ssa.Instruction
	call  *ssa.CallCommon // nil for an operation on a channel
	in    *node
	step  Step
	pos   token.Pos
	what  string

	cost    *catalog.Cost
	opener  *catalog.Opener
	fast    bool // the tables say that it is not looked into
	targets []*node
	refs    []funcRef // what targets returns, once it is known
	known   bool
	asked   bool
	facts   *Summary
	invoke  *types.Func // a method of an interface
	dynamic bool
	args    []ssa.Value // with the receiver first
	joins   bool        // waits for goroutines
	isWait  bool
	spawns  int     // number of the argument that runs in a goroutine; -1
	waits   []*site // those that start the goroutines that it waits for
	guards  []guard
	maybe   bool // it is in a case of a switch over what a context carries
	results int
}

// NewUnit looks at all functions of the packages, and works out their summaries.
func NewUnit(prog *ssa.Program, own bool, t *catalog.Catalog, imported func(*types.Func) *Summary, pkgs []*ssa.Package) *Unit {
	u := &Unit{
		prog: prog, own: own, tables: t, imported: imported,
		nodes: map[*ssa.Function]*node{}, keys: newKeyFinder(), packages: map[*types.Package]bool{},
		impls: map[methodOf][]*node{}, fields: map[*types.Var][]ssa.Value{}, globals: map[*ssa.Global][]ssa.Value{},
		boxed: map[types.Type][]ssa.Value{}, elements: map[key][]ssa.Value{},
	}
	for _, p := range pkgs {
		u.packages[p.Pkg] = true
	}
	seen := map[types.Type]bool{}
	var each func(fn *ssa.Function)
	var functions []*ssa.Function
	each = func(fn *ssa.Function) {
		functions = append(functions, fn)
		for _, a := range fn.AnonFuncs {
			each(a)
		}
	}
	for _, p := range pkgs {
		names := make([]string, 0, len(p.Members))
		for name := range p.Members {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			switch m := p.Members[name].(type) {
			case *ssa.Function:
				each(m)
			case *ssa.Type:
				named, ok := m.Type().(*types.Named)
				if !ok {
					continue
				}
				for i := range named.NumMethods() {
					if fn := prog.FuncValue(named.Method(i)); fn != nil {
						each(fn)
					}
				}
				if !types.IsInterface(named) && named.TypeParams().Len() == 0 {
					u.named = append(u.named, named, types.NewPointer(named))
				}
			}
		}
	}
	for _, fn := range functions {
		u.observe(fn, seen)
	}
	for _, fn := range functions {
		u.node(fn)
	}
	u.propagate()
	return u
}

// Forget drops the bodies of the unit's functions, which are needed no more once its
// Summaries are known.
func (u *Unit) Forget() {
	for fn := range u.nodes {
		fn.Blocks, fn.Locals, fn.AnonFuncs, fn.Recover = nil, nil, nil, nil
	}
}

// observe notes what a function puts into interfaces, fields and variables.
func (u *Unit) observe(fn *ssa.Function, seen map[types.Type]bool) {
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			switch i := instr.(type) {
			case *ssa.MakeInterface:
				t := i.X.Type()
				if !seen[t] {
					seen[t] = true
					u.concrete = append(u.concrete, t)
				}
				if _, ok := t.Underlying().(*types.Signature); ok {
					u.boxed[t] = append(u.boxed[t], i.X)
				}
			case *ssa.MapUpdate:
				if isFunc(i.Value) {
					k := u.keys.of(i.Map)
					u.elements[k] = append(u.elements[k], i.Value)
				}
			case *ssa.Store:
				switch t := i.Val.Type().Underlying().(type) {
				case *types.Signature, *types.Chan:
				case *types.Map:
					u.collects(i.Addr, i.Val, t.Elem())
					continue
				case *types.Slice:
					u.collects(i.Addr, i.Val, t.Elem())
					continue
				default:
					continue
				}
				switch at := i.Addr.(type) {
				case *ssa.IndexAddr:
					k := u.keys.of(at.X)
					u.elements[k] = append(u.elements[k], i.Val)
				case *ssa.FieldAddr:
					f := fieldOf(at.X.Type(), at.Field)
					u.fields[f] = append(u.fields[f], i.Val)
				case *ssa.Global:
					u.globals[at] = append(u.globals[at], i.Val)
				}
			}
		}
	}
}

// node is the unit's knowledge of fn, or nil where fn is not of the unit.
func (u *Unit) node(fn *ssa.Function) *node {
	if o := fn.Origin(); o != nil {
		fn = o
	}
	if n, known := u.nodes[fn]; known {
		return n
	}
	if fn.Blocks == nil || !u.contains(fn) {
		u.nodes[fn] = nil
		return nil
	}
	n := &node{
		fn: fn, name: runtimeName(fn), byPos: map[ssa.Instruction]*site{},
		calls: map[callKey]calledParam{}, closes: map[key]bool{}, opens: map[key]opened{},
		callers: map[*node]bool{}, stale: true,
	}
	u.nodes[fn] = n
	u.order = append(u.order, n)
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			if s := u.site(n, instr); s != nil {
				n.sites = append(n.sites, s)
				n.byPos[instr] = s
			}
			if r, ok := instr.(*ssa.Return); ok {
				for _, v := range r.Results {
					if _, ok := v.Type().Underlying().(*types.Signature); ok {
						n.returns = append(n.returns, v)
					}
				}
			}
		}
	}
	u.join(n)
	return n
}

// contains reports whether a function's body belongs to the unit. Wrappers belong to
// none, and to each.
func (u *Unit) contains(fn *ssa.Function) bool {
	fn = outermostOf(fn)
	if fn.Pkg != nil {
		return u.packages[fn.Pkg.Pkg]
	}
	return true
}

func (u *Unit) site(n *node, instr ssa.Instruction) *site {
	s := &site{instr: instr, in: n, pos: instr.Pos(), spawns: -1}
	switch i := instr.(type) {
	case ssa.CallInstruction:
		s.call = i.Common()
		if _, builtin := s.call.Value.(*ssa.Builtin); builtin {
			return nil
		}
		if s.pos == token.NoPos {
			s.pos = s.call.Pos()
		}
		if first, ok := s.call.Value.(*ssa.Call); ok { // WithTransaction(f)(ctx) is where it begins
			s.pos = first.Pos()
		}
		u.resolve(s)
	default:
		if !u.blocks(s) {
			return nil
		}
	}
	if s.pos == token.NoPos {
		s.pos = n.fn.Pos()
	}
	s.step = u.step(n, s.pos)
	s.guards = u.guards(instr.Block())
	s.maybe = carried(instr.Block())
	return s
}

func (u *Unit) step(n *node, pos token.Pos) Step {
	if pos == token.NoPos {
		pos = n.fn.Pos()
	}
	p := u.prog.Fset.Position(pos)
	return Step{File: p.Filename, Line: p.Line, Func: n.name}
}

// resolve finds out what a call calls.
func (u *Unit) resolve(s *site) {
	c := s.call
	s.what = callName(c)
	s.results = c.Signature().Results().Len()
	s.args = c.Args
	var obj *types.Func
	switch {
	case c.IsInvoke():
		s.args = append([]ssa.Value{c.Value}, c.Args...)
		obj = c.Method.Origin()
		s.invoke = obj
	case c.StaticCallee() != nil:
		fn := c.StaticCallee()
		obj, _ = object(fn)
		if closure, ok := c.Value.(*ssa.MakeClosure); ok {
			fn = closure.Fn.(*ssa.Function)
		}
		if obj == nil || fn.Synthetic != "" && u.node(fn) != nil {
			if t := u.node(fn); t != nil {
				s.targets = append(s.targets, t)
			}
		}
	default:
		s.dynamic = true
	}
	if obj != nil {
		u.lookUp(s, obj)
	}
}

// lookUp asks the tables, then the unit, then the summaries.
func (u *Unit) lookUp(s *site, obj *types.Func) {
	if sk, ok := u.tables.Cost(obj); ok {
		s.cost = &sk
	}
	if op, ok := u.tables.Opener(obj); ok {
		s.opener = &op
	}
	s.isWait = isWait(obj)
	s.joins = u.tables.Joins(obj)
	s.spawns = u.tables.Spawns(obj)
	if s.cost != nil || s.opener != nil || u.tables.Fast(obj) {
		s.fast = true
		s.targets = nil
		return
	}
	if s.invoke != nil {
		if obj.Pkg() != nil && !u.packages[obj.Pkg()] && !catalog.IsStd(obj.Pkg().Path()) {
			s.facts = u.imported(obj)
		}
		return // implementations are looked for when all functions are known
	}
	if len(s.targets) == 0 {
		if t := u.node(s.call.StaticCallee()); t != nil {
			s.targets = append(s.targets, t)
			return
		}
	}
	s.facts = u.imported(obj)
}

// Leaf is a slow call that a site itself is.
func (s *site) leaf(k catalog.Cost) Leaf {
	return Leaf{
		Kind: k.Kind, Severity: k.Severity, What: s.what, Waits: s.isWait, Func: s.in.name, Guards: s.guards,
		Slow: s.place(), Chain: []Step{s.step},
	}
}

// place is where a site is.
func (s *site) place() Place { return Place{s.step.File, s.step.Line, s.what} }

// callee is the declared function that a call calls, or the interface's method.
func callee(c *ssa.CallCommon) (*types.Func, bool) {
	if c.IsInvoke() {
		return c.Method.Origin(), true
	}
	if fn := c.StaticCallee(); fn != nil {
		return object(fn)
	}
	return nil, false
}

// receives reports whether a site calls a method, on its first argument.
func (s *site) receives() bool {
	return s.call != nil && len(s.args) > 0 && (s.invoke != nil || s.call.Signature().Recv() != nil)
}
