//go:build (amd64 || arm64) && gc && !purego

package framekey

import (
	"runtime"
	"testing"
)

// BenchmarkWalk compares what a key costs with what it takes the place of, on a stack of
// more than 48 frames, and measures the trial before main.
func BenchmarkWalk(b *testing.B) {
	var pcs [48]uintptr
	for _, c := range []struct {
		name   string
		frames int
		f      func()
	}{
		{"walk of 8", 48, func() { walk(pcs[:8]) }},
		{"callers of 8", 48, func() { runtime.Callers(1, pcs[:8]) }},
		{"callers of 48", 48, func() { runtime.Callers(1, pcs[:]) }},
		{"trial", 0, func() { usable(walk, top()) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			atDepth(c.frames, func() {
				for b.Loop() {
					c.f()
				}
			})
		})
	}
}

//go:noinline
func atDepth(frames int, f func()) {
	if frames > 0 {
		atDepth(frames-1, f)
		return
	}
	f()
}
