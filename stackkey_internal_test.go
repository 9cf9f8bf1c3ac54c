package pghold

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/pghold/pghold/internal/callsite"
	"github.com/pghold/pghold/internal/framekey"
)

// The place that is found by a key is the one that the stack itself leads to, whatever was
// found before: however many frames are looked at, and whatever packages are left out.
func TestStackKey_StacksAtRandom(t *testing.T) {
	const test = module + ".TestStackKey_StacksAtRandom"
	skips := [][]string{nil, {module + ".callFrom"}, {module + ".callFrom", module + ".library", module + ".wrapped", test}, {module, "testing"}}
	var shards [2][4]shard // by whether there are wrappers, and by skips
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		wrappers := rng.IntN(2)
		look := func() {
			i := rng.IntN(len(skips))
			frames := uint8(1 + rng.IntN(len(stack{})))
			s := &shards[wrappers][i]
			var pcs stack
			var key newKey
			got := s.byKey(&key, 1, frames)
			if got == nil {
				runtime.Callers(2, pcs[:frames])
				got = s.sites.at(&pcs, &key, skips[i])
			}
			if want := placeHere(frames, skips[i]); !reflect.DeepEqual(got.Place, want.Place) {
				t.Errorf("of %d frames, without %v: got %+v, want %+v", frames, skips[i], got.Place, want.Place)
			}
		}
		switch kind := rng.IntN(4); {
		case kind > 0:
			handle(rng.IntN(3), func() {
				l := [2]caller{&library{}, &wrapped{}}[wrappers]
				l.call(l, rng.IntN(30), func() { callFrom(rng.IntN(64), rng.IntN(3), look) })
			})
		default: // the stack has few frames
			wrappers = 0
			done := make(chan struct{})
			go func() {
				callFrom(rng.IntN(64), rng.IntN(3), look)
				close(done)
			}()
			<-done
		}
	}
	if framekey.Walk(make([]uintptr, 1)) == 0 {
		return // there are no keys here
	}
	for wrappers := range shards {
		var near, far, deep, none int
		for i := range skips {
			for key, found := range shards[wrappers][i].sites.keyed {
				switch {
				case found == keyless:
					none++
				case found == farther:
					far++
				case key.frames == 0:
					deep++
				case found != nil:
					near++
				}
			}
		}
		if near == 0 || far == 0 || deep == 0 || (none == 0) != (wrappers == 0) || none > near+far {
			t.Errorf("%d keys tell a place, %d that it is farther, %d are of such places, and %d tell nothing; want some of each, but of the last only with wrappers, and few", near, far, deep, none)
		}
	}
}

// handle calls f from one of three lines.
//
//go:noinline
func handle(line int, f func()) {
	switch line {
	case 0:
		f()
	case 1:
		f()
	default:
		f()
	}
}

// library stands for one, and wrapped for one that has a wrapper between any two frames.
type (
	library struct{ _ byte }
	wrapped struct{ _ byte }
)

type caller interface {
	call(l caller, frames int, f func())
}

//go:noinline
func (*library) call(l caller, frames int, f func()) {
	if frames == 0 {
		f()
		return
	}
	l.call(l, frames-1, f)
}

//go:noinline
func (wrapped) call(l caller, frames int, f func()) {
	if frames == 0 {
		f()
		return
	}
	l.call(l, frames-1, f)
}

// placeHere is the place above its caller, looked at anew.
//
//go:noinline
func placeHere(frames uint8, skip []string) *place {
	var pcs stack
	runtime.Callers(3, pcs[:frames])
	if found, _ := callsite.Resolve(slices.Clone(pcs[:]), skip); found != nil {
		return newPlace(found)
	}
	var more deepStack
	runtime.Callers(3, more[:])
	return anyPlace(slices.Clone(more[:]), skip)
}

// BenchmarkNewStack is a hold with one statement, of stacks that were not met before.
func BenchmarkNewStack(b *testing.B) {
	r := NewRecorder(Config{})
	p := r.Pool("main")
	for b.Loop() {
		for i := range r.shards {
			r.shards[i].sites = sites{}
		}
		c := p.Checkout(b.Context())
		c.BeginStatement()
		c.EndStatement(false)
		c.Release()
	}
}
