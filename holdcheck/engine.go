package holdcheck

import (
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// unit is what is analyzed at once: all packages of a repository, or one package of
// a dependency. Of what it imports it knows summaries.
type unit struct {
	prog     *ssa.Program
	own      bool // the repository's; chains are kept, and all kinds of slow calls
	tables   *tables
	imported func(*types.Func) *summary

	nodes    map[*ssa.Function]*node
	order    []*node
	keys     *keys
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

// methodOf is a method of an interface.
type methodOf struct {
	iface *types.Interface
	name  string
}

// node is a function of the unit.
type node struct {
	fn    *ssa.Function
	name  string
	sites []*site
	byPos map[ssa.Instruction]*site

	slow    []leaf
	calls   map[callKey]calledArgs // parameters that it calls: its own, and those of the functions around it
	closes  map[key]bool
	opens   map[key]opened // by what is held: results of this function have its own value as base
	returns []ssa.Value    // functions that it may return
	pools   map[key]leaf   // what it takes connections from, by what that is of its parameters

	callers map[*node]bool
	rounds  int
	queued  bool
	flow    *flow             // of its holds; nil where it has none
	stale   bool              // what flow depends on has changed
	tests   map[condition]int // how often a condition is tested
	// followed are the variables and joins that conditions depend on.
	followed map[ssa.Value]bool
}

// callKey is a parameter that is called, and where what is held meanwhile was taken:
// nowhere, or in one of several implementations.
type callKey struct {
	key
	hold Place
}

// site is a call, or something else that may take time.
type site struct {
	instr ssa.Instruction
	call  *ssa.CallCommon // nil for an operation on a channel
	in    *node
	step  Step
	pos   token.Pos
	what  string

	sink    *sink
	opener  *opener
	fast    bool // the tables say that it is not looked into
	targets []*node
	refs    []funcRef // what targets returns, once it is known
	known   bool
	asked   bool
	facts   *summary
	invoke  *types.Func // a method of an interface
	dynamic bool
	args    []ssa.Value // with the receiver first
	joins   bool        // waits for goroutines
	spawns  int         // number of the argument that runs in a goroutine; -1
	waits   []*site     // those that start the goroutines that it waits for
	guards  []guard
	maybe   bool // it is in a case of a switch over what a context carries
	results int
}

// newUnit looks at all functions of the packages once.
func newUnit(prog *ssa.Program, own bool, t *tables, imported func(*types.Func) *summary, pkgs []*ssa.Package) *unit {
	u := &unit{
		prog: prog, own: own, tables: t, imported: imported,
		nodes: map[*ssa.Function]*node{}, keys: newKeys(), packages: map[*types.Package]bool{},
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
				named, is := m.Type().(*types.Named)
				if !is {
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
	return u
}

// observe notes what a function puts into interfaces, fields and variables.
func (u *unit) observe(fn *ssa.Function, seen map[types.Type]bool) {
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			switch i := instr.(type) {
			case *ssa.MakeInterface:
				t := i.X.Type()
				if !seen[t] {
					seen[t] = true
					u.concrete = append(u.concrete, t)
				}
				if _, is := t.Underlying().(*types.Signature); is {
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
func (u *unit) node(fn *ssa.Function) *node {
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
		calls: map[callKey]calledArgs{}, closes: map[key]bool{}, opens: map[key]opened{},
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
			if r, is := instr.(*ssa.Return); is {
				for _, v := range r.Results {
					if _, is := v.Type().Underlying().(*types.Signature); is {
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
func (u *unit) contains(fn *ssa.Function) bool {
	fn = outermostOf(fn)
	if fn.Pkg != nil {
		return u.packages[fn.Pkg.Pkg]
	}
	return true
}

func (u *unit) site(n *node, instr ssa.Instruction) *site {
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
		if first, is := s.call.Value.(*ssa.Call); is { // WithTransaction(f)(ctx) is where it begins
			s.pos = first.Pos()
		}
		u.resolve(s)
	case *ssa.UnOp:
		if i.Op != token.ARROW {
			return nil
		}
		if u.givesBack(n.fn, i) {
			return nil
		}
		s.what, s.joins, s.sink = "a receive from a channel", true, &sink{Blocked, Medium}
		if ticks(i.X) {
			s.what, s.joins, s.sink = "a wait for a timer", false, &sink{Sleep, High}
		}
	case *ssa.Send:
		s.what = "a send to a channel"
		switch u.buffered(i.Chan) {
		case yes:
			return nil
		case no:
			s.sink = &sink{Blocked, Medium}
		default:
			s.sink = &sink{Blocked, Low}
		}
	case *ssa.Select:
		if !i.Blocking {
			return nil
		}
		s.what, s.joins, s.sink = "a select", true, &sink{Blocked, Medium}
		if waitsForTime(i) {
			s.what, s.joins, s.sink = "a wait for a timer", false, &sink{Sleep, High}
		}
	default:
		return nil
	}
	if s.pos == token.NoPos {
		s.pos = n.fn.Pos()
	}
	s.step = u.step(n, s.pos)
	s.guards = u.guards(instr.Block())
	s.maybe = carried(instr.Block())
	return s
}

func (u *unit) step(n *node, pos token.Pos) Step {
	if pos == token.NoPos {
		pos = n.fn.Pos()
	}
	p := u.prog.Fset.Position(pos)
	return Step{File: p.Filename, Line: p.Line, Func: n.name}
}

// resolve finds out what a call calls.
func (u *unit) resolve(s *site) {
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
		if closure, is := c.Value.(*ssa.MakeClosure); is {
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
func (u *unit) lookUp(s *site, obj *types.Func) {
	if sk, is := u.tables.sink(obj); is {
		s.sink = &sk
	}
	if op, is := u.tables.opener(obj); is {
		s.opener = &op
	}
	s.joins = u.tables.joins(obj)
	s.spawns = u.tables.spawns(obj)
	if s.sink != nil || s.opener != nil || u.tables.fast(obj) {
		s.fast = true
		s.targets = nil
		return
	}
	if s.invoke != nil {
		if obj.Pkg() != nil && !u.packages[obj.Pkg()] && !isStd(obj.Pkg().Path()) {
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

// guards are the conditions on parameters under which a block is run.
func (u *unit) guards(b *ssa.BasicBlock) []guard {
	var gs []guard
	for d := b.Idom(); d != nil && len(gs) < 3; d = d.Idom() {
		last, is := d.Instrs[len(d.Instrs)-1].(*ssa.If)
		if !is {
			continue
		}
		for branch, succ := range d.Succs {
			if len(succ.Preds) != 1 || !succ.Dominates(b) {
				continue
			}
			if g, is := parameterTest(last.Cond, branch == 0); is {
				gs = append(gs, g)
			}
		}
	}
	return gs
}

// carried reports whether a block is a case of a switch over something that a context
// carries: which case it is is decided far away.
func carried(b *ssa.BasicBlock) bool {
	for d := b.Idom(); d != nil; d = d.Idom() {
		last, is := d.Instrs[len(d.Instrs)-1].(*ssa.If)
		if !is || len(d.Succs[0].Preds) != 1 || !d.Succs[0].Dominates(b) {
			continue
		}
		test, is := last.Cond.(*ssa.BinOp)
		if !is || test.Op != token.EQL {
			continue
		}
		if k, is := test.Y.(*ssa.Const); !is || k.Value == nil {
			continue
		}
		if fromContext(test.X, 0) {
			return true
		}
	}
	return false
}

// fromContext reports whether a value was got from a context, by a function that asks
// for one of its values.
func fromContext(v ssa.Value, depth int) bool {
	if depth > 6 {
		return false
	}
	switch v := v.(type) {
	case *ssa.UnOp:
		return fromContext(v.X, depth+1)
	case *ssa.FieldAddr:
		return fromContext(v.X, depth+1)
	case *ssa.Field:
		return fromContext(v.X, depth+1)
	case *ssa.Extract:
		return fromContext(v.Tuple, depth+1)
	case *ssa.TypeAssert:
		return fromContext(v.X, depth+1)
	case *ssa.Call:
		if m := v.Call.Method; m != nil {
			return m.Name() == "Value" && isContext(v.Call.Value.Type())
		}
		fn := v.Call.StaticCallee()
		if fn == nil || len(fn.Params) != 1 || !isContext(fn.Params[0].Type()) {
			return false
		}
		for _, b := range fn.Blocks {
			for _, instr := range b.Instrs {
				if c, is := instr.(*ssa.Call); is && c.Call.Method != nil && c.Call.Method.Name() == "Value" && isContext(c.Call.Value.Type()) {
					return true
				}
			}
		}
	}
	return false
}

func parameterTest(cond ssa.Value, holds bool) (guard, bool) {
	switch c := cond.(type) {
	case *ssa.Parameter:
		return guard{parameterIndex(c), boolWord(holds)}, true
	case *ssa.UnOp:
		if c.Op == token.NOT {
			return parameterTest(c.X, !holds)
		}
	case *ssa.BinOp:
		p, is := c.X.(*ssa.Parameter)
		k, isConst := c.Y.(*ssa.Const)
		if !is || !isConst || c.Op != token.EQL && c.Op != token.NEQ {
			return guard{}, false
		}
		want := constWord(k)
		if (c.Op == token.EQL) != holds {
			want = "not " + want
		}
		return guard{parameterIndex(p), want}, true
	}
	return guard{}, false
}

// unwrap is a value without its conversions to interfaces.
func unwrap(v ssa.Value) ssa.Value {
	for {
		switch c := v.(type) {
		case *ssa.ChangeInterface:
			v = c.X
		case *ssa.MakeInterface:
			v = c.X
		default:
			return v
		}
	}
}

func constWord(c *ssa.Const) string {
	if c.Value == nil {
		return "nil" // or a zero value
	}
	return c.Value.ExactString()
}

func boolWord(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func parameterIndex(p *ssa.Parameter) int { return slices.Index(p.Parent().Params, p) }

// pass translates a leaf's guards to the caller: ok is false where an argument says
// that the call is not made.
func pass(l leaf, args []ssa.Value, n *node) (guards []guard, ok bool) {
	for _, g := range l.Guards {
		if g.Index >= len(args) {
			continue
		}
		switch a := unwrap(args[g.Index]).(type) {
		case *ssa.Const:
			is := constWord(a)
			if not, negated := strings.CutPrefix(g.Want, "not "); negated && is == not || !negated && is != g.Want {
				return nil, false
			}
		case *ssa.Parameter:
			if a.Parent() == n.fn {
				guards = append(guards, guard{parameterIndex(a), g.Want})
			}
		case *ssa.MakeClosure, *ssa.Alloc, *ssa.Function, *ssa.Extract, *ssa.Call:
			if g.Want == "nil" {
				return nil, false
			}
		}
	}
	return guards, true
}

// join marks the goroutines that a function waits for, and those calls that wait.
func (u *unit) join(n *node) {
	var joins []*site
	for _, s := range n.sites {
		if s.joins {
			joins = append(joins, s)
		}
	}
	for _, s := range n.sites {
		_, isGo := s.instr.(*ssa.Go)
		if !isGo && s.spawns < 0 {
			continue
		}
		for _, j := range joins {
			if u.waitsFor(j, s) {
				j.waits = append(j.waits, s)
			}
		}
	}
}

// waitsFor reports whether j waits for the goroutine that s starts.
func (u *unit) waitsFor(j, s *site) bool {
	if !reaches(s.instr, j.instr) {
		return false
	}
	if j.call != nil { // a WaitGroup, an errgroup
		if s.spawns >= 0 && len(j.args) > 0 {
			return u.keys.of(j.args[0]) == u.keys.of(s.args[0])
		}
		return true
	}
	// A channel: the goroutine must have it.
	for _, ch := range channels(j.instr) {
		want := u.keys.of(ch)
		for _, a := range u.given(s) {
			if k := u.keys.of(a); k.base == want.base && (k.path == want.path || strings.HasPrefix(want.path, k.path+".")) {
				return true
			}
		}
	}
	return false
}

// given are the values that a goroutine gets: arguments, and what its function
// captures.
func (u *unit) given(s *site) []ssa.Value {
	vals := slices.Clone(s.args)
	captured := func(v ssa.Value) {
		c, is := v.(*ssa.MakeClosure)
		if !is {
			return
		}
		for _, b := range c.Bindings {
			vals = append(vals, b)
			if a, is := b.(*ssa.Alloc); is {
				stored, _ := u.keys.stored(a)
				vals = append(vals, stored...)
			}
		}
	}
	captured(s.call.Value)
	for _, a := range s.args {
		captured(a)
	}
	return vals
}

func channels(instr ssa.Instruction) []ssa.Value {
	switch i := instr.(type) {
	case *ssa.UnOp:
		return []ssa.Value{i.X}
	case *ssa.Select:
		var chans []ssa.Value
		for _, st := range i.States {
			if st.Dir == types.RecvOnly {
				chans = append(chans, st.Chan)
			}
		}
		return chans
	}
	return nil
}

// reaches reports whether b may run after a.
func reaches(a, b ssa.Instruction) bool {
	if a.Block() == b.Block() && slices.Index(a.Block().Instrs, a) < slices.Index(b.Block().Instrs, b) {
		return true
	}
	seen := map[*ssa.BasicBlock]bool{}
	var visit func(*ssa.BasicBlock) bool
	visit = func(x *ssa.BasicBlock) bool {
		for _, s := range x.Succs {
			if s == b.Block() {
				return true
			}
			if !seen[s] {
				seen[s] = true
				if visit(s) {
					return true
				}
			}
		}
		return false
	}
	return visit(a.Block())
}

// async reports whether a site starts a goroutine. What that does counts where it is
// waited for.
func (s *site) async() bool {
	_, isGo := s.instr.(*ssa.Go)
	return isGo
}

// implementations are the methods that a call of an interface's method can be: of
// types of the unit that are put into interfaces, or, where none is, of all.
func (u *unit) implementations(iface *types.Interface, m *types.Func) []*node {
	k := methodOf{iface, m.Name()}
	if known, is := u.impls[k]; is {
		return known
	}
	found := u.methods(u.concrete, iface, m)
	if len(found) == 0 {
		found = u.methods(u.named, iface, m)
	}
	u.impls[k] = found
	return found
}

func (u *unit) methods(of []types.Type, iface *types.Interface, m *types.Func) (found []*node) {
	for _, t := range of {
		if types.IsInterface(t) || u.prog.MethodSets.MethodSet(t).Lookup(m.Pkg(), m.Name()) == nil || !types.Implements(t, iface) {
			continue
		}
		sel := u.prog.MethodSets.MethodSet(t).Lookup(m.Pkg(), m.Name())
		fn := u.prog.MethodValue(sel)
		if fn == nil {
			continue
		}
		if n := u.node(fn); n != nil && !slices.Contains(found, n) {
			found = append(found, n)
		}
	}
	return found
}

// isTest reports whether a function is in a test file.
func (u *unit) isTest(n *node) bool {
	return strings.HasSuffix(u.prog.Fset.Position(n.fn.Pos()).Filename, "_test.go")
}

// collects notes that a variable holds a map or a slice of functions.
func (u *unit) collects(addr, container ssa.Value, elem types.Type) {
	if _, is := elem.Underlying().(*types.Signature); !is {
		return
	}
	k := u.place(addr)
	u.elements[k] = append(u.elements[k], container)
}

// place is the key of a variable: for a field, one that all values of its type share.
func (u *unit) place(addr ssa.Value) key {
	if f, is := addr.(*ssa.FieldAddr); is {
		return u.fieldKey(fieldOf(f.X.Type(), f.Field))
	}
	return u.keys.of(addr)
}

// fieldKey stands for a field of all values of a type.
func (u *unit) fieldKey(f *types.Var) key {
	return key{nil, f.Id() + "@" + u.prog.Fset.Position(f.Pos()).String()}
}

// waitsForTime reports whether a select waits for a timer, and for nothing else than
// the end of a context.
func waitsForTime(sel *ssa.Select) bool {
	timer := false
	for _, st := range sel.States {
		switch call, is := st.Chan.(*ssa.Call); {
		case st.Dir == types.RecvOnly && ticks(st.Chan):
			timer = true
		case is && call.Call.Method != nil && call.Call.Method.Name() == "Done" && isContext(call.Call.Value.Type()):
		default:
			return false
		}
	}
	return timer
}

// ticks reports whether a channel is a timer's: time.After(d), timer.C.
func ticks(ch ssa.Value) bool {
	switch c := ch.(type) {
	case *ssa.Call:
		fn := c.Call.StaticCallee()
		if fn == nil {
			return false
		}
		obj, is := object(fn)
		return is && fullName(obj) == "time.After"
	case *ssa.UnOp:
		f, is := c.X.(*ssa.FieldAddr)
		return is && typeName(f.X.Type()) == "time.Timer"
	}
	return false
}

// givesBack reports whether a receive takes out what the same function put into a
// channel with room, or the function around it: a semaphore.
func (u *unit) givesBack(fn *ssa.Function, receive *ssa.UnOp) bool {
	k := u.keys.of(receive.X)
	for f := fn; f != nil; f = f.Parent() {
		for _, b := range f.Blocks {
			for _, instr := range b.Instrs {
				switch i := instr.(type) {
				case *ssa.Send:
					if u.keys.of(i.Chan) == k && u.buffered(i.Chan) == yes {
						return true
					}
				case *ssa.Select:
					for _, st := range i.States {
						if st.Dir == types.SendOnly && u.keys.of(st.Chan) == k && u.buffered(st.Chan) != no {
							return true
						}
					}
				}
			}
		}
	}
	return false
}

// answer is yes, no, or neither.
type answer int

const (
	unknown answer = iota
	yes
	no
)

// buffered reports whether a channel has room, as far as it can be told.
func (u *unit) buffered(ch ssa.Value) answer {
	var made []ssa.Value
	switch v := ch.(type) {
	case *ssa.MakeChan:
		made = append(made, v)
	case *ssa.UnOp:
		switch at := v.X.(type) {
		case *ssa.FieldAddr:
			made = u.fields[fieldOf(at.X.Type(), at.Field)]
		case *ssa.Global:
			made = u.globals[at]
		default:
			if a, is := u.variable(at).(*ssa.Alloc); is {
				made, _ = u.keys.stored(a)
			}
		}
	case *ssa.FreeVar:
		if m, is := u.variable(v).(*ssa.MakeChan); is {
			made = append(made, m)
		}
	}
	found := unknown
	for _, v := range made {
		if t, is := v.(*ssa.ChangeType); is {
			v = t.X
		}
		m, is := v.(*ssa.MakeChan)
		if !is {
			return unknown
		}
		size, is := m.Size.(*ssa.Const)
		switch {
		case is && size.Int64() == 0:
			return no
		default:
			found = yes
		}
	}
	return found
}
