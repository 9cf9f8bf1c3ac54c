package pghold

import (
	"runtime"
	"testing"
)

const module = "github.com/pghold/pghold"

// From deep within a library, as through an ORM, the line of the application is
// found all the same, and remembered.
func TestSites_Deep(t *testing.T) {
	var m sites
	var found []*place
	var down func(n int)
	down = func(n int) { // stands for the library
		if n > 0 {
			down(n - 1)
			return
		}
		var pcs stack
		runtime.Callers(2, pcs[:])
		found = append(found, m.at(&pcs, []string{"github.com/pghold/pghold.TestSites_Deep.func1"}))
	}
	for range 2 {
		down(20)
	}
	for _, site := range found {
		if site.Func != "github.com/pghold/pghold.TestSites_Deep" || site != found[0] {
			t.Errorf("got %+v, want this test, the same both times", site)
		}
	}
	if len(m.near) != 1 || len(m.far) != 1 {
		t.Errorf("%d and %d stacks are remembered, want one of each", len(m.near), len(m.far))
	}
	if found[0].site().String() == "unknown" || (Site{}).String() != "unknown" {
		t.Errorf("as text: %s", found[0])
	}
}
