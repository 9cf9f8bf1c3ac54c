package holdcheck

import (
	"cmp"
	"fmt"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// tables are the curated tables and what the configuration adds.
type tables struct {
	slow    table[sink]
	quick   table[bool]
	openers table[opener]
}

// newTables reads a configuration.
func newTables(c Config) (*tables, error) {
	t := &tables{newTable(map[string]sink{}), newTable(map[string]bool{}), newTable(map[string]opener{})}
	for _, s := range c.Slow {
		severity := cmp.Or(s.Severity, High)
		if !slices.Contains(Severities(), severity) {
			return nil, fmt.Errorf("the configuration's slow call %s has the severity %q; there are high, medium and low", s.Func, s.Severity)
		}
		t.slow.set(s.Func, sink{cmp.Or(s.Kind, Custom), severity})
	}
	for _, f := range c.Fast {
		t.quick.set(f, true)
	}
	for _, o := range c.Openers {
		op := opener{what: "a connection", result: 0, callback: none, closers: o.Closers, nests: true}
		if o.Callback > 0 {
			op.result, op.callback = none, o.Callback-1
		}
		t.openers.set(o.Func, op)
	}
	return t, nil
}

// sink is what the tables say of a function that is slow.
func (t *tables) sink(f *types.Func) (sink, bool) {
	name := fullName(f)
	if _, fast := t.quick.find(name); fast {
		return sink{}, false
	}
	if s, is := t.slow.find(name); is {
		return s, true
	}
	return slowCall(f)
}

func (t *tables) opener(f *types.Func) (opener, bool) {
	name := fullName(f)
	if o, is := t.openers.find(name); is {
		return o, true
	}
	return openerOf(f)
}

// fast reports whether a function is not looked into.
func (t *tables) fast(f *types.Func) bool {
	if _, fast := t.quick.find(fullName(f)); fast {
		return true
	}
	return f.Pkg() != nil && curated(f.Pkg().Path())
}

func (t *tables) joins(f *types.Func) bool {
	_, is := joins.find(fullName(f))
	return is
}

// spawns is the number of the argument, the receiver first, that f runs in a
// goroutine; -1 for none.
func (t *tables) spawns(f *types.Func) int {
	if i, is := spawns.find(fullName(f)); is {
		return i
	}
	return -1
}

// writes reports whether a site writes to a client of this program, who decides how
// fast it goes.
func (t *tables) writes(s *site) bool {
	if s.call == nil {
		return false
	}
	obj, is := callee(s.call)
	if !is {
		return false
	}
	i, is := writesTo.find(fullName(obj))
	return is && i < len(s.args) && isResponse(s.args[i], 0)
}

// isResponse reports whether a writer is an http.ResponseWriter, or writes to one.
func isResponse(v ssa.Value, depth int) bool {
	if typeName(v.Type()) == "net/http.ResponseWriter" {
		return true
	}
	if depth > 8 {
		return false
	}
	switch v := v.(type) {
	case *ssa.ChangeInterface:
		return isResponse(v.X, depth+1)
	case *ssa.MakeInterface:
		return isResponse(v.X, depth+1)
	case *ssa.Extract:
		return isResponse(v.Tuple, depth+1)
	case *ssa.Call:
		a, is := stoodFor(v)
		return is && isResponse(a, depth+1)
	}
	return false
}

// stoodFor is the argument that a call's result is a way to use, if it is one.
func stoodFor(call *ssa.Call) (ssa.Value, bool) {
	obj, is := callee(&call.Call)
	if !is || call.Call.IsInvoke() {
		return nil, false
	}
	i, is := standsFor.find(fullName(obj))
	if !is || i >= len(call.Call.Args) {
		return nil, false
	}
	return call.Call.Args[i], true
}
