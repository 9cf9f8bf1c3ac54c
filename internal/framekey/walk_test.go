//go:build (amd64 || arm64) && gc && !purego

package framekey

import (
	"math"
	"slices"
	"testing"
	"unsafe"
)

// Where there is a way to walk, it is used.
func TestOn(t *testing.T) {
	if !on {
		t.Error("what walk finds is not what runtime.Callers does")
	}
}

// A way to walk that finds anything else is not used.
func TestUsable(t *testing.T) {
	for name, walk := range map[string]func([]uintptr) int{
		"nothing":        func([]uintptr) int { return 0 },
		"not to the end": func(pcs []uintptr) int { return walk(pcs) - 1 },
		"recursion once": func(pcs []uintptr) int {
			n := 0
			for _, pc := range pcs[:walk(pcs)] {
				if !slices.Contains(pcs[:n], pc) {
					pcs[n] = pc
					n++
				}
			}
			return n
		},
		"one frame less": func(pcs []uintptr) int {
			n := walk(pcs)
			copy(pcs[2:], pcs[3:n])
			return n - 1
		},
		"another line": func(pcs []uintptr) int {
			n := walk(pcs)
			pcs[2]++
			return n
		},
	} {
		if usable(walk, top()) {
			t.Errorf("%s: it would be used", name)
		}
	}
	for _, top := range []uintptr{0, 1, top() >> 1, top() << 1, math.MaxUint64} {
		if usable(walk, top) {
			t.Errorf("it would be used to walk to %#x", top)
		}
	}
	if !usable(walk, top()) {
		t.Error("what is right would not be used")
	}
}

// words stand for a stack. They are not on one, for that moves.
var words [16]uintptr

// A frame pointer that points below the stack, or beyond it, is not followed.
func TestWalk_BeginsOnTheStack(t *testing.T) {
	words = [16]uintptr{1: 1} // it would be found
	var pcs [4]uintptr
	for _, from := range []uintptr{0, 8, 1 << 12, uintptr(unsafe.Pointer(&words)), top(), top() + 8, math.MaxUint64 - 7} {
		if n := walkFrom(from, pcs[:]); n != 0 {
			t.Errorf("from %#x on: got %d return addresses, %v", from, n, pcs[:n])
		}
	}
}

// Whatever frame pointers say, the walk goes up, stays below the top of the stack, and
// ends.
func TestChain_StaysOnTheStack(t *testing.T) {
	at := func(i int) uintptr { return uintptr(unsafe.Pointer(&words[0])) + uintptr(i)*8 }
	top := at(12) // and what is above would be found
	for name, c := range map[string]struct {
		from uintptr
		to   [3]uintptr // what is at 0, 4 and 10
		want int
	}{
		"to the end":                 {at(0), [3]uintptr{at(4), at(10), 0}, 3},
		"as much as there is room":   {at(0), [3]uintptr{at(2), at(10), 0}, 4},
		"begins nowhere":             {0, [3]uintptr{}, 0},
		"begins beyond":              {at(12), [3]uintptr{}, 0},
		"begins partly beyond":       {at(11), [3]uintptr{}, 0},
		"leads beyond":               {at(0), [3]uintptr{at(12), 0, 0}, 0},
		"leads partly beyond":        {at(0), [3]uintptr{at(4), at(11), 0}, 0},
		"leads far beyond":           {at(0), [3]uintptr{math.MaxUint64 - 7, 0, 0}, 0},
		"leads back":                 {at(4), [3]uintptr{0, at(0), 0}, 0},
		"leads to itself":            {at(0), [3]uintptr{at(4), at(4), 0}, 0},
		"leads between two words":    {at(0), [3]uintptr{at(4) + 1, 0, 0}, 0},
		"leads to what was not used": {at(0), [3]uintptr{8, 0, 0}, 0},
	} {
		words = [16]uintptr{0: c.to[0], 1: 1, 2: at(4), 3: 2, 4: c.to[1], 5: 3 << 8, 10: c.to[2], 11: 4, 12: at(14), 13: 5}
		var pcs [4]uintptr
		room := pcs[:3]
		if c.want == 4 {
			room = pcs[:]
		}
		got := chain(c.from, top, room)
		if got != c.want {
			t.Errorf("%s: got %d return addresses (%v), want %d", name, got, pcs, c.want)
		}
		if pcs[3] != 0 && len(room) == 3 {
			t.Errorf("%s: wrote beyond the room that there was", name)
		}
	}
	words = [16]uintptr{0: at(4), 1: 1, 4: at(2), 5: 2} // the third is wrong, and not looked at
	var pcs [2]uintptr
	if got := chain(at(0), top, pcs[:]); got != 2 || pcs != [2]uintptr{1, 2} {
		t.Errorf("with room for two: got %d, %v; want 1 and 2", got, pcs)
	}
}
