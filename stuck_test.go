package pghold_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pghold/pghold"
)

// stuckIn runs f in Do with a hold, and returns the hold as OpenHolds describes it
// once f is stuck, which it tells by reading from the channel that it is given.
func stuckIn(t *testing.T, r *pghold.Recorder, f func(context.Context, chan struct{})) []pghold.Hold {
	t.Helper()
	wait := make(chan struct{})
	var job sync.WaitGroup
	t.Cleanup(func() { close(wait); job.Wait() })
	begun := make(chan struct{})
	job.Go(func() {
		pghold.Do(t.Context(), "job", func(ctx context.Context) {
			c := r.Pool("main").Checkout(ctx)
			defer c.Release()
			c.BeginStatement()
			c.EndStatement(true)
			close(begun)
			f(ctx, wait)
		})
	})
	<-begun
	return r.OpenHolds()
}

func charge(ch chan struct{}) { <-ch }

// until calls f until it is content.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("did not happen within 20 s: %s", what)
		}
	}
}

func TestOpenHolds_SaysWhereItIsStuck(t *testing.T) {
	r := pghold.New(pghold.Config{StuckAfter: time.Nanosecond})
	stuckIn(t, r, func(ctx context.Context, ch chan struct{}) {
		// Another goroutine of the same handler, which is not the one that has the hold.
		go charge(ch)
		pprof.Do(ctx, pprof.Labels("customer", `a "quoted" one`), func(context.Context) { charge(ch) })
	})
	var h pghold.Hold
	until(t, "the stack is that of the goroutine with the hold, in charge", func() bool {
		h = r.OpenHolds()[0]
		if h.Stack == nil {
			return false
		}
		var functions []string
		for _, f := range h.Stack.Frames {
			functions = append(functions, f.Func)
		}
		all := strings.Join(functions, " ")
		return strings.Contains(all, "pghold_test.charge") && strings.Contains(all, "pghold.Do")
	})
	if f := h.Stack.Frames[0]; !strings.HasSuffix(f.Func, "pghold_test.charge") || !strings.HasSuffix(f.File, "stuck_test.go") || f.Line == 0 {
		t.Errorf("the innermost frame is %+v, want that of charge", f)
	}
	if h.Stack.Taken.Before(h.Began) {
		t.Errorf("the stack is of %v, before the hold began, %v", h.Stack.Taken, h.Began)
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
	asked, answer := make(chan struct{}), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(asked); <-answer }))
	defer api.Close()
	r := pghold.New(pghold.Config{StuckAfter: time.Nanosecond})
	var job sync.WaitGroup
	job.Go(func() {
		pghold.Do(t.Context(), "job", func(ctx context.Context) {
			defer takeAndReturn(r.Pool("main"), ctx).Release()
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, api.URL, nil)
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
	<-asked
	var first time.Time
	until(t, "there are stacks of five profiles", func() func() bool {
		profiles := 0
		return func() bool {
			h := r.OpenHolds()[0]
			if h.Stack == nil {
				t.Fatal("a hold that is old enough has no stack")
			}
			if h.Stack.Taken.Equal(first) {
				return false
			}
			first = h.Stack.Taken
			if !strings.HasPrefix(h.Stack.Where, "net/http.(*Client).Do ← stuck_test.go:") {
				t.Errorf("it is said to be in %s", h.Stack.Where)
			}
			if last := h.Stack.Frames[len(h.Stack.Frames)-1].Func; strings.Contains(last, "persistConn") {
				t.Errorf("the outermost frame is %s", last)
			}
			profiles++
			return profiles == 5
		}
	}())
	if doing := r.Pool("main").Holders()[0].Doing; !strings.HasPrefix(doing, "in net/http.(*Client).Do ← stuck_test.go:") {
		t.Errorf("the holder is said to be %s", doing)
	}
}

// What a handler calls in a library is named with the line that calls it.
func TestHolders_NameTheCallAndItsLine(t *testing.T) {
	r := pghold.New(pghold.Config{StuckAfter: time.Nanosecond})
	var mu sync.Mutex
	mu.Lock()
	stuckIn(t, r, func(ctx context.Context, ch chan struct{}) {
		defer pghold.Start(ctx, "POST api.example.com/v1").End()
		mu.Lock()
	})
	t.Cleanup(mu.Unlock)
	until(t, "the call and its line are named", func() bool {
		doing := r.Pool("main").Holders()[0].Doing
		return strings.HasPrefix(doing, "in POST api.example.com/v1, in sync.(*Mutex).Lock ← stuck_test.go:")
	})
}

func TestOpenHolds_YoungOrWithoutDo(t *testing.T) {
	r := pghold.New(pghold.Config{})
	for _, h := range stuckIn(t, r, func(_ context.Context, ch chan struct{}) { <-ch }) {
		if h.Stack != nil {
			t.Errorf("a young hold has a stack: %+v", h)
		}
	}
	r = pghold.New(pghold.Config{StuckAfter: time.Nanosecond})
	defer r.Pool("main").Checkout(pghold.WithRoute(t.Context(), "GET /")).Release()
	if h := r.OpenHolds()[0]; h.Stack != nil {
		t.Errorf("a goroutine that is not labelled was found: %+v", h)
	}
}

// The labels that a goroutine had before are there again afterwards.
func TestDo_RestoresTheLabels(t *testing.T) {
	pprof.Do(t.Context(), pprof.Labels("mine", "a"), func(ctx context.Context) {
		pghold.Do(ctx, "GET /", func(ctx context.Context) {
			if v, _ := pprof.Label(ctx, "mine"); v != "a" {
				t.Errorf("within, the label is %q", v)
			}
			if v, _ := pprof.Label(ctx, "pghold"); v == "" {
				t.Error("within, there is no label of pghold's")
			}
		})
		var b strings.Builder
		pprof.Lookup("goroutine").WriteTo(&b, 1)
		if !strings.Contains(b.String(), `# labels: {"mine":"a"}`) {
			t.Error("afterwards, the goroutine does not have its own labels again")
		}
	})
}
