// Package callsite says which line of an application a stack belongs to: the innermost
// one that is neither in a driver, a mapper or another library between the application
// and its database, nor in pghold itself. It reads stacks as runtime.Callers takes them
// ([Resolve]) and as the profile of goroutines shows them ([Profile]), and it knows the
// names that the compiler gives to closures and to what it inlines ([Declared]).
//
// It knows nothing of holds, and remembers no stack: callers that meet the same one
// again and again keep what it said.
package callsite

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
)

// Site is a line of code.
type Site struct {
	Func string
	File string
	Line int
}

// String is the site as people write it: app.go:88.
func (s Site) String() string {
	if s.File == "" {
		return "unknown"
	}
	return fmt.Sprintf("%s:%d", filepath.Base(s.File), s.Line)
}

// Place is a Site and the way to it.
type Place struct {
	Site
	// Functions are those of the application that were on the stack, as Declared names
	// them: first the Site's own, then those that called it. There is always one, ""
	// where there is no site. A stack may have been cut short when it was taken, and at
	// most maxFunctions are kept.
	Functions []string
	// Depth is how many frames of the stack it takes to find the Site, 0 where there is
	// none.
	Depth int
	// Way is what the Site called, and what that did, up to the first function of
	// database/sql: layers that are passed over, and mappers, are on it. It is nil where
	// database/sql was not called.
	Way []Site
}

// Resolve returns the place of the innermost frame that is the application's, or nil.
// pcs are as runtime.Callers fills them, with zeros at the end, and skip names packages,
// types and functions that are not the application's.
//
// other is the innermost frame in a module that the program depends on, libraries left
// out, and a place without a site where there is none. It is for callers that have found
// nothing: an application can be such a module, with a main package elsewhere that only
// starts it.
func Resolve(pcs []uintptr, skip []string) (found, other *Place) {
	var frames []runtime.Frame
	for all, more := runtime.CallersFrames(Filled(pcs)), true; more; {
		var f runtime.Frame
		f, more = all.Next()
		frames = append(frames, f)
	}
	other = &Place{Functions: []string{""}}
	for i, f := range frames {
		if f.Function == "" || library(f.Function, f.File, skip) {
			continue
		}
		p := &Place{Site: Site{f.Function, f.File, f.Line}, Depth: i + 1}
		switch {
		case !dependency(f.File) && found == nil:
			found = p
			p.Way = way(frames[:i])
			p.see(frames[i:])
		case !dependency(f.File):
			found.see(frames[i:])
		case other.Site == (Site{}):
			other = p
			p.Way = way(frames[:i])
			p.see(frames[i:])
		}
	}
	return found, other
}

// Filled is the part of pcs that runtime.Callers has filled: without the zeros at the end.
func Filled(pcs []uintptr) []uintptr {
	if i := slices.Index(pcs, 0); i >= 0 {
		return pcs[:i]
	}
	return pcs
}

// maxFunctions is how many functions of a stack a place keeps.
const maxFunctions = 24

// see adds the first function of a stack, unless the last one is the same.
func (p *Place) see(stack []runtime.Frame) {
	n := len(p.Functions)
	if n >= maxFunctions {
		return
	}
	if function := withPath(declaredOn(stack), mainPath()); n == 0 || p.Functions[n-1] != function {
		p.Functions = append(p.Functions, function)
	}
}

// Callers are the functions above the Site's own, each once.
func (p *Place) Callers() (callers []string) {
	for _, f := range p.Functions[1:] {
		if f != p.Functions[0] && !slices.Contains(callers, f) {
			callers = append(callers, f)
		}
	}
	return callers
}
