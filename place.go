package pghold

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// PlaceID is the name of a place at which a program waits while it holds a connection.
// It stays the same when lines move. As text, and in JSON, it is the two functions with
// a > between.
//
// Package holdcheck gives what it finds in source the same names, so that a
// [Snapshot] can say what a finding costs: see [SlowCalls].
type PlaceID struct {
	Hold string // the function that takes the connection
	Slow string // the function that makes the slow call
}

// NewPlaceID makes the name of a place of two functions, as runtime.Func names them.
// Closures count as the function that they are written in, and all instances of a
// generic function as one. A recorder puts the path of the main package in the place of
// main.
func NewPlaceID(hold, slow string) PlaceID { return PlaceID{declared(hold), declared(slow)} }

func (id PlaceID) String() string { return id.Hold + ">" + id.Slow }

// MarshalText writes what String returns.
func (id PlaceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (id *PlaceID) UnmarshalText(text []byte) error {
	hold, slow, ok := strings.Cut(string(text), ">")
	if !ok {
		return fmt.Errorf("%q is not the name of a place: it has no >", text)
	}
	*id = PlaceID{hold, slow}
	return nil
}

// declared is the declared function that a function is written in: app.Serve for
// app.Serve.func1.2, app.Serve.gowrap1 and app.Serve-range1.
//
// The closure of a function that was inlined has the names of both: that of
// app.(*Store).Get in app.Serve.func1 is app.Serve.func1.(*Store).Get.func2. Where
// nothing is between the two names this cannot always be told from the name alone;
// declaredOn asks the stack.
func declared(function string) string {
	function = strings.ReplaceAll(function, "[...]", "")
	dot := strings.LastIndexByte(function, '/') + 1
	dot += strings.IndexByte(function[dot:], '.') + 1 // after it, the package is over
	pkg, parts := function[:dot], splitName(function[dot:])
	end := len(parts)
	for end > 1 && isClosure(parts[end-1]) {
		end--
	}
	begin := end - 1
	for begin > 0 && !isClosure(parts[begin]) && !isClosure(parts[begin-1]) && !strings.HasPrefix(parts[begin], "(") {
		if _, within := unnumbered(parts[begin-1]); within {
			break
		}
		begin--
	}
	last, _ := unnumbered(parts[end-1])
	return pkg + strings.Join(append(slices.Clone(parts[begin:end-1]), last), ".")
}

// splitName splits a function's name at its dots: (*Store), Get, func1.
func splitName(name string) (parts []string) {
	for name != "" {
		end := strings.IndexByte(name, '.')
		if close := strings.IndexByte(name, ')'); name[0] == '(' && close > 0 {
			end = close + 1
		}
		if end < 0 || end >= len(name) {
			return append(parts, name)
		}
		parts, name = append(parts, name[:end]), name[end+1:]
	}
	return append(parts, "")
}

// isClosure reports whether a part of a name is the compiler's: it stands for
// something in the function before it that became a function of its own.
func isClosure(part string) bool {
	for _, word := range []string{"func", "gowrap", "deferwrap", ""} {
		if number, is := strings.CutPrefix(part, word); is && isNumber(number) {
			return true
		}
	}
	return false
}

// unnumbered takes what the compiler adds to the name of a function, for the body of
// a loop over a function and for a method value.
func unnumbered(part string) (name string, was bool) {
	if name, was = strings.CutSuffix(part, "-fm"); was {
		return name, true
	}
	if name, number, is := strings.Cut(part, "-range"); is && isNumber(number) {
		return name, true
	}
	return part, false
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// bare is a function's name without its package.
func bare(function string) string {
	_, name, _ := strings.Cut(function[strings.LastIndexByte(function, '/')+1:], ".")
	return name
}

// declaredOn is declared for the first function of a stack. A closure of a function
// that was inlined into another, even of another package, is of the one that is
// still among its callers: app.Serve.charge.func1 above app.charge.
func declaredOn(stack []runtime.Frame) string {
	function := declared(stack[0].Function)
	if function == strings.ReplaceAll(stack[0].Function, "[...]", "") {
		return function
	}
	name := "." + bare(function)
	for _, caller := range stack[1:] {
		of := declared(caller.Function)
		if caller.File == stack[0].File && of == strings.ReplaceAll(caller.Function, "[...]", "") && strings.HasSuffix(name, "."+bare(of)) {
			return of
		}
	}
	return function
}

// withPath gives a function of the program's main package the path of that: a
// repository may have several, and source knows them by their paths.
func withPath(function, path string) string {
	rest, is := strings.CutPrefix(function, "main.")
	if !is || path == "" || path == "command-line-arguments" { // of go run file.go
		return function
	}
	slash := strings.LastIndexByte(path, '/') + 1
	return path[:slash] + strings.ReplaceAll(path[slash:], ".", "%2e") + "." + rest // as the linker writes paths
}

// mainPath is the path of the program's main package.
var mainPath = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Path
	}
	return ""
})

// place is a Site, and the functions of the application that were on the stack it
// was found on: first the Site's own, then who called it, as declared names them. A
// stack is not taken whole, and not all of them are kept.
type place struct {
	Site
	functions []string
	depth     uint8 // how many frames of a stack it takes to find it, at most len(stack{})

	// Of a place that takes connections, guarded by the lock of its shard: which line
	// sends the first statement, the most depth that a statement had (0: none has been
	// sent), and the series of the last hold.
	first      firstLine
	statements uint8
	last       lastSeries
}

// firstLine says which line sends the first statement of the holds of a stack. It is
// looked at once: whether the call that takes the connection goes on to send a
// statement itself, as QueryRow of a pool and Begin do, does not change.
type firstLine uint8

const (
	unknownLine firstLine = iota
	sameLine              // that takes the connection
	anotherLine           // or others: it is looked at each time
)

// sends tells which place has sent a statement in a hold of p.
func (p *place) sends(statement *place, first bool) {
	p.statements = max(p.statements, statement.depth)
	switch {
	case !first:
	case statement.Site != p.Site:
		p.first = anotherLine
	case p.first == unknownLine:
		p.first = sameLine
	}
}

// lastSeries is a short cut to the series of a pool and route.
type lastSeries struct {
	pool   *Pool
	route  string
	series *Series // nil where there was none yet
	folded bool    // it is that of further combinations
}

// maxFunctions is how many functions of a stack a place keeps.
const maxFunctions = 24

// see adds the first function of a stack.
func (p *place) see(stack []runtime.Frame) {
	if function := withPath(declaredOn(stack), mainPath()); len(p.functions) < maxFunctions && (len(p.functions) == 0 || p.functions[len(p.functions)-1] != function) {
		p.functions = append(p.functions, function)
	}
}

// callers are the functions above the Site's own, each once.
func (p *place) callers() (callers []string) {
	for _, f := range p.functions[1:] {
		if f != p.functions[0] && !slices.Contains(callers, f) {
			callers = append(callers, f)
		}
	}
	return callers
}

// maxIDs is how many names a place of slow calls has at most.
const maxIDs = 32

// placeIDs appends the names of a slow call in a hold to ids. Who holds is first the
// function that took the connection, then who called it: some helper may have taken
// it for them. Where the helper has returned, its callers are seen from the slow call.
func placeIDs(ids []PlaceID, hold, slow *place) []PlaceID {
	callers := slow.functions
	if i := slices.Index(callers, hold.functions[0]); i >= 0 {
		callers = callers[i:]
	}
	for _, functions := range [][]string{hold.functions, callers} {
		for _, f := range functions {
			ids = addID(ids, PlaceID{f, slow.functions[0]})
		}
	}
	return ids
}

func addID(ids []PlaceID, id PlaceID) []PlaceID {
	if len(ids) < maxIDs && !slices.Contains(ids, id) {
		ids = append(ids, id)
	}
	return ids
}
