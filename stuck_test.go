package pghold_test

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/memnet"
)

// stuckIn runs f in Do with a hold, and returns the hold as OpenHolds describes it
// once f is stuck, as long as the channel that it is given is open, and all that it
// started too. It is called in a bubble.
func stuckIn(t *testing.T, r *pghold.Recorder, f func(context.Context, chan struct{})) pghold.Hold {
	t.Helper()
	wait := make(chan struct{})
	t.Cleanup(func() { close(wait) })
	go pghold.Do(t.Context(), "job", func(ctx context.Context) {
		c := r.Pool("main").Checkout(ctx)
		defer c.Release()
		c.BeginStatement()
		c.EndStatement(true)
		f(ctx, wait)
	})
	synctest.Wait()
	time.Sleep(time.Nanosecond)
	holds := r.OpenHolds()
	if len(holds) != 1 {
		t.Fatalf("%d holds are open, want the one: %+v", len(holds), holds)
	}
	return holds[0]
}

func charge(ch chan struct{}) { <-ch }

// Within Do, but without its context, a hold is found by the function that took it, and
// its gap has a name.
func TestOpenHolds_WithoutTheContext(t *testing.T) { synctest.Test(t, openHoldsWithoutTheContext) }

func openHoldsWithoutTheContext(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	wait := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		pghold.Do(t.Context(), "job", func(context.Context) {
			defer r.Pool("main").Checkout(context.Background()).Release()
			charge(wait)
		})
	})
	time.Sleep(3 * time.Second)
	if h := r.OpenHolds()[0]; h.Stack == nil || !strings.Contains(h.Stack.Where, "pghold_test.charge at stuck_test.go:") || h.Stack.Alike != 1 {
		t.Errorf("the hold has the stack %+v", h.Stack)
	}
	close(wait)
	all.Wait()
	if where, _ := r.Snapshot().Series[0].Gaps[0].Mostly(); !strings.Contains(where, "pghold_test.charge") {
		t.Errorf("its gap was mostly in %q", where)
	}
}

func TestOpenHolds_SaysWhereItIsStuck(t *testing.T) { synctest.Test(t, openHoldsSaysWhereItIsStuck) }

func openHoldsSaysWhereItIsStuck(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Nanosecond})
	h := stuckIn(t, r, func(ctx context.Context, ch chan struct{}) {
		// Another goroutine of the same handler, which is not the one that has the hold.
		go charge(ch)
		pprof.Do(ctx, pprof.Labels("customer", `a "quoted" one`), func(context.Context) { charge(ch) })
	})
	if h.Stack == nil {
		t.Fatal("the hold has no stack")
	}
	var functions []string
	for _, f := range h.Stack.Frames {
		functions = append(functions, f.Func)
	}
	if all := strings.Join(functions, " "); !strings.Contains(all, "pghold_test.charge") || !strings.Contains(all, "pghold.Do") {
		t.Errorf("the stack is %s, want that of the goroutine with the hold, in charge", all)
	}
	if f := h.Stack.Frames[0]; !strings.HasSuffix(f.Func, "pghold_test.charge") || !strings.HasSuffix(f.File, "stuck_test.go") || f.Line == 0 {
		t.Errorf("the innermost frame is %+v, want that of charge", f)
	}
	if age := h.Stack.Taken.Sub(h.Began); age != time.Nanosecond {
		t.Errorf("the stack was taken %v after the hold began, want 1 ns", age)
	}
	holders := r.Pool("main").Holders()
	if len(holders) != 1 || !strings.HasPrefix(holders[0].Doing, "in github.com/pghold/pghold_test.charge at stuck_test.go:") {
		t.Errorf("the holders are %v, want where it is stuck", holders)
	}
	if s := holders[0].String(); !strings.HasPrefix(s, "1 of 1 held by job, stuck_test.go:") {
		t.Errorf("the holder is %q", s)
	}
	if b, err := json.Marshal(h); err != nil || !strings.Contains(string(b), `"taken_at"`) || !strings.Contains(string(b), "pghold_test.charge") {
		t.Errorf("as JSON it is %s (%v)", b, err)
	}
	for _, h := range r.Snapshot().Open {
		if h.Stack != nil {
			t.Error("Snapshot has taken a profile, which is for those who ask only")
		}
	}
}

//go:noinline
func takeAndReturn(p *pghold.Pool, ctx context.Context) *pghold.Checkout {
	c := p.Checkout(ctx)
	c.BeginStatement()
	c.EndStatement(true)
	return c
}

// Where a helper took the connection and has returned, and a client has started
// goroutines of its own, which have the label too, it is said where the handler is.
func TestOpenHolds_InAClientAfterAHelper(t *testing.T) {
	synctest.Test(t, openHoldsInAClientAfterAHelper)
}

func openHoldsInAClientAfterAHelper(t *testing.T) {
	var network memnet.Network
	l, err := network.Listen()
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan struct{})
	api := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-answer })}
	go api.Serve(l)
	defer api.Shutdown(t.Context())
	r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Nanosecond})
	var job sync.WaitGroup
	job.Go(func() {
		pghold.Do(t.Context(), "job", func(ctx context.Context) {
			defer takeAndReturn(r.Pool("main"), ctx).Release()
			client := &http.Client{Transport: &http.Transport{DialContext: network.Dial}}
			defer client.CloseIdleConnections()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Addr().String(), nil)
			if err != nil {
				t.Error(err)
				return
			}
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		})
	})
	defer job.Wait()
	defer close(answer)
	synctest.Wait()          // for the answer
	for profile := range 5 { // which have the goroutines in any order
		time.Sleep(time.Nanosecond)
		h := r.OpenHolds()[0]
		if h.Stack == nil || !h.Stack.Taken.Equal(time.Now()) {
			t.Fatalf("profile %d: the hold has the stack %+v, want one of now", profile, h.Stack)
		}
		if !strings.HasPrefix(h.Stack.Where, "net/http.(*Client).Do ← stuck_test.go:") {
			t.Errorf("it is said to be in %s", h.Stack.Where)
		}
		if last := h.Stack.Frames[len(h.Stack.Frames)-1].Func; strings.Contains(last, "persistConn") {
			t.Errorf("the outermost frame is %s", last)
		}
	}
	if doing := r.Pool("main").Holders()[0].Doing; !strings.HasPrefix(doing, "in net/http.(*Client).Do ← stuck_test.go:") {
		t.Errorf("the holder is said to be %s", doing)
	}
}

func TestOpenHolds_YoungOrWithoutDo(t *testing.T) { synctest.Test(t, openHoldsYoungOrWithoutDo) }

func openHoldsYoungOrWithoutDo(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	stuckIn(t, r, func(_ context.Context, ch chan struct{}) { <-ch })
	time.Sleep(time.Second - 2*time.Nanosecond)
	if h := r.OpenHolds()[0]; h.Stack != nil {
		t.Errorf("a hold of %v has a stack: %+v", h.Held, h)
	}
	time.Sleep(time.Nanosecond)
	if h := r.OpenHolds()[0]; h.Stack == nil {
		t.Errorf("a hold of %v has no stack", h.Held)
	}
	r = pghold.NewRecorder(pghold.Config{StuckAfter: time.Nanosecond})
	defer r.Pool("main").Checkout(pghold.WithRoute(t.Context(), "GET /")).Release()
	time.Sleep(time.Nanosecond)
	if h := r.OpenHolds()[0]; h.Stack == nil || h.Stack.Alike != 1 || !strings.HasPrefix(h.Stack.Where, "github.com/pghold/pghold.(*Recorder).OpenHolds ← stuck_test.go:") {
		t.Errorf("outside of Do the stack is %+v, want that of the one goroutine in the function that took the connection", h.Stack)
	}
}

// Who asks while he holds a connection himself is where he asks, and not in the profile.
func TestOpenHolds_AskedByTheHolder(t *testing.T) { synctest.Test(t, openHoldsAskedByTheHolder) }

func openHoldsAskedByTheHolder(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Nanosecond})
	pghold.Do(t.Context(), "job", func(ctx context.Context) {
		defer r.Pool("main").Checkout(ctx).Release()
		time.Sleep(time.Nanosecond)
		h := r.OpenHolds()[0]
		if want := "github.com/pghold/pghold.(*Recorder).OpenHolds ← stuck_test.go:"; h.Stack == nil || !strings.HasPrefix(h.Stack.Where, want) {
			t.Errorf("it is said to be in %+v, want %s", h.Stack, want)
		}
	})
}
