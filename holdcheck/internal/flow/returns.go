package flow

import (
	"fmt"
	"go/token"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// returns notes what is still held at a return, and how the caller gets at it.
func (f *walk) returns(r *ssa.Return, s state) {
	if s.open == 0 || failing(r.Block()) || len(r.Results) > 0 && makesError(f.value(r.Results[len(r.Results)-1], s)) {
		return // who gets an error takes it that there is no hold
	}
	for _, h := range f.holds {
		if s.open&h.bit == 0 || h.site == nil {
			continue
		}
		o := opened{Result: -1, What: h.What, Closers: h.closers, Openers: append([]string{f.n.name}, h.Openers...)}
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
