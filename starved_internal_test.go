package pghold

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// What is called starved, at the very bounds.
func TestWindow_Starve(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		statements    uint64
		busy, latency time.Duration
		want          bool
	}{
		"a quarter":                  {100, 400 * ms, ms, true},
		"less than a quarter":        {100, 401 * ms, ms, false},
		"less than a millisecond":    {100, 200 * ms, ms - 1, false},
		"few statements":             {99, 99 * 4 * ms, ms, false},
		"more than a statement took": {1000, 1000 * ms, 20 * ms, true},
		"nothing":                    {0, 0, 20 * ms, false},
	} {
		w := Window{Routes: []Arrivals{{Route: "a", Statements: c.statements / 2, Busy: c.busy / 2}, {Route: "b", Statements: c.statements - c.statements/2, Busy: c.busy - c.busy/2}}}
		if w.starve(c.latency); w.Starved != c.want || w.SchedulingLatency != c.latency {
			t.Errorf("%s: starved is %v, with %v; want %v", name, w.Starved, w.SchedulingLatency, c.want)
		}
	}
}

// That busy times say little is in the windows for as long as it is so, and once in the log.
func TestStarved(t *testing.T) { synctest.Test(t, starved) }

func starved(t *testing.T) {
	told := make(chan string, 10)
	r := NewRecorder(Config{OnHint: func(text string) { told <- text }})
	var sched atomic.Pointer[runnable]
	r.readRunnable = func() runnable { return *sched.Load() }
	hold := func(n int, statement, latency time.Duration) {
		for range n {
			c := r.Pool("main").Checkout(WithRoute(t.Context(), "GET /"))
			c.BeginStatement()
			time.Sleep(statement)
			c.EndStatement(false)
			c.Release()
		}
		before := *sched.Load()
		sched.Store(&runnable{before.n + 1000, before.sum + 1000*latency})
	}
	check := func(when string, want ...bool) {
		t.Helper()
		s := r.Snapshot()
		var got []bool
		for _, w := range s.Windows {
			got = append(got, w.Starved)
		}
		if !reflect.DeepEqual(got, want) || len(s.Hints) > 0 {
			t.Errorf("%s: the windows are starved: %v, want %v; the hints are %q", when, got, want, s.Hints)
		}
	}
	r.runnable = runnable{5, time.Hour} // of before
	sched.Store(&r.runnable)
	hold(500, 40*time.Millisecond, 5*time.Millisecond)
	time.Sleep(30 * time.Second)
	check("with processors", false, false, false)
	if len(told) > 0 {
		t.Errorf("told %q", <-told)
	}
	time.Sleep(2 * time.Minute)
	hold(200, 40*time.Millisecond, 12*time.Millisecond)
	time.Sleep(10 * time.Second)
	check("without", true, false, false)
	hold(200, 40*time.Millisecond, 12*time.Millisecond)
	time.Sleep(10 * time.Second)
	if want := "goroutines that could run waited 12.0 ms each for one, and a statement took 40.0 ms, on average"; len(told) != 1 {
		t.Errorf("told %d hints, want one", len(told))
	} else if hint := <-told; !strings.Contains(hint, want) {
		t.Errorf("told %q, want that %s", hint, want)
	}
	if w := r.Snapshot().Windows[0]; w.SchedulingLatency != 12*time.Millisecond || w.Routes[0].Statements != 400 {
		t.Errorf("the last minute is %+v", w)
	}
	b, err := json.Marshal(r.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	if w := again.Windows[0]; !w.Starved || w.SchedulingLatency != 12*time.Millisecond || w.Routes[0].Statements != 400 {
		t.Errorf("read again the last minute is %+v", w)
	}
	again.Merge(&Snapshot{Windows: []Window{{Asked: time.Minute, SchedulingLatency: time.Second}}})
	if w := again.Windows[0]; !w.Starved || w.SchedulingLatency != time.Second {
		t.Errorf("with another process the last minute is %+v, want the worst of both", w)
	}
	time.Sleep(2 * time.Minute)
	check("when it is over", false, false, false)
}

// OnHint may ask for a snapshot.
func TestStarved_ToldToWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r *Recorder
		var told atomic.Int32
		r = NewRecorder(Config{OnHint: func(string) { told.Add(1); r.Snapshot() }})
		r.runnable = runnable{}
		r.readRunnable = func() runnable { return runnable{1, time.Second} }
		for range starvedStatements {
			c := r.Pool("main").Checkout(t.Context())
			c.BeginStatement()
			c.Release()
		}
		time.Sleep(11 * time.Second)
		if n := told.Load(); n != 1 {
			t.Errorf("told %d hints, want one", n)
		}
	})
}

// The histogram is there, and its sum is one of what has passed.
func TestReadRunnable(t *testing.T) {
	before := readRunnable()
	done := make(chan struct{})
	for range 1000 {
		go func() { done <- struct{}{} }()
	}
	for range 1000 {
		<-done
	}
	if after := readRunnable(); after.n <= before.n || after.sum < before.sum || after.since(before) < 0 || after.since(after) != 0 || before.since(after) != 0 {
		t.Errorf("before it is %+v, and after %+v", before, after)
	}
}

// BenchmarkReadRunnable is what a snapshot and a frame pay.
func BenchmarkReadRunnable(b *testing.B) {
	for b.Loop() {
		readRunnable()
	}
}
