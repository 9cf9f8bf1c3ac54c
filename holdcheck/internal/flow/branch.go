package flow

import (
	"go/constant"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// condition is something that a function tests: that a key is true, or is nil.
type condition struct {
	key key
	nil bool
}

// countTests counts how often the function tests each condition: one that is tested
// once need not be remembered.
func (f *walk) countTests() {
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

// follow marks the variables and joins that a condition depends on: what they hold is
// followed along paths.
func (f *walk) follow(v ssa.Value) {
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
func (f *walk) value(v ssa.Value, s state) ssa.Value {
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

// condition is what a value of If tests, and whether it tests that it is not so.
func (f *walk) condition(cond ssa.Value, s state) (c condition, negated, ok bool) {
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
func (f *walk) branch(cond ssa.Value, taken bool, s state) (next state, can bool) {
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
func (f *walk) ranged(cond ssa.Value, s *state) {
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
