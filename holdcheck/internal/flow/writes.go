package flow

import (
	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// writes reports whether a site writes to a client of this program, who decides how
// fast it goes.
func writes(s *site) bool {
	if s.call == nil {
		return false
	}
	obj, ok := callee(s.call)
	if !ok {
		return false
	}
	i, ok := catalog.ArgumentWritten(obj)
	return ok && i < len(s.args) && isResponse(s.args[i], 0)
}

// isResponse reports whether a writer is an http.ResponseWriter, or writes to one.
func isResponse(v ssa.Value, depth int) bool {
	if catalog.TypeName(v.Type()) == "net/http.ResponseWriter" {
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
		a, ok := stoodFor(v)
		return ok && isResponse(a, depth+1)
	}
	return false
}

// stoodFor is the argument that a call's result is a way to use, if it is one.
func stoodFor(call *ssa.Call) (ssa.Value, bool) {
	obj, ok := callee(&call.Call)
	if !ok || call.Call.IsInvoke() {
		return nil, false
	}
	i, ok := catalog.ArgumentStoodFor(obj)
	if !ok || i >= len(call.Call.Args) {
		return nil, false
	}
	return call.Call.Args[i], true
}
