package flow

import (
	"go/token"
	"slices"
	"strconv"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// guard is a condition on a parameter: that it is a constant or, where Not is set,
// anything else.
type guard struct {
	Index int
	Value string // as constWord has it
	Not   bool
}

// guards are the conditions on parameters under which a block is run.
func (u *Unit) guards(b *ssa.BasicBlock) []guard {
	var gs []guard
	for d := b.Idom(); d != nil && len(gs) < 3; d = d.Idom() {
		last, ok := d.Instrs[len(d.Instrs)-1].(*ssa.If)
		if !ok {
			continue
		}
		for branch, succ := range d.Succs {
			if len(succ.Preds) != 1 || !succ.Dominates(b) {
				continue
			}
			if g, ok := parameterTest(last.Cond, branch == 0); ok {
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
		last, ok := d.Instrs[len(d.Instrs)-1].(*ssa.If)
		if !ok || len(d.Succs[0].Preds) != 1 || !d.Succs[0].Dominates(b) {
			continue
		}
		test, ok := last.Cond.(*ssa.BinOp)
		if !ok || test.Op != token.EQL {
			continue
		}
		if k, ok := test.Y.(*ssa.Const); !ok || k.Value == nil {
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
			return m.Name() == "Value" && catalog.IsContext(v.Call.Value.Type())
		}
		fn := v.Call.StaticCallee()
		if fn == nil || len(fn.Params) != 1 || !catalog.IsContext(fn.Params[0].Type()) {
			return false
		}
		for _, b := range fn.Blocks {
			for _, instr := range b.Instrs {
				if c, ok := instr.(*ssa.Call); ok && c.Call.Method != nil && c.Call.Method.Name() == "Value" && catalog.IsContext(c.Call.Value.Type()) {
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
		return guard{Index: parameterIndex(c), Value: strconv.FormatBool(holds)}, true
	case *ssa.UnOp:
		if c.Op == token.NOT {
			return parameterTest(c.X, !holds)
		}
	case *ssa.BinOp:
		p, ok := c.X.(*ssa.Parameter)
		k, isConst := c.Y.(*ssa.Const)
		if !ok || !isConst || c.Op != token.EQL && c.Op != token.NEQ {
			return guard{}, false
		}
		return guard{parameterIndex(p), constWord(k), (c.Op == token.EQL) != holds}, true
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

// nilWord is nil, or a zero value.
const nilWord = "nil"

// constWord tells constants apart.
func constWord(c *ssa.Const) string {
	if c.Value == nil {
		return nilWord
	}
	return c.Value.ExactString()
}

func parameterIndex(p *ssa.Parameter) int { return slices.Index(p.Parent().Params, p) }

// pass translates a leaf's guards to the caller: ok is false where an argument says
// that the call is not made.
func pass(l Leaf, args []ssa.Value, n *node) (guards []guard, ok bool) {
	for _, g := range l.Guards {
		if g.Index >= len(args) {
			continue
		}
		switch a := unwrap(args[g.Index]).(type) {
		case *ssa.Const:
			if same := constWord(a) == g.Value; same == g.Not {
				return nil, false
			}
		case *ssa.Parameter:
			if a.Parent() == n.fn {
				guards = append(guards, guard{parameterIndex(a), g.Value, g.Not})
			}
		case *ssa.MakeClosure, *ssa.Alloc, *ssa.Function, *ssa.Extract, *ssa.Call:
			if g.Value == nilWord && !g.Not {
				return nil, false
			}
		}
	}
	return guards, true
}
