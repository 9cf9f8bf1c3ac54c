// Package framekey takes keys of stacks: the return addresses that the chain of frame
// pointers leads to, which takes some nanoseconds where runtime.Callers takes hundreds.
// They say nothing by themselves. Whoever has once asked runtime.Callers about a stack,
// and has seen by [Tells] that its key has all that it was told, finds what it made of it
// by the key from then on.
package framekey

import (
	"runtime"
	"unsafe"
)

// on is whether keys are taken: where the system's frames are laid out as walk expects
// them.
var on = usable(walk, top())

// Walk fills pcs with return addresses of the goroutine's stack, the innermost first:
// first that of its caller. What they say is what runtime.Callers(2, …), called at the
// same place, does: see [Tells]. It returns how many it has found, fewer than there is
// room for where the stack has no more; 0 where there is no key: on other processors
// than amd64 and arm64, with the build tag purego, and where the chain of frame pointers
// leads out of the stack, as into C.
func Walk(pcs []uintptr) int {
	if !on {
		return 0
	}
	return walk(pcs)
}

// Tells reports whether what Walk has found has all of callers in it, which are from the
// same place by runtime.Callers(2, …), without zeros: each frame that is there, whether it
// was inlined or not. Then any other stack with the same return addresses has the same
// callers: each address is the one to which the function at the one before returns, and
// whether that function has put its frame on the chain hangs on the address alone. In what
// calls Go from C it does not, so there they tell nothing.
func Tells(pcs, callers []uintptr) bool {
	for frames, more := runtime.CallersFrames(pcs), len(pcs) > 0; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == "runtime.cgocallback" {
			return false
		}
		// Of wrappers, which the compiler makes, callers have nothing.
		if len(callers) > 0 && callers[0] == f.PC+1 {
			callers = callers[1:]
		}
	}
	return len(callers) == 0
}

// usable tries a way to walk, on a stack that ends at top, before it is used: whether it
// finds what runtime.Callers does, down to the beginning of the stack, and whether top may
// be where that is. BenchmarkWalk measures it.
func usable(walk func([]uintptr) int, top uintptr) bool {
	var here byte
	const most = 1 << 20 // that a program has used of its stack before it begins
	return top-uintptr(unsafe.Pointer(&here)) < most && below(walk, 3)
}

//go:noinline
func same(walk func([]uintptr) int) bool {
	var pcs [96]uintptr
	var callers [48]uintptr
	n := walk(pcs[:])
	return n > 0 && Tells(pcs[:n], callers[:runtime.Callers(2, callers[:])])
}

// below is same below calls of several kinds, some inlined, deferred and recursive.
func below(walk func([]uintptr) int, levels int) (ok bool) {
	if levels == 0 {
		return inlined(walk)
	}
	defer func() { ok = below(walk, levels-1) }()
	return false
}

func inlined(walk func([]uintptr) int) bool { return same(walk) }
