package framekey

import (
	"flag"
	"iter"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
)

var stacks = flag.Int("stacks", 20_000, "on how many stacks, made at random, TestWalk_StacksAtRandom compares keys with runtime.Callers")

// calls are calls of all kinds, one inside the other as chance has it. look is called in
// the innermost, and now and then on the way back.
type calls struct {
	rng    *rand.Rand
	left   int
	faults int // of the processor that are being handled
	look   func(faults bool)
}

func (c *calls) next() {
	if c.left == 0 {
		c.look(c.faults > 0)
		return
	}
	c.left--
	kinds[c.rng.IntN(len(kinds))](c)
	if c.rng.IntN(8) == 0 {
		c.look(c.faults > 0)
	}
}

var kinds []func(c *calls)

func init() {
	kinds = []func(c *calls){
		func(c *calls) { recursive(c, c.rng.IntN(6)) },
		func(c *calls) { even(c, c.rng.IntN(6)) },
		outlinedInlined,
		func(c *calls) { func() { c.next() }() },
		func(c *calls) { outlined(func() { c.next() }) },
		func(c *calls) { outlined(func() { outlined(c.next) }) }, // a method value
		func(c *calls) { defer c.next() },
		func(c *calls) { defer func() { c.next() }() },
		func(c *calls) {
			for range 1 + c.rng.IntN(3) {
				defer c.next()
			}
		},
		func(c *calls) { var n nexter = c; defer n.next() },
		func(c *calls) { // a panic in flight
			defer func() {
				c.next()
				recover()
			}()
			panic("a")
		},
		func(c *calls) { // after one
			func() {
				defer func() { recover() }()
				panic("a")
			}()
			c.next()
		},
		func(c *calls) { // two in flight
			defer func() { recover() }()
			defer func() {
				c.next()
				panic("b")
			}()
			panic("a")
		},
		func(c *calls) { // recovered, the function's other deferred calls go on
			defer c.next()
			defer func() { recover() }()
			panic("a")
		},
		func(c *calls) { // one of the runtime's
			defer func() {
				c.next()
				recover()
			}()
			outlinedIndex(nil, c.left)
		},
		func(c *calls) {
			c.faults++
			defer func() {
				c.next()
				recover()
				c.faults--
			}()
			c.left = *nothing()
		},
		func(c *calls) {
			c.faults++
			defer func() {
				c.next()
				recover()
				c.faults--
			}()
			leaf(nothing())
		},
		func(c *calls) { nexter(promoted{c}).next() },
		func(c *calls) { nexter(&value{c}).next() },
		func(c *calls) { nexter(&doubly{promoted{c}}).next() },
		func(c *calls) { outlined(nexter(&doubly{promoted{c}}).next) },
		func(c *calls) { generic(c, 1, c.rng.IntN(3)) },
		func(c *calls) { generic(c, "a", c.rng.IntN(3)) },
		func(c *calls) { outlined((&typed[*calls]{c}).next) },
		func(c *calls) { // a goroutine
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.next()
			}()
			<-done
		},
		func(c *calls) { // which begins with a method
			var done sync.WaitGroup
			done.Add(1)
			go c.nextOf(&done)
			done.Wait()
		},
		func(c *calls) { // which ends
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer c.next()
				runtime.Goexit()
			}()
			<-done
		},
		func(c *calls) { large(c, true) }, // the stack grows
		func(c *calls) { large(c, false); c.next() },
		func(c *calls) { manyArguments(c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, "a", 1.5, [3]int{}) },
		func(c *calls) { reflect.ValueOf(c.next).Call(nil) },
		func(c *calls) { reflect.ValueOf(Exported{c}).Method(0).Interface().(func())() },
		func(c *calls) {
			reflect.MakeFunc(reflect.TypeFor[func()](), func([]reflect.Value) []reflect.Value { c.next(); return nil }).Interface().(func())()
		},
		func(c *calls) {
			next, stop := iter.Pull(func(yield func(int) bool) { c.next(); yield(1) })
			next()
			stop()
		},
		func(c *calls) {
			for range func(yield func() bool) { yield() } {
				c.next()
			}
		},
		func(c *calls) {
			looked := false
			slices.SortFunc([]int{2, 1}, func(a, b int) int {
				if !looked {
					looked = true
					c.next()
				}
				return a - b
			})
		},
		func(c *calls) { new(sync.Once).Do(c.next) },
	}
}

type nexter interface{ next() }

type (
	promoted     struct{ *calls }
	doubly       struct{ promoted }
	value        struct{ c *calls }
	typed[T any] struct{ of T }
	Exported     struct{ c *calls }
)

func (v value) next()     { v.c.next() }
func (t *typed[T]) next() { any(t.of).(*calls).next() }
func (e Exported) Next()  { e.c.next() }

func (c *calls) nextOf(done *sync.WaitGroup) { defer done.Done(); c.next() }

func recursive(c *calls, n int) {
	switch {
	case n == 0:
		c.next()
	case n%2 == 0:
		recursive(c, n-1)
	default:
		recursive(c, n-1)
	}
}

func even(c *calls, n int) {
	if n == 0 {
		c.next()
		return
	}
	odd(c, n-1)
}

func odd(c *calls, n int) {
	if n == 0 {
		c.next()
		return
	}
	even(c, n-1)
}

//go:noinline
func outlined(f func()) { f() }

//go:noinline
func outlinedInlined(c *calls) { inlined1(c) }

func inlined1(c *calls) { inlined2(c) }
func inlined2(c *calls) { c.next() }

//go:noinline
func outlinedIndex(s []int, i int) int { return s[i] }

// nothing is a pointer of which the compiler does not know that it is nil.
//
//go:noinline
func nothing() *int { return nil }

// leaf has no frame of its own.
//
//go:noinline
func leaf(p *int) { *p = 1 }

//go:noinline
func generic[T any](c *calls, v T, n int) {
	if n == 0 {
		c.next()
		return
	}
	generic(c, v, n-1)
}

//go:noinline
func large(c *calls, next bool) byte {
	var on [24 << 10]byte
	on[c.left] = 1
	if next {
		c.next()
	}
	return on[c.left&1]
}

//go:noinline
func manyArguments(c *calls, _, _, _, _, _, _, _, _, _, _, _, last int, s string, f float64, more [3]int) (int, string) {
	c.next()
	return last + len(s) + int(f) + more[1], s
}

// What is known of a stack by its key is what runtime.Callers says of it.
func TestWalk_StacksAtRandom(t *testing.T) {
	if Walk(make([]uintptr, 1)) == 0 {
		return // there are no keys here
	}
	const most, wrappers = 8, 3
	type key struct {
		frames int
		pcs    [1 + most + wrappers]uintptr
	}
	type callers [1 + most]uintptr
	known := map[key]callers{} // none where the key does not tell
	var found, told, crowded, faulty int
	c := &calls{rng: rand.New(rand.NewPCG(1, 2))}
	c.look = func(faults bool) {
		k := key{frames: 1 + c.rng.IntN(most)}
		var are callers
		n := Walk(k.pcs[:1+k.frames+wrappers])
		m := runtime.Callers(2, are[:1+k.frames])
		was, again := known[k]
		switch {
		case n == 0:
			t.Errorf("there is no key of %x", are)
		case again && was == callers{}:
		case again:
			found++
			if was != are {
				t.Errorf("of a key it is known that it is of %x, and it is of %x", was, are)
			}
		case Tells(k.pcs[:n], are[:m]):
			told++
			known[k] = are
		case faults:
			known[k] = callers{}
		default: // with more wrappers than there is room for
			crowded++
			known[k] = callers{}
		}
		if again && c.rng.IntN(16) > 0 {
			return
		}
		var all, whole [256]uintptr
		n, m = Walk(all[:]), runtime.Callers(2, whole[:])
		switch {
		case Tells(all[:n], whole[:min(m, 128)]):
		case faults:
			faulty++
		default:
			t.Errorf("the key of the whole stack does not tell what runtime.Callers does:\n%x\n%x", all[:n], whole[:m])
		}
	}
	for i := range *stacks {
		c.left = c.rng.IntN(7)
		done := make(chan struct{})
		go func() { // its stack is small at first
			defer close(done)
			c.next()
		}()
		<-done
		if i%2000 == 1999 {
			runtime.GC() // stacks shrink
		}
		if len(known) > 200_000 {
			clear(known)
		}
		if t.Failed() {
			t.Fatalf("at stack %d", i)
		}
	}
	t.Logf("keys: %d found again, %d new, %d that have no room for all wrappers; %d whole stacks with a fault of the processor", found, told, crowded, faulty)
	if found < told || crowded > told/4 {
		t.Error("want more found again than new ones, and few without room")
	}
}
