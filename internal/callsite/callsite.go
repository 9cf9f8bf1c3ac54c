// Package callsite says which line of an application a stack belongs to: the first that
// is neither a library's between it and its connection nor pghold's own. It reads stacks
// as runtime.Callers gives them and as the profile of goroutines has them, and knows how
// the compiler names closures and what it inlines.
//
// It takes no stacks and remembers none, and knows nothing of holds.
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

// Place is a Site, and the functions of the application that were on the stack it was
// found on: first the Site's own, then who called it, as Declared names them. A stack is
// not taken whole, and not all of them are kept.
type Place struct {
	Site
	Functions []string
	Depth     int // how many frames of the stack it takes to find it; 0 where there is no site
}

// Resolve returns the place of the first frame that is the application's, or nil. skip
// has packages, types and functions that are not the application's. other is the first
// that may be, in a module that the program depends on: an application can be such a
// module, with a main package elsewhere that only starts it. Where there is none it is a
// place without a site. pcs are as runtime.Callers fills them, with zeros at the end.
func Resolve(pcs []uintptr, skip []string) (found, other *Place) {
	if i := slices.Index(pcs, 0); i >= 0 {
		pcs = pcs[:i]
	}
	var frames []runtime.Frame
	for all, more := runtime.CallersFrames(pcs), true; more; {
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
			p.see(frames[i:])
		case !dependency(f.File):
			found.see(frames[i:])
		case other.Site == (Site{}):
			other = p
			p.see(frames[i:])
		}
	}
	return found, other
}

// maxFunctions is how many functions of a stack a place keeps.
const maxFunctions = 24

// see adds the first function of a stack.
func (p *Place) see(stack []runtime.Frame) {
	if function := withPath(declaredOn(stack), mainPath()); len(p.Functions) < maxFunctions && (len(p.Functions) == 0 || p.Functions[len(p.Functions)-1] != function) {
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
