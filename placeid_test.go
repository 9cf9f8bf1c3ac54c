package pghold_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold"
)

func TestPlaceID(t *testing.T) {
	got := pghold.NewPlaceID("example.com/app.(*Server).Pay.func1", "example.com/app.Each[...]")
	if want := (pghold.PlaceID{Hold: "example.com/app.(*Server).Pay", Slow: "example.com/app.Each"}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPlaceID_IsTextInJSON(t *testing.T) {
	b, err := json.Marshal(pghold.NewPlaceID("main.serve.func1", "main.(*Bank).charge"))
	var got pghold.PlaceID
	if err != nil || json.Unmarshal(b, &got) != nil || got != (pghold.PlaceID{Hold: "main.serve", Slow: "main.(*Bank).charge"}) {
		t.Errorf("%s is read as %+v, %v", b, got, err)
	}
	if err := json.Unmarshal([]byte(`"main.serve>main.(*Bank).charge"`), &got); err != nil || got.String() != "main.serve>main.(*Bank).charge" {
		t.Errorf("got %s, %v", got, err)
	}
}

// service stands for an application that takes its connections in helpers.
type service struct {
	ctx   context.Context
	pool  *pghold.Pool
	depth int // of the library between
}

//go:noinline
func (s service) execTx(f func()) {
	c := library{s.depth}.take(s)
	defer c.Release()
	f()
}

// library stands for what is between an application and its connections, with so
// many frames.
type library struct{ depth int }

//go:noinline
func (l library) take(s service) *pghold.Checkout {
	if l.depth == 0 {
		return s.pool.Checkout(s.ctx)
	}
	return library{l.depth - 1}.take(s)
}

//go:noinline
func (s service) begin() *pghold.Checkout { return s.pool.Checkout(s.ctx) }

//go:noinline
func (s service) charge() {
	call := pghold.StartSlowCall(s.ctx, "POST example.com/")
	call.End()
}

//go:noinline
func (s service) pay() { s.execTx(func() { s.charge() }) }

//go:noinline
func (s service) payAgain() { s.execTx(func() { s.charge() }) }

// refund is small enough to be inlined: its closure is called by the name of both
// functions, and of no method with parentheses.
func (s service) refund() {
	s.execTx(func() {
		call := pghold.StartSlowCall(s.ctx, "POST example.com/")
		call.End()
	})
}

//go:noinline
func (s service) serve() { s.refund() }

//go:noinline
func (s service) send() {
	c := s.begin()
	defer c.Release()
	s.charge()
}

// recorded runs handlers, and returns what was recorded of them.
func recorded(t *testing.T, depth int, handlers ...func(service)) *pghold.Snapshot {
	t.Helper()
	r := pghold.NewRecorder(pghold.Config{Skip: []string{"github.com/pghold/pghold_test.library"}})
	for _, handler := range handlers {
		handler(service{pghold.WithRoute(t.Context(), "GET /"), r.Pool("main"), depth})
	}
	return r.Snapshot()
}

// ids are the names of a snapshot's only slow call, without package and type.
func ids(t *testing.T, s *pghold.Snapshot) (ids []string) {
	t.Helper()
	if len(s.Series) != 1 || len(s.Series[0].SlowCalls) != 1 {
		t.Fatalf("got %+v, want one series with one slow call", s.Series)
	}
	for _, id := range s.Series[0].SlowCalls[0].IDs {
		ids = append(ids, strings.ReplaceAll(id.String(), "github.com/pghold/pghold_test.service.", ""))
	}
	return ids
}

// What a recorder saw has the name that it has in source, whoever took the connection
// for the function that holds.
func TestSlowCalls_IDs(t *testing.T) {
	for name, c := range map[string]struct {
		handlers   []func(service)
		want, nope []string // the first is the first
	}{
		"a helper runs a function":                             {[]func(service){service.pay}, []string{"execTx>charge", "pay>charge"}, []string{"charge>charge"}},
		"a helper runs a closure that was inlined":             {[]func(service){func(s service) { s.refund() }}, []string{"execTx>refund", "refund>refund"}, nil},
		"a helper runs a closure of a method that was inlined": {[]func(service){service.serve}, []string{"execTx>refund", "refund>refund"}, nil},
		"a helper has returned":                                {[]func(service){service.send}, []string{"begin>charge", "send>charge"}, nil},
		"two functions with one helper":                        {[]func(service){service.pay, service.payAgain, service.pay}, []string{"execTx>charge", "pay>charge", "payAgain>charge"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			// With a deep library the checkout itself sees no callers.
			for _, depth := range []int{0, 4, 5, 6, 20} {
				got := ids(t, recorded(t, depth, c.handlers...))
				if got[0] != c.want[0] {
					t.Errorf("%d: the first is %s, want %s: who took the connection", depth, got[0], c.want[0])
				}
				for _, id := range c.want {
					if !slices.Contains(got, id) {
						t.Errorf("%d: got %q, want %s among them", depth, got, id)
					}
				}
				for _, id := range c.nope {
					if slices.Contains(got, id) {
						t.Errorf("%d: got %q, want no %s: it does not hold", depth, got, id)
					}
				}
			}
		})
	}
}

func TestSnapshot_IDsAreReadAndAddedUp(t *testing.T) {
	pay, again := recorded(t, 0, service.pay), recorded(t, 0, service.payAgain)
	b, err := json.Marshal(pay)
	if err != nil {
		t.Fatal(err)
	}
	read, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	before := ids(t, pay)
	if got := ids(t, read); !slices.Equal(got, before) {
		t.Errorf("read %q, want what was written: %q", got, before)
	}
	if got, want := read.Series[0].Worst.Callers, pay.Series[0].Worst.Callers; !slices.Equal(got, want) || len(want) == 0 || !strings.HasSuffix(want[0], ".service.pay") {
		t.Errorf("the callers are %q, and read %q; want pay first", want, got)
	}
	read.Merge(again)
	for _, id := range append(before, "payAgain>charge") {
		if got := ids(t, read); !slices.Contains(got, id) {
			t.Errorf("merged: got %q, want %s among them", got, id)
		}
	}
	if got := ids(t, pay); !slices.Equal(got, before) {
		t.Errorf("the merge changed another snapshot to %q", got)
	}
}

// deeper calls f from many different stacks.
//
//go:noinline
func deeper(bits int, f func()) {
	switch {
	case bits <= 1:
		f()
	case bits&1 == 0:
		deeper(bits>>1, f)
	default:
		func() { deeper(bits>>1, f) }()
	}
}

func TestSlowCalls_IDsAreBounded(t *testing.T) {
	s := recorded(t, 0, func(s service) {
		for i := range 5000 {
			deeper(i, s.pay)
		}
	})
	if got := ids(t, s); len(got) > 32 || got[0] != "execTx>charge" {
		t.Errorf("%d names: %q", len(got), got)
	}
	if c := s.Series[0].SlowCalls[0]; c.Count != 5000 {
		t.Errorf("%d calls, want 5000", c.Count)
	}
}
