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
		found = append(found, m.at(&pcs, &newKey{}, []string{"github.com/pghold/pghold.TestSites_Deep.func1"}))
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

// Where nothing of an application is on the stack, a hold is counted all the same, at no
// line.
func TestSites_NoApplication(t *testing.T) {
	r := NewRecorder(Config{Skip: []string{module, "testing"}})
	ctx := WithRoute(t.Context(), "GET /")
	c := r.Pool("main").Checkout(ctx)
	c.BeginStatement()
	c.EndStatement(true)
	call := StartSlowCall(ctx, "x")
	call.End()
	c.Release()
	s := r.Snapshot()
	if len(s.Series) != 1 || s.Series[0].Site != (Site{}) || s.Series[0].Held.Count() != 1 || s.Series[0].Worst.Callers != nil {
		t.Fatalf("got %+v, want one series with one hold and no site", s.Series)
	}
	for _, calls := range s.Series[0].SlowCalls {
		if calls.Site != (Site{}) || len(calls.IDs) != 1 || calls.IDs[0] != (PlaceID{}) {
			t.Errorf("the slow call is %+v, want one without a site", calls)
		}
	}
}
