//go:build cgo && (amd64 || arm64) && gc && !purego

package framekey

import (
	"runtime"
	_ "runtime/cgo" // or nothing is called from C
	"testing"
)

// C has frame pointers of its own, or none. What has called Go from C tells nothing.
func TestTells_NothingBelowC(t *testing.T) {
	var pcs, callers [64]uintptr
	n, m := Walk(pcs[:]), runtime.Callers(2, callers[:])
	if !Tells(pcs[:n], callers[:m]) {
		t.Fatal("the stack of a test is not told")
	}
	// cgocallback is in the file of goexit, which is where each stack begins.
	goexit := pcs[n-1] &^ 15
	for pc := goexit - 1<<16; pc < goexit+1<<16; pc += 16 {
		if f := runtime.FuncForPC(pc + 1); f != nil && f.Name() == "runtime.cgocallback" {
			if Tells(append(pcs[:n:n], pc+2), callers[:m]) {
				t.Error("a stack with C in it is told")
			}
			return
		}
	}
	t.Error("where is runtime.cgocallback?")
}
