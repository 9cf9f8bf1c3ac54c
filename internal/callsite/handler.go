package callsite

import (
	"runtime"
	"slices"
	"strings"
)

// Handler names the handler that a stack is in: of the application's functions between the
// innermost frame and that of the function within, the innermost one that was called by a
// router, which is net/http or another module; where none was, the outermost. It is ""
// where the stack is not in that function, or has no other function of the application.
// The name has no more than the last element of the package's path.
// pcs and skip are as in Resolve.
func Handler(pcs []uintptr, within string, skip []string) string {
	var frames []runtime.Frame
	inside := false
	for all, more := runtime.CallersFrames(Filled(pcs)), true; more; {
		var f runtime.Frame
		f, more = all.Next()
		if f.Function == within {
			inside = true
			break
		}
		frames = append(frames, f)
	}
	if !inside {
		return ""
	}
	return handler(frames, skip)
}

// Within reports whether a function is on a stack. pcs are as runtime.Callers fills them.
func Within(pcs []uintptr, function string) bool {
	for all, more := runtime.CallersFrames(pcs), len(pcs) > 0; more; {
		var f runtime.Frame
		if f, more = all.Next(); f.Function == function {
			return true
		}
	}
	return false
}

// HandlerOf is Handler for a stack of a profile, and whether that is in the function within.
func HandlerOf(stack []Site, within string, skip []string) (name string, in bool) {
	inside := slices.IndexFunc(stack, func(f Site) bool { return f.Func == within })
	if inside < 0 {
		return "", false
	}
	frames := make([]runtime.Frame, inside)
	for i, f := range stack[:inside] {
		frames[i] = runtime.Frame{Function: f.Func, File: f.File, Line: f.Line}
	}
	return handler(frames, skip), true
}

func handler(frames []runtime.Frame, skip []string) string {
	outermost := ""
	for i, f := range frames {
		if f.Function == "" || library(f.Function, f.File, skip) || dependency(f.File) {
			continue
		}
		outermost = declaredOn(frames[i:])
		outermost = outermost[strings.LastIndexByte(outermost, '/')+1:]
		if i+1 < len(frames) && router(frames[i+1], skip) {
			return outermost
		}
	}
	return outermost
}

// router reports whether a frame may be a router's that calls a handler.
func router(f runtime.Frame, skip []string) bool {
	return strings.HasPrefix(f.Function, "net/http.") || dependency(f.File) && !library(f.Function, f.File, skip)
}
