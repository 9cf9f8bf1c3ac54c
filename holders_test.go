package pghold_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

func TestPool_Holders(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	p := r.Pool("main")
	if got := p.Holders(); len(got) != 0 {
		t.Errorf("nobody holds a connection: got %v", got)
	}
	ctx := pghold.WithRoute(t.Context(), "GET /slow")
	for range 3 {
		c := p.Checkout(ctx)
		defer c.Release()
		c.BeginStatement()
		c.EndStatement(true)
	}
	defer pghold.StartSlowCall(ctx, "POST api.example.com/").End()
	busy := p.Checkout(t.Context())
	defer busy.Release()
	busy.BeginStatement()
	defer r.Pool("other").Checkout(ctx).Release()

	got := p.Holders()
	if len(got) != 2 || got[0].Count != 3 || got[0].Route != "GET /slow" || got[1].Count != 1 || got[1].Doing != "in a statement" {
		t.Fatalf("got %+v, want three of the route, then the one that is busy", got)
	}
	for i, want := range []string{"3 of 4 held by GET /slow, holders_test.go:", "1 of 4 held by no route, holders_test.go:"} {
		if s := got[i].String(); !strings.HasPrefix(s, want) {
			t.Errorf("got %q, want %q", s, want)
		}
	}
	if !strings.HasPrefix(got[0].Doing, "in POST api.example.com/ at holders_test.go:") {
		t.Errorf("it is said to be in %q", got[0].Doing)
	}
	quiet := r.Pool("quiet").Checkout(t.Context())
	defer quiet.Release()
	if got := r.Pool("quiet").Holders()[0].Doing; !strings.HasPrefix(got, "silent since holders_test.go:") {
		t.Errorf("it is said to be in %q", got)
	}
}

// What a handler calls in a library is named with the line that calls it.
func TestHolders_NameTheCallAndItsLine(t *testing.T) { synctest.Test(t, holdersNameTheCallAndItsLine) }

func holdersNameTheCallAndItsLine(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Nanosecond})
	var others sync.WaitGroup
	others.Add(1)
	t.Cleanup(others.Done)
	stuckIn(t, r, func(ctx context.Context, _ chan struct{}) {
		defer pghold.StartSlowCall(ctx, "POST api.example.com/v1").End()
		others.Wait()
	})
	if doing := r.Pool("main").Holders()[0].Doing; !strings.HasPrefix(doing, "in POST api.example.com/v1, in sync.(*WaitGroup).Wait ← holders_test.go:") {
		t.Errorf("it is said to be %s, want the call and its line", doing)
	}
}
