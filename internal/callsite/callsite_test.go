package callsite

import (
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

const here = "github.com/pghold/pghold/internal/callsite"

// stack takes the stack of whoever called its caller.
//
//go:noinline
func stack() []uintptr {
	pcs := make([]uintptr, 32)
	runtime.Callers(3, pcs)
	return pcs
}

// helper stands for what takes a connection.
//
//go:noinline
func helper() []uintptr { return stack() }

func TestResolve(t *testing.T) {
	var pcs []uintptr
	inDependency(func() { pcs = helper() })
	for name, c := range map[string]struct {
		skip  []string
		want  string // the function
		depth int
	}{
		"the innermost line":                  {nil, here + ".TestResolve.func1", 1},
		"above a function, and a dependency":  {[]string{here + ".TestResolve.func1"}, here + ".TestResolve", 3},
		"above a package that is passed over": {[]string{here}, "testing.tRunner", 4},
	} {
		found, other := Resolve(pcs, c.skip)
		if found == nil || found.Func != c.want || found.Depth != c.depth {
			t.Errorf("%s: got %+v, want %s, found in %d frames", name, found, c.want, c.depth)
		}
		if c.depth == 3 && (other.Func != here+".inDependency" || other.Depth != 2) {
			t.Errorf("%s: got the dependency %+v, want inDependency", name, other)
		}
	}
}

func TestResolve_TheLine(t *testing.T) {
	var pcs []uintptr
	take := func() { pcs = helper() }
	_, file, line, _ := runtime.Caller(0)
	take()
	found, _ := Resolve(pcs, []string{here + ".TestResolve_TheLine.func1"})
	if found == nil || found.Site != (Site{here + ".TestResolve_TheLine", file, line + 1}) {
		t.Errorf("got %+v, want the line after %s:%d", found, file, line)
	}
}

// Where nothing but libraries and dependencies is on the stack, it may be one of these;
// where there are not even those, nothing is known.
func TestResolve_NoApplication(t *testing.T) {
	var pcs []uintptr
	inDependency(func() { pcs = helper() })
	rest := []string{here + ".TestResolve_NoApplication", "testing"}
	found, other := Resolve(pcs, rest)
	if found != nil || other.Func != here+".inDependency" || filepath.Base(other.File) != "shop_test.go" || other.Line != 8 {
		t.Errorf("got %+v and %+v, want nothing and the dependency", found, other)
	}
	if want := []string{here + ".inDependency"}; !slices.Equal(other.Functions, want) {
		t.Errorf("got the functions %q, want %q", other.Functions, want)
	}
	for _, pcs := range [][]uintptr{pcs, nil, make([]uintptr, 8)} {
		found, other := Resolve(pcs, append(rest, here+".inDependency"))
		if found != nil || other.Site != (Site{}) || other.Depth != 0 || !slices.Equal(other.Functions, []string{""}) || other.String() != "unknown" {
			t.Errorf("got %+v and %+v, want nothing and a place without a site", found, other)
		}
	}
}

// The functions of a stack are those that are written down: a closure is the function
// around it, also where that was inlined into another and the compiler named it after
// both.
func TestResolve_Functions(t *testing.T) {
	for name, c := range map[string]struct {
		call func(func())
		want []string
	}{
		"a function":              {outer, []string{"outer", "TestResolve_Functions"}},
		"a closure":               {closing, []string{"closing", "run", "closing", "TestResolve_Functions"}},
		"a method's, was inlined": {shop{}.serve, []string{"shop.refund", "run", "shop.refund", "shop.serve", "TestResolve_Functions"}},
		"one that calls itself":   {func(f func()) { again(3, f) }, []string{"again", "TestResolve_Functions"}},
		"of a generic function":   {generic[int], []string{"generic", "TestResolve_Functions"}},
		"of a range function":     {ranging, []string{"ranging", "each", "ranging", "TestResolve_Functions"}},
	} {
		var pcs []uintptr
		c.call(func() { pcs = helper() })
		found, _ := Resolve(pcs, []string{"testing"})
		want := []string{here + ".TestResolve_Functions"} // the closure that took the stack
		for _, f := range c.want {
			want = append(want, here+"."+f)
		}
		if found == nil || !slices.Equal(found.Functions, want) {
			t.Errorf("%s: got %q, want %q", name, found.Functions, want)
		}
	}
}

//go:noinline
func run(f func()) { f() }

//go:noinline
func outer(f func()) { f() }

//go:noinline
func closing(f func()) { run(func() { f() }) }

//go:noinline
func again(n int, f func()) {
	if n > 0 {
		again(n-1, f)
		return
	}
	f()
}

//go:noinline
func generic[T any](f func()) { f() }

//go:noinline
func each(yield func() bool) { yield() }

//go:noinline
func ranging(f func()) {
	for range each {
		f()
	}
}

type shop struct{}

// refund is small enough to be inlined.
func (s shop) refund(f func()) { run(func() { f() }) }

//go:noinline
func (s shop) serve(f func()) { s.refund(f) }

func TestResolve_FunctionsAreBounded(t *testing.T) {
	var pcs []uintptr
	even(30, func() { pcs = helper() })
	if found, _ := Resolve(pcs, nil); found == nil || len(found.Functions) != maxFunctions {
		t.Errorf("got %+v, want %d functions", found, maxFunctions)
	}
}

//go:noinline
func even(n int, f func()) {
	if n == 0 {
		f()
		return
	}
	odd(n-1, f)
}

//go:noinline
func odd(n int, f func()) { even(n-1, f) }

// The callers are those above, each once, and not the function itself.
func TestPlace_Callers(t *testing.T) {
	for _, c := range []struct{ functions, want []string }{
		{[]string{"a"}, nil},
		{[]string{"a", "b", "a", "c", "b"}, []string{"b", "c"}},
	} {
		if got := (&Place{Functions: c.functions}).Callers(); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.functions, got, c.want)
		}
	}
}
