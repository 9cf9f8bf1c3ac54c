package pghold

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/internal/callsite"
)

// held begins n holds, each in a goroutine of its own that is within Do, and
// returns a function that ends them.
func held(ctx context.Context, r *Recorder, n int) (release func()) {
	stop := make(chan struct{})
	var begun, all sync.WaitGroup
	begun.Add(n)
	for range n {
		all.Go(func() {
			Do(ctx, "GET /", func(ctx context.Context) {
				defer r.Pool("main").Checkout(ctx).Release()
				begun.Done()
				<-stop
			})
		})
	}
	begun.Wait()
	return func() { close(stop); all.Wait() }
}

// After a profile there is a pause of a hundred times its cost, whatever that is.
func TestStacks_CostOnePercent(t *testing.T) {
	r := NewRecorder(Config{StuckAfter: time.Nanosecond})
	defer held(t.Context(), r, 20)()
	r.started = r.started.Add(-time.Hour) // so that all are old, whatever the clock's steps
	asked := r.now()
	for _, h := range r.OpenHolds() {
		if h.Stack == nil {
			t.Errorf("a hold has no stack after the first profile: %+v", h)
		}
	}
	s := &r.stacks
	if now := r.now(); s.cost <= 0 || s.taken-s.cost < asked || s.taken > now {
		t.Errorf("a profile began at %v and took %v; it was asked for at %v, and there at %v", s.taken-s.cost, s.cost, asked, now)
	}
	if pause := s.next - s.taken; pause < 99*s.cost || pause > 101*s.cost {
		t.Errorf("the next profile is due %v after the last, which took %v; want a hundred times as long", pause, s.cost)
	}
}

// However often somebody asks, there is no profile before the next is due.
func TestStacks_AreTakenSeldom(t *testing.T) { synctest.Test(t, stacksAreTakenSeldom) }

func stacksAreTakenSeldom(t *testing.T) {
	r := NewRecorder(Config{StuckAfter: time.Nanosecond})
	defer held(t.Context(), r, 20)()
	time.Sleep(time.Nanosecond)
	taken := func() time.Time { return r.OpenHolds()[0].Stack.Taken }
	const pause = time.Minute // in virtual time a profile takes no time, so that it would be 0
	for range 3 {
		first := taken()
		if !first.Equal(time.Now()) {
			t.Errorf("a profile that was due is of %v, want %v", first, time.Now())
		}
		r.stacks.next = r.now() + pause
		time.Sleep(pause - time.Nanosecond)
		if again := taken(); !again.Equal(first) {
			t.Errorf("%v after a profile there was another, %v before it was due", again.Sub(first), time.Nanosecond)
		}
		time.Sleep(time.Nanosecond)
	}
}

// However many holds are stuck, and goroutines have their labels, one stack is kept of
// each of the oldest.
func TestStacks_AreKeptOfTheOldestHolds(t *testing.T) {
	synctest.Test(t, stacksAreKeptOfTheOldestHolds)
}

func stacksAreKeptOfTheOldestHolds(t *testing.T) {
	r := NewRecorder(Config{StuckAfter: time.Nanosecond})
	const more = 40
	defer held(t.Context(), r, maxStuck)()
	time.Sleep(time.Nanosecond)
	younger := r.now()
	stop := make(chan struct{})
	var all, begun sync.WaitGroup
	defer all.Wait()
	defer close(stop)
	begun.Add(2 * more)
	for range more {
		all.Go(func() {
			Do(t.Context(), "GET /", func(ctx context.Context) {
				defer r.Pool("main").Checkout(ctx).Release()
				all.Go(func() { begun.Done(); <-stop }) // with the same label
				begun.Done()
				<-stop
			})
		})
	}
	begun.Wait()
	time.Sleep(time.Nanosecond)
	holds, stacks := r.OpenHolds(), 0
	for _, h := range holds {
		if h.Stack != nil {
			stacks++
		}
		if old := h.Began.Before(r.started.Add(younger).Round(0)); old != (h.Stack != nil) {
			t.Fatalf("a hold that is one of the oldest (%v) has the stack %+v", old, h.Stack)
		}
	}
	if len(holds) != maxStuck+more || stacks != maxStuck || len(r.stacks.byHold) != maxStuck {
		t.Errorf("%d holds have %d stacks, and %d are kept; want %d holds and %d stacks", len(holds), stacks, len(r.stacks.byHold), maxStuck+more, maxStuck)
	}
}

// The stack of an earlier hold of the same request is not taken for that of a
// later one.
func TestStacks_OfAnEarlierHold(t *testing.T) { synctest.Test(t, stacksOfAnEarlierHold) }

func stacksOfAnEarlierHold(t *testing.T) {
	r := NewRecorder(Config{StuckAfter: time.Nanosecond})
	Do(t.Context(), "GET /", func(ctx context.Context) {
		c := r.Pool("main").Checkout(ctx)
		time.Sleep(time.Nanosecond)
		if r.OpenHolds()[0].Stack == nil {
			t.Error("the first hold has no stack")
		}
		c.Release()
		r.stacks.next = r.now() + time.Hour
		defer r.Pool("main").Checkout(ctx).Release()
		time.Sleep(time.Nanosecond)
		if s := r.OpenHolds()[0].Stack; s != nil {
			t.Errorf("the second hold has the stack of the first: %+v", s)
		}
		time.Sleep(time.Hour)
		if s := r.OpenHolds()[0].Stack; s == nil || len(r.stacks.byHold) != 1 {
			t.Errorf("at the next profile the second hold has the stack %+v, and %d are kept; want one, and no other", s, len(r.stacks.byHold))
		}
	})
}

// The goroutine that has the hold is told from others that have its label.
func TestHolding(t *testing.T) {
	inDo := []callsite.Site{{Func: "net/http.(*Client).Do"}, {Func: "main.charge"}, {Func: "github.com/pghold/pghold.DoFunc"}}
	loop := []callsite.Site{{Func: "internal/poll.runtime_pollWait"}, {Func: "net/http.(*persistConn).readLoop"}}
	loop2 := []callsite.Site{{Func: "golang.org/x/net/http2.(*ClientConn).readLoop"}}
	taker := []callsite.Site{{Func: "time.Sleep"}, {Func: "main.serve"}}
	worker := []callsite.Site{{Func: "time.Sleep"}, {Func: "main.work"}}
	helper := Hold{Site: Site{Func: "main.begin"}, Last: Site{Func: "main.begin"}}
	for name, c := range map[string]struct {
		goroutines [][]callsite.Site
		hold       Hold
		want       []callsite.Site
	}{
		"who took it":            {[][]callsite.Site{loop, inDo, taker}, Hold{Site: Site{Func: "main.serve"}}, taker},
		"a helper has returned":  {[][]callsite.Site{loop, loop2, worker, inDo}, helper, inDo},
		"who sent a statement":   {[][]callsite.Site{inDo, worker}, Hold{Site: Site{Func: "main.begin"}, Last: Site{Func: "main.work"}}, worker},
		"the handler has ended":  {[][]callsite.Site{loop, loop2, worker}, helper, worker},
		"none of its goroutines": {[][]callsite.Site{loop, loop2}, helper, nil},
		"none at all":            {nil, helper, nil},
	} {
		if got := holding(c.goroutines, &c.hold, nil); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// BenchmarkOpenHolds is asked all the time where 10,000 goroutines are stuck. The
// profiles' share of a core is what Config.StuckAfter promises.
func BenchmarkOpenHolds(b *testing.B) {
	r := NewRecorder(Config{StuckAfter: time.Nanosecond})
	release := held(b.Context(), r, 10_000)
	began, last := r.now(), time.Duration(-1)
	var cost time.Duration
	var profiles float64
	for b.Loop() {
		r.OpenHolds()
		if s := &r.stacks; s.taken != last {
			last = s.taken
			cost += s.cost
			profiles++
		}
	}
	b.ReportMetric(cost.Seconds()*1000/profiles, "ms/profile")
	b.ReportMetric(cost.Seconds()/max(r.now()-began, r.stacks.next-began).Seconds(), "cores")
	release()
}
