package pghold

import (
	"context"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
)

func TestLabelSet(t *testing.T) {
	var s labelSet
	for _, first := range []uint32{0, 1, 63, 64, 100, 127, 1<<32 - 50} { // wherever it looks first
		s.next.Store(first)
		given := map[label]bool{}
		for range maxLabels {
			l := s.take()
			if !l.own() || given[l] {
				t.Fatalf("%d are given out, and now %q, want another that is nobody's", len(given), l)
			}
			given[l] = true
		}
		for range 2 {
			if l := s.take(); l != sharedLabel {
				t.Errorf("all are given out, and now %q", l)
			}
		}
		s.give(sharedLabel)
		s.give(77)
		if l := s.take(); l != 77 {
			t.Errorf("one came back, and %q was given out", l)
		}
		for l := range given {
			s.give(l)
		}
	}
	a := s.take()
	s.give(a)
	for range maxLabels - 1 {
		b := s.take()
		s.give(b)
		if a == b {
			t.Error("a label is given out again before all others were")
		}
	}
}

func TestLabelSet_IsSafe(t *testing.T) {
	var s labelSet
	var has [sharedLabel + 1]sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				l := s.take()
				if l.own() && !has[l].TryLock() {
					t.Errorf("two have the label %q", l)
					return
				}
				if l.own() {
					has[l].Unlock()
				}
				s.give(l)
			}
		})
	}
	all.Wait()
	for i := range s.taken {
		if got := s.taken[i].Load(); got != 0 {
			t.Errorf("nobody has a label, and %b of part %d are taken", got, i)
		}
	}
}

// However many requests are the same, a profile of goroutines stays small.
func TestDo_KeepsProfilesSmall(t *testing.T) {
	const requests = 2000
	release := held(t.Context(), NewRecorder(Config{}), requests)
	var b strings.Builder
	pprof.Lookup("goroutine").WriteTo(&b, 1)
	release()
	if n := strings.Count(b.String(), "pghold.held."); n < requests/1000 || strings.Count(b.String(), " @ ") > maxLabels+30 {
		t.Errorf("the profile has %d stacks, want at most %d for those of %d requests and the test's", strings.Count(b.String(), " @ "), maxLabels+30, requests)
	}
	var in label
	Do(t.Context(), "GET /", func(ctx context.Context) {
		in = scopeOf(ctx).label
		Do(ctx, "inner", func(ctx context.Context) {
			if l := scopeOf(WithRoute(ctx, "in that")).label; l != in || !l.own() {
				t.Errorf("within a Do with the label %q there is %q", in, l)
			}
		})
		if labels.taken[(in-1)/64].Load()&(1<<((in-1)%64)) == 0 {
			t.Error("the inner Do has given the outer one's label back")
		}
	})
	if labels.taken[(in-1)/64].Load()&(1<<((in-1)%64)) != 0 {
		t.Error("a Do that is over has its label")
	}
}
