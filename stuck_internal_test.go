package pghold

import (
	"context"
	"slices"
	"strings"
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
	r.frames.running.Store(true) // so that nobody else asks for the time
	r.stacks.sampling.Store(true)
	defer held(t.Context(), r, 20)()
	r.started = r.started.Add(-time.Hour) // so that all are old, whatever the clock's steps
	asked := r.now()
	for _, h := range r.OpenHolds() {
		if h.Stack == nil {
			t.Errorf("a hold has no stack after the first profile: %+v", h)
		}
	}
	s := &r.stacks
	if now := r.now(); s.cost <= 0 || s.taken < asked || s.taken > now || s.cost > now-asked {
		t.Errorf("a profile was taken at %v and cost %v; it was asked for at %v, and there at %v", s.taken, s.cost, asked, now)
	}
	if pause := s.next - s.taken; pause < 99*s.cost || pause > 101*s.cost {
		t.Errorf("the next profile is due %v after the last, which cost %v; want a hundred times as long", pause, s.cost)
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
		r.stacks.mu.Lock()
		r.stacks.next = r.now() + pause
		r.stacks.mu.Unlock()
		time.Sleep(pause - time.Nanosecond)
		if again := taken(); !again.Equal(first) {
			t.Errorf("%v after a profile there was another, %v before it was due", again.Sub(first), time.Nanosecond)
		}
		time.Sleep(time.Nanosecond)
	}
}

// Where more requests are in Do than have labels of their own, holds of one function have
// the stacks of its goroutines, each as often as it was seen.
func TestStacks_OfHoldsThatShareALabel(t *testing.T) {
	synctest.Test(t, stacksOfHoldsThatShareALabel)
}

func stacksOfHoldsThatShareALabel(t *testing.T) {
	r := NewRecorder(Config{StuckAfter: time.Nanosecond, Skip: []string{"github.com/pghold/pghold.waitingPool"}})
	defer held(t.Context(), r, maxLabels)()
	stop := make(chan struct{})
	var all, begun sync.WaitGroup
	defer all.Wait()
	defer close(stop)
	const here, there, waiting = 75, 25, 30
	begun.Add(here + there)
	for i := range here + there {
		all.Go(func() {
			Do(t.Context(), "GET /", func(ctx context.Context) { takeAndWait(ctx, r.Pool("main"), i < here, &begun, stop) })
		})
	}
	begun.Wait()
	for range waiting { // in the same function, for a connection
		all.Go(func() {
			Do(t.Context(), "GET /", func(ctx context.Context) { takeAndWait(ctx, waitingPool(stop), true, nil, stop) })
		})
	}
	synctest.Wait()
	time.Sleep(time.Nanosecond)
	places, own := map[string]int{}, 0
	for _, h := range r.OpenHolds() {
		switch {
		case h.Stack == nil:
			t.Fatalf("a hold has no stack: %+v", h)
		case h.Stack.Alike == 0:
			own++
		case h.Stack.Alike != here+there:
			t.Fatalf("a stack is that of one of %d, want of %d", h.Stack.Alike, here+there)
		default:
			places[h.Stack.Where]++
		}
	}
	const package_ = "github.com/pghold/pghold."
	if own != maxLabels || len(places) != 2 || places[package_+"charge ← stuck_internal_test.go:"] != 0 {
		t.Errorf("%d holds have stacks of their own, want %d; the others are at %v", own, maxLabels, places)
	}
	for where, n := range places {
		if want := map[bool]int{true: there, false: here}[strings.Contains(where, "waitElsewhere")]; n != want {
			t.Errorf("%d holds are %s, want %d", n, where, want)
		}
	}
}

//go:noinline
func takeAndWait(ctx context.Context, p interface {
	Checkout(context.Context) *Checkout
}, here bool, begun *sync.WaitGroup, stop chan struct{}) {
	c := take(ctx, p)
	if c == nil {
		return
	}
	defer c.Release()
	begun.Done()
	if here {
		<-stop
		return
	}
	waitElsewhere(stop)
}

//go:noinline
func take(ctx context.Context, p interface {
	Checkout(context.Context) *Checkout
}) *Checkout {
	return p.Checkout(ctx)
}

// waitingPool has no connection. It stands for a driver's pool.
type waitingPool chan struct{}

func (p waitingPool) Checkout(context.Context) *Checkout { <-p; return nil }

//go:noinline
func waitElsewhere(stop chan struct{}) { <-stop }

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
		r.stacks.mu.Lock()
		r.stacks.next = r.now() + time.Hour
		r.stacks.mu.Unlock()
		defer r.Pool("main").Checkout(ctx).Release()
		time.Sleep(time.Nanosecond)
		if s := r.OpenHolds()[0].Stack; s != nil {
			t.Errorf("the second hold has the stack of the first: %+v", s)
		}
		time.Sleep(time.Hour)
		if r.OpenHolds()[0].Stack == nil {
			t.Error("the second hold has no stack at the next profile")
		}
	})
}

// The goroutine that has the hold is told from others that have its label.
func TestHolding(t *testing.T) {
	inDo := []callsite.Site{{Func: "net/http.(*Client).Do"}, {Func: "main.charge"}, {Func: doFrame}}
	loop := []callsite.Site{{Func: "internal/poll.runtime_pollWait"}, {Func: "net/http.(*persistConn).readLoop"}}
	loop2 := []callsite.Site{{Func: "golang.org/x/net/http2.(*ClientConn).readLoop"}}
	taker := []callsite.Site{{Func: "time.Sleep"}, {Func: "main.serve"}}
	worker := []callsite.Site{{Func: "time.Sleep"}, {Func: "main.work"}}
	begin := Site{Func: "main.begin"}
	for name, c := range map[string]struct {
		goroutines [][]callsite.Site
		site, last Site
		want       []callsite.Site
	}{
		"who took it":            {[][]callsite.Site{loop, inDo, taker}, Site{Func: "main.serve"}, Site{}, taker},
		"a helper has returned":  {[][]callsite.Site{loop, loop2, worker, inDo}, begin, begin, inDo},
		"who sent a statement":   {[][]callsite.Site{inDo, worker}, begin, Site{Func: "main.work"}, worker},
		"the handler has ended":  {[][]callsite.Site{loop, loop2, worker}, begin, begin, worker},
		"none of its goroutines": {[][]callsite.Site{loop, loop2}, begin, begin, nil},
		"none at all":            {nil, begin, begin, nil},
	} {
		var all []callsite.Goroutines
		for _, frames := range c.goroutines {
			all = append(all, callsite.Goroutines{Count: 1, Frames: frames})
		}
		if got := holding(all, c.site, c.last, nil); !slices.Equal(got, c.want) {
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

// While nothing happens no timer runs, also where a hold never ends.
func TestRecorder_KeepsNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecorder(Config{})
		release := held(t.Context(), r, 1)
		time.Sleep(30 * time.Second)
		if r.frames.running.Load() || !r.stacks.sampling.Load() {
			t.Errorf("after half a minute counts are kept: %v, and the hold is looked at: %v; want false, true", r.frames.running.Load(), r.stacks.sampling.Load())
		}
		time.Sleep(2 * sampleFor)
		if r.stacks.sampling.Load() {
			t.Errorf("after %v the hold is still looked at", 2*sampleFor)
		}
		release()
		r.Pool("main").Checkout(t.Context()).Release()
		time.Sleep(time.Minute)
		if r.frames.running.Load() || r.stacks.sampling.Load() {
			t.Error("nobody holds a connection, and a timer runs")
		}
	})
}
