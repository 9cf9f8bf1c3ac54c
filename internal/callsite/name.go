package callsite

import (
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// Declared is the declared function that a function is written in: app.Serve for
// app.Serve.func1.2, app.Serve.gowrap1 and app.Serve-range1.
//
// The closure of a function that was inlined has the names of both: that of
// app.(*Store).Get in app.Serve.func1 is app.Serve.func1.(*Store).Get.func2. Where
// nothing is between the two names this cannot always be told from the name alone;
// declaredOn asks the stack.
func Declared(function string) string {
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
		if _, ok := unnumbered(parts[begin-1]); ok {
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
		if number, ok := strings.CutPrefix(part, word); ok && isNumber(number) {
			return true
		}
	}
	return false
}

// unnumbered takes what the compiler adds to the name of a function, for the body of
// a loop over a function and for a method value.
func unnumbered(part string) (name string, ok bool) {
	if name, ok = strings.CutSuffix(part, "-fm"); ok {
		return name, true
	}
	if name, number, ok := strings.Cut(part, "-range"); ok && isNumber(number) {
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

// declaredOn is Declared for the first function of a stack. A closure of a function
// that was inlined into another, even of another package, is of the one that is
// still among its callers: app.Serve.charge.func1 above app.charge.
func declaredOn(stack []runtime.Frame) string {
	function := Declared(stack[0].Function)
	if function == strings.ReplaceAll(stack[0].Function, "[...]", "") {
		return function
	}
	name := "." + bare(function)
	for _, caller := range stack[1:] {
		of := Declared(caller.Function)
		if caller.File == stack[0].File && of == strings.ReplaceAll(caller.Function, "[...]", "") && strings.HasSuffix(name, "."+bare(of)) {
			return of
		}
	}
	return function
}

// withPath gives a function of the program's main package the path of that: a
// repository may have several, and source knows them by their paths.
func withPath(function, path string) string {
	rest, ok := strings.CutPrefix(function, "main.")
	if !ok || path == "" || path == "command-line-arguments" { // of go run file.go
		return function
	}
	slash := strings.LastIndexByte(path, '/') + 1
	return path[:slash] + strings.ReplaceAll(path[slash:], ".", "%2e") + "." + rest // as the linker writes paths
}

// Function is the name, by Declared, that a Place has for a function.
func Function(function string) string { return withPath(Declared(function), mainPath()) }

// mainPath is the path of the program's main package.
var mainPath = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Path
	}
	return ""
})
