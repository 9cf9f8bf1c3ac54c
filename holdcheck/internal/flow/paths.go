package flow

import (
	"cmp"
	"fmt"
	"go/constant"
	"go/token"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// event is a site that is run while something is held.
type event struct {
	site   *site
	tokens []*hold // the one that was taken first is first
}

// flow is what happens to the holds of one function.
type flow struct {
	u      *Unit
	n      *node
	holds  []*hold
	open   map[*site]uint64 // the holds that may be open when a site is run
	ended  map[*site]uint64 // the holds that it releases, and that may be open before
	events []event
	opens  map[key]opened
}

// condition is something that a function tests: that a key is true, or is nil.
type condition struct {
	key key
	nil bool
}

// state is what is known at one point of one path.
type state struct {
	open   uint64
	defers []*site
	mem    map[ssa.Value]ssa.Value // what variables and joins hold
	facts  map[condition]bool
}

func (s state) clone() state {
	return state{s.open, slices.Clip(s.defers), maps.Clone(s.mem), maps.Clone(s.facts)}
}

// id tells states apart.
func (s state) id() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%x", s.open)
	for _, d := range s.defers {
		fmt.Fprintf(&b, " %p", d)
	}
	var parts []string
	for k, v := range s.mem {
		parts = append(parts, fmt.Sprintf("%p=%p", k, v))
	}
	for k, v := range s.facts {
		parts = append(parts, fmt.Sprintf("%p%s%t=%t", k.key.base, k.key.path, k.nil, v))
	}
	slices.Sort(parts)
	for _, p := range parts {
		b.WriteString(p)
	}
	return b.String()
}

// maxStates bounds the paths that are told apart in a function; beyond it, only
// which holds are open is.
const maxStates = 500

// flow follows the holds of a function, and the one that is open when it begins
// where that is not nil. It returns nil where nothing is held.
func (u *Unit) flow(n *node, inherited *hold) *flow {
	f := &flow{u: u, n: n, open: map[*site]uint64{}, ended: map[*site]uint64{}, opens: map[key]opened{}}
	if inherited != nil {
		f.holds = append(f.holds, inherited)
	}
	f.holds = append(f.holds, u.holdsOf(n)...)
	if len(f.holds) == 0 || len(f.holds) > 64 {
		return nil
	}
	fam := family(n.fn)
	for i, h := range f.holds {
		h.bit = 1 << i
		u.spread(h, fam)
	}
	f.countTests()
	f.run()
	for _, s := range n.sites {
		if bits := f.open[s]; bits != 0 {
			e := event{site: s}
			for _, h := range f.holds {
				if bits&h.bit != 0 {
					e.tokens = append(e.tokens, h)
				}
			}
			f.events = append(f.events, e)
		}
	}
	return f
}

// countTests counts how often the function tests each condition: one that is tested
// once need not be remembered.
func (f *flow) countTests() {
	if f.n.tests != nil {
		return
	}
	f.n.tests = map[condition]int{}
	f.n.followed = map[ssa.Value]bool{}
	for _, b := range f.n.fn.Blocks {
		if last, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If); ok {
			f.follow(last.Cond)
			if c, _, ok := f.condition(last.Cond, state{}); ok {
				f.n.tests[c]++
			}
		}
	}
}

func (f *flow) run() {
	type visit struct {
		block *ssa.BasicBlock
		from  *ssa.BasicBlock
		in    state
	}
	start := state{mem: map[ssa.Value]ssa.Value{}, facts: map[condition]bool{}}
	if len(f.holds) > 0 && f.holds[0].site == nil {
		start.open = f.holds[0].bit
	}
	seen := map[string]bool{}
	count := 0
	work := []visit{{f.n.fn.Blocks[0], nil, start}}
	for len(work) > 0 {
		v := work[len(work)-1]
		work = work[:len(work)-1]
		in := f.enter(v.block, v.from, v.in)
		if count++; count > maxStates {
			in.mem, in.facts, in.defers = map[ssa.Value]ssa.Value{}, map[condition]bool{}, f.allDefers(v.block)
		}
		id := fmt.Sprintf("%d %s", v.block.Index, in.id())
		if seen[id] || count > 4*maxStates {
			continue
		}
		seen[id] = true
		out := f.block(v.block, in)
		last := v.block.Instrs[len(v.block.Instrs)-1]
		if test, ok := last.(*ssa.If); ok {
			for branch, succ := range v.block.Succs {
				if next, can := f.branch(test.Cond, branch == 0, out.clone()); can {
					work = append(work, visit{succ, v.block, next})
				}
			}
			continue
		}
		for _, succ := range v.block.Succs {
			work = append(work, visit{succ, v.block, out})
		}
	}
}

func (f *flow) allDefers(at *ssa.BasicBlock) (all []*site) {
	for _, s := range f.n.sites {
		if d, ok := s.instr.(*ssa.Defer); ok && d.Block().Dominates(at) {
			all = append(all, s)
		}
	}
	return all
}

// enter sets what joins hold when a block is entered from another.
func (f *flow) enter(b, from *ssa.BasicBlock, in state) state {
	if from == nil {
		return in
	}
	edge := slices.Index(b.Preds, from)
	out, cloned := in, false
	for _, instr := range b.Instrs {
		phi, ok := instr.(*ssa.Phi)
		if !ok {
			break
		}
		if !f.n.followed[phi] {
			continue
		}
		if !cloned {
			out, cloned = in.clone(), true
		}
		out.mem[phi] = f.value(phi.Edges[edge], in)
	}
	return out
}

// follow marks the variables and joins that a condition depends on: what they hold is
// followed along paths.
func (f *flow) follow(v ssa.Value) {
	if f.n.followed[v] {
		return
	}
	switch v := v.(type) {
	case *ssa.Phi:
		f.n.followed[v] = true
		for _, e := range v.Edges {
			f.follow(e)
		}
	case *ssa.BinOp:
		if v.Op == token.EQL || v.Op == token.NEQ {
			f.follow(v.X)
			f.follow(v.Y)
		}
	case *ssa.UnOp:
		if v.Op == token.NOT {
			f.follow(v.X)
		}
		if a, ok := v.X.(*ssa.Alloc); ok && v.Op == token.MUL {
			f.n.followed[v], f.n.followed[a] = true, true
			for _, use := range *a.Referrers() {
				if s, ok := use.(*ssa.Store); ok {
					f.follow(s.Val)
				}
			}
		}
	case *ssa.ChangeInterface:
		f.follow(v.X)
	case *ssa.MakeInterface:
		f.follow(v.X)
	}
}

// value is what v is on this path, as far as it is known.
func (f *flow) value(v ssa.Value, s state) ssa.Value {
	for range 8 {
		switch x := v.(type) {
		case *ssa.Phi:
			if to, known := s.mem[x]; known && to != v {
				v = to
				continue
			}
		case *ssa.UnOp:
			if x.Op == token.MUL {
				if to, known := s.mem[x]; known {
					v = to
					continue
				}
			}
		case *ssa.ChangeInterface:
			v = x.X
			continue
		case *ssa.MakeInterface:
			v = x.X
			continue
		}
		return v
	}
	return v
}

// block runs the instructions of a block.
func (f *flow) block(b *ssa.BasicBlock, in state) state {
	out := in.clone()
	for _, instr := range b.Instrs {
		switch i := instr.(type) {
		case *ssa.Store:
			if a, ok := i.Addr.(*ssa.Alloc); ok && f.n.followed[a] {
				out.mem[a] = f.value(i.Val, out)
			}
			continue
		case *ssa.UnOp:
			if a, ok := i.X.(*ssa.Alloc); ok && i.Op == token.MUL && f.n.followed[i] {
				if v, known := out.mem[a]; known {
					out.mem[i] = v
				} else {
					delete(out.mem, i)
				}
			}
		case *ssa.Defer:
			if s := f.n.byPos[i]; s != nil && !slices.Contains(out.defers, s) {
				out.defers = append(out.defers, s)
			}
			continue
		case *ssa.RunDefers, *ssa.Panic:
			for _, s := range slices.Backward(out.defers) {
				f.at(s, &out)
			}
			out.defers = nil
			continue
		case *ssa.Return:
			f.returns(i, out)
			continue
		case *ssa.Go:
			continue
		case *ssa.Call:
			// What it returned before, in a loop, is known no more.
			for c := range out.facts {
				if c.key.base == ssa.Value(i) {
					delete(out.facts, c)
				}
			}
		}
		if s := f.n.byPos[instr]; s != nil {
			f.at(s, &out)
		}
	}
	return out
}

// at runs one site.
func (f *flow) at(s *site, st *state) {
	var ended uint64
	for _, h := range f.holds {
		if st.open&h.bit != 0 && f.u.endedBy(h, s) {
			ended |= h.bit
		}
	}
	if ended != 0 {
		f.ended[s] |= ended
	}
	if open := st.open &^ ended; open != 0 {
		f.open[s] |= open
	}
	st.open &^= ended
	for _, h := range f.holds {
		if h.site == s && !f.nested(s, st.open) {
			st.open |= h.bit
		}
	}
}

// nested reports whether a site takes nothing because it is given what is held.
func (f *flow) nested(s *site, open uint64) bool {
	if s.opener == nil || !s.opener.Nests {
		return false
	}
	for _, h := range f.holds {
		if open&h.bit == 0 || h.site == s {
			continue
		}
		for _, a := range s.args {
			if itself, around := h.named(f.u.keys.of(a)); itself || around {
				return true
			}
		}
	}
	return false
}

// condition is what a value of If tests, and whether it tests that it is not so.
func (f *flow) condition(cond ssa.Value, s state) (c condition, negated, ok bool) {
	switch x := cond.(type) {
	case *ssa.UnOp:
		if x.Op == token.NOT {
			c, negated, ok = f.condition(x.X, s)
			return c, !negated, ok
		}
	case *ssa.BinOp:
		if x.Op != token.EQL && x.Op != token.NEQ {
			return c, false, false
		}
		a, b := x.X, x.Y
		if k, ok := a.(*ssa.Const); ok && k.IsNil() {
			a, b = b, a
		}
		if k, ok := b.(*ssa.Const); ok && k.IsNil() {
			return condition{f.u.keys.of(f.value(a, s)), true}, x.Op == token.NEQ, true
		}
		return c, false, false
	}
	return condition{f.u.keys.of(f.value(cond, s)), false}, false, true
}

// branch is the state where cond is what taken says; can is false where it cannot be.
func (f *flow) branch(cond ssa.Value, taken bool, s state) (next state, can bool) {
	c, negated, ok := f.condition(cond, s)
	if !ok {
		if !taken {
			f.ranged(cond, &s)
		}
		return s, true
	}
	holds := taken != negated // what the condition says
	v := c.key.base
	if k, isConst := v.(*ssa.Const); isConst && c.key.path == "" {
		if c.nil {
			return s, k.IsNil() == holds
		}
		if k.Value != nil && k.Value.Kind() == constant.Bool {
			return s, constant.BoolVal(k.Value) == holds
		}
	}
	if c.nil && holds {
		switch v.(type) {
		case *ssa.Alloc, *ssa.MakeClosure, *ssa.Function:
			if c.key.path == "" {
				return s, false // a variable's address is never nil
			}
		}
	}
	if known, has := s.facts[c]; has {
		if known != holds {
			return s, false
		}
	} else if f.n.tests[c] > 1 || isPhi(cond) {
		s.facts[c] = holds
	}
	for _, h := range f.holds {
		switch {
		case s.open&h.bit == 0:
		case c.nil && !holds && h.errs[c.key]: // it was not taken
			s.open &^= h.bit
		case c.nil && holds && h.aliases[c.key]:
			s.open &^= h.bit
		case c.nil && !holds && strings.HasSuffix(c.key.path, ".Error") && h.aliases[key{c.key.base, strings.TrimSuffix(c.key.path, ".Error")}]: // gorm
			s.open &^= h.bit
		case !c.nil && !holds && slices.Contains(h.closers, "Next"):
			if call, isCall := v.(*ssa.Call); isCall && methodName(&call.Call) == "Next" {
				if itself, _ := h.named(f.u.keys.of(receiverOf(&call.Call))); itself {
					s.open &^= h.bit
				}
			}
		}
	}
	return s, true
}

// ranged ends holds of which there are several, when the loop over them has ended.
func (f *flow) ranged(cond ssa.Value, s *state) {
	less, ok := cond.(*ssa.BinOp)
	if !ok || less.Op != token.LSS {
		return
	}
	length, ok := less.Y.(*ssa.Call)
	if !ok || len(length.Call.Args) != 1 {
		return
	}
	if b, ok := length.Call.Value.(*ssa.Builtin); !ok || b.Name() != "len" {
		return
	}
	k := f.u.keys.of(length.Call.Args[0])
	for _, h := range f.holds {
		if h.aliases[k] {
			s.open &^= h.bit
		}
	}
}

func isPhi(v ssa.Value) bool {
	_, ok := v.(*ssa.Phi)
	return ok
}

func methodName(c *ssa.CallCommon) string {
	if c.IsInvoke() {
		return c.Method.Name()
	}
	if fn := c.StaticCallee(); fn != nil && fn.Signature.Recv() != nil {
		return fn.Name()
	}
	return ""
}

func receiverOf(c *ssa.CallCommon) ssa.Value {
	if c.IsInvoke() {
		return c.Value
	}
	return c.Args[0]
}

// returns notes what is still held at a return, and how the caller gets at it.
func (f *flow) returns(r *ssa.Return, s state) {
	if s.open == 0 || failing(r.Block()) || len(r.Results) > 0 && makesError(f.value(r.Results[len(r.Results)-1], s)) {
		return // who gets an error takes it that there is no hold
	}
	for _, h := range f.holds {
		if s.open&h.bit == 0 || h.site == nil {
			continue
		}
		o := opened{Result: -1, What: h.what, Closers: h.closers, Openers: append([]string{f.n.name}, h.openers...)}
		found := false
		for i, v := range r.Results {
			v = f.value(v, s)
			k := f.u.keys.of(v)
			itself, around := h.named(k)
			if itself || around || f.u.captures(h, v) {
				o := o
				o.Result = i
				if !itself {
					o.Closers = nil // a method of something around it
				}
				f.opens[key{f.n.fn, fmt.Sprint("#", i)}] = o
				found = true
			}
		}
		if found {
			continue
		}
		for _, k := range sortedKeys(h.aliases) {
			switch b := k.base.(type) {
			case *ssa.Parameter:
				sits := h.site.opener != nil && h.site.opener.Result == catalog.Receiver // in the parameter itself, which is a session
				if b.Parent() == f.n.fn && k.path == "" && !sits {
					continue
				}
				o := o
				if b.Parent() == f.n.fn {
					o.Param = parameter{parameterIndex(b), k.path}
				}
				f.opens[k] = o
			case *ssa.Alloc:
				if b.Parent() != f.n.fn && encloses(b.Parent(), f.n.fn) {
					f.opens[k] = o
				}
			}
		}
	}
}

// makesError reports whether a value is an error that was made just now.
func makesError(v ssa.Value) bool {
	call, ok := v.(*ssa.Call)
	if !ok || !catalog.IsError(call.Type()) || call.Call.StaticCallee() == nil {
		return false
	}
	name := call.Call.StaticCallee().Name()
	return strings.HasPrefix(name, "New") || strings.HasPrefix(name, "Errorf") || strings.HasPrefix(name, "Wrap")
}

// failing reports whether a block is run only where there is an error.
func failing(b *ssa.BasicBlock) bool {
	for d := b.Idom(); d != nil; d = d.Idom() {
		last, ok := d.Instrs[len(d.Instrs)-1].(*ssa.If)
		if !ok {
			continue
		}
		test, ok := last.Cond.(*ssa.BinOp)
		if !ok || !catalog.IsError(test.X.Type()) {
			continue
		}
		if k, ok := test.Y.(*ssa.Const); !ok || !k.IsNil() {
			continue
		}
		branch := 0
		if test.Op == token.EQL {
			branch = 1
		}
		if succ := d.Succs[branch]; len(succ.Preds) == 1 && succ.Dominates(b) {
			return true
		}
	}
	return false
}

// sortedKeys are a map's keys in an order that is always the same.
func sortedKeys[V any](m map[key]V) []key {
	ks := slices.Collect(maps.Keys(m))
	slices.SortFunc(ks, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.base.Pos(), b.base.Pos()), cmp.Compare(a.base.Name(), b.base.Name()), cmp.Compare(a.path, b.path))
	})
	return ks
}

func sortedCalls(m map[callKey]calledArgs) []callKey {
	ks := slices.Collect(maps.Keys(m))
	slices.SortFunc(ks, func(a, b callKey) int {
		return cmp.Or(cmp.Compare(a.base.Pos(), b.base.Pos()), cmp.Compare(a.path, b.path), cmp.Compare(a.hold.File, b.hold.File), cmp.Compare(a.hold.Line, b.hold.Line),
			cmp.Compare(a.hold.What, b.hold.What), cmp.Compare(a.base.Name(), b.base.Name()))
	})
	return ks
}
