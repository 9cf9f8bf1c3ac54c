package flow

import (
	"fmt"
	"go/token"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// event is a site that is run while something is held.
type event struct {
	site   *site
	tokens []*hold // the one that was taken first is first
}

// walk is what happens to the holds of one function.
type walk struct {
	u      *Unit
	n      *node
	holds  []*hold
	open   map[*site]uint64 // the holds that may be open when a site is run
	ended  map[*site]uint64 // the holds that it releases, and that may be open before
	events []event
	opens  map[key]opened
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

// walk follows the holds of a function, and the one that is open when it begins
// where that is not nil. It returns nil where nothing is held.
func (u *Unit) walk(n *node, inherited *hold) *walk {
	f := &walk{u: u, n: n, open: map[*site]uint64{}, ended: map[*site]uint64{}, opens: map[key]opened{}}
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

func (f *walk) run() {
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

func (f *walk) allDefers(at *ssa.BasicBlock) (all []*site) {
	for _, s := range f.n.sites {
		if d, ok := s.instr.(*ssa.Defer); ok && d.Block().Dominates(at) {
			all = append(all, s)
		}
	}
	return all
}

// enter sets what joins hold when a block is entered from another.
func (f *walk) enter(b, from *ssa.BasicBlock, in state) state {
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

// block runs the instructions of a block.
func (f *walk) block(b *ssa.BasicBlock, in state) state {
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
func (f *walk) at(s *site, st *state) {
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
func (f *walk) nested(s *site, open uint64) bool {
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
