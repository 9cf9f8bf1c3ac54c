package callsite

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
)

const databaseSQL = "database/sql."

// way is the Way of a Place that has called these frames, the innermost first.
func way(inner []runtime.Frame) (way []Site) {
	for _, f := range slices.Backward(inner) {
		way = append(way, Site{f.Function, f.File, f.Line})
		if strings.HasPrefix(f.Function, databaseSQL) {
			return way
		}
	}
	return nil
}

// Compare compares how far a stack of a profile, the innermost frame first, is in the Place's
// function: it is 1 where it has passed the Place, -1 where it is not as far, and 0 at the
// Place, where what that calls is about to be called, and in another function. It goes by the
// lines, in the order in which they are written, of the outermost frame of the function and,
// where that is at the Place's own line, of what is on the Way. So in a loop who has passed
// the Place and is above it again is not as far.
func (p *Place) Compare(stack []Site) int {
	at := len(stack) - 1
	for at >= 0 && stack[at].Func != p.Func {
		at--
	}
	if at < 0 {
		return 0
	}
	if stack[at].Line != p.Line {
		return cmp.Compare(stack[at].Line, p.Line)
	}
	for _, w := range p.Way {
		if at--; at < 0 {
			break
		}
		f, inSQL := stack[at], strings.HasPrefix(w.Func, databaseSQL)
		switch {
		case f.Func != w.Func && inSQL && !strings.HasPrefix(f.Func, databaseSQL):
			return 0
		case f.Func != w.Func: // it calls something else there, of which the order is not known
			return 1
		case !inSQL && f.Line != w.Line:
			return cmp.Compare(f.Line, w.Line)
		}
	}
	return 0
}
