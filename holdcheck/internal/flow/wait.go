package flow

import (
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// join marks the goroutines that a function waits for, and those calls that wait.
func (u *Unit) join(n *node) {
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
func (u *Unit) waitsFor(j, s *site) bool {
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
func (u *Unit) given(s *site) []ssa.Value {
	vals := slices.Clone(s.args)
	captured := func(v ssa.Value) {
		c, ok := v.(*ssa.MakeClosure)
		if !ok {
			return
		}
		for _, b := range c.Bindings {
			vals = append(vals, b)
			if a, ok := b.(*ssa.Alloc); ok {
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

// blocks reports whether a site is an operation on a channel that may wait, and says
// for what.
func (u *Unit) blocks(s *site) bool {
	timer := false
	switch i := s.instr.(type) {
	case *ssa.UnOp:
		if i.Op != token.ARROW || u.givesBack(s.in.fn, i) {
			return false
		}
		s.what, timer = "a receive from a channel", ticks(i.X)
	case *ssa.Select:
		if !i.Blocking {
			return false
		}
		s.what, timer = "a select", waitsForTime(i)
	case *ssa.Send:
		s.what, s.cost = "a send to a channel", &catalog.Cost{Kind: catalog.Blocked, Severity: catalog.Low}
		switch u.buffered(i.Chan) {
		case yes:
			return false
		case no:
			s.cost.Severity = catalog.Medium
		}
		return true
	default:
		return false
	}
	s.joins, s.cost = true, &catalog.Cost{Kind: catalog.Blocked, Severity: catalog.Medium}
	if timer {
		s.what, s.joins, s.cost = "a wait for a timer", false, &catalog.Cost{Kind: catalog.Sleep, Severity: catalog.High}
	}
	return true
}

// waitsForTime reports whether a select waits for a timer, and for nothing else than
// the end of a context.
func waitsForTime(sel *ssa.Select) bool {
	timer := false
	for _, st := range sel.States {
		switch call, ok := st.Chan.(*ssa.Call); {
		case st.Dir == types.RecvOnly && ticks(st.Chan):
			timer = true
		case ok && call.Call.Method != nil && call.Call.Method.Name() == "Done" && catalog.IsContext(call.Call.Value.Type()):
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
		obj, ok := callee(&c.Call)
		return ok && catalog.FullName(obj) == "time.After"
	case *ssa.UnOp:
		f, ok := c.X.(*ssa.FieldAddr)
		return ok && catalog.TypeName(f.X.Type()) == "time.Timer"
	}
	return false
}

// givesBack reports whether a receive takes out what the same function put into a
// channel with room, or the function around it: a semaphore.
func (u *Unit) givesBack(fn *ssa.Function, receive *ssa.UnOp) bool {
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
func (u *Unit) buffered(ch ssa.Value) answer {
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
			if a, ok := u.variable(at).(*ssa.Alloc); ok {
				made, _ = u.keys.stored(a)
			}
		}
	case *ssa.FreeVar:
		if m, ok := u.variable(v).(*ssa.MakeChan); ok {
			made = append(made, m)
		}
	}
	found := unknown
	for _, v := range made {
		if t, ok := v.(*ssa.ChangeType); ok {
			v = t.X
		}
		m, ok := v.(*ssa.MakeChan)
		if !ok {
			return unknown
		}
		if size, ok := m.Size.(*ssa.Const); ok && size.Int64() == 0 {
			return no
		}
		found = yes
	}
	return found
}
