//go:build (amd64 || arm64) && gc && !purego

package framekey

// walk follows the frame pointers from the frame of its caller. It is in assembly because
// no goroutine is stopped there, and so no stack moved.
//
//go:noescape
func walk(pcs []uintptr) int

// walkFrom is walk from another frame pointer on.
//
//go:noescape
func walkFrom(from uintptr, pcs []uintptr) int

// chain is walk from a frame pointer on, of a stack that ends at top.
//
//go:noescape
func chain(from, top uintptr, pcs []uintptr) int

// top is where the goroutine's stack ends, which begins there: g.stack.hi.
func top() uintptr
