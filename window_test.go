package pghold_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// window returns one of a snapshot's windows, 0 is that since the start.
func window(t *testing.T, s *pghold.Snapshot, asked time.Duration) pghold.Window {
	t.Helper()
	for _, w := range s.Windows {
		if w.Asked == asked {
			return w
		}
	}
	t.Fatalf("there is no window of %v among %d", asked, len(s.Windows))
	return pghold.Window{}
}

// Of a service that has a hold of 1 s every 2 s, and before an incident one of 10 ms every
// second, each window has its own.
func TestSnapshot_Windows(t *testing.T) { synctest.Test(t, snapshotWindows) }

func snapshotWindows(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	p := r.Pool("main")
	hold := func(d time.Duration) {
		c := p.Wait(pghold.WithRoute(t.Context(), "GET /")).Checkout()
		c.BeginStatement()
		time.Sleep(d / 2)
		c.EndStatement(true)
		time.Sleep(d / 2)
		c.Release()
	}
	for range 3600 {
		hold(10 * time.Millisecond)
		time.Sleep(990 * time.Millisecond)
	}
	for range 150 {
		hold(time.Second)
		time.Sleep(time.Second)
	}
	s := r.Snapshot()
	minute, ten, all := window(t, s, time.Minute), window(t, s, 10*time.Minute), window(t, s, 0)
	if minute.Duration < time.Minute || minute.Duration >= 70*time.Second || ten.Duration < 10*time.Minute || ten.Duration >= 11*time.Minute || all.Duration != 3900*time.Second {
		t.Errorf("the windows are %v, %v and %v long", minute.Duration, ten.Duration, all.Duration)
	}
	for name, w := range map[string]pghold.Window{"the minute": minute, "ten minutes": ten, "all": all} {
		slow := int(min(w.Duration, 300*time.Second) / (2 * time.Second))
		fast := int((w.Duration - min(w.Duration, 300*time.Second)) / time.Second)
		held := time.Duration(slow)*time.Second + time.Duration(fast)*10*time.Millisecond
		if len(w.Routes) != 1 {
			t.Fatalf("%s: %+v", name, w.Routes)
		}
		got := w.Routes[0]
		if got.Pool != "main" || got.Route != "GET /" || near(int(got.Arrivals), slow+fast) > 1 || near(int(got.Holds), slow+fast) > 1 ||
			(got.Held-held).Abs() > time.Second || (got.Busy-held/2).Abs() > time.Second || (got.SilentInTransaction-held/2).Abs() > time.Second || got.Silent != got.SilentInTransaction {
			t.Errorf("%s, %v long: got %+v, want %d slow holds and %d fast ones, held for %v", name, w.Duration, got, slow, fast, held)
		}
	}
	// After a pause there is nothing in them, and since the start all.
	time.Sleep(time.Hour)
	s = r.Snapshot()
	if w := window(t, s, time.Minute); w.Duration != time.Minute || len(w.Routes) != 0 {
		t.Errorf("after an hour the minute is %+v", w)
	}
	if w := window(t, s, 10*time.Minute); w.Duration != 10*time.Minute || len(w.Routes) != 0 {
		t.Errorf("after an hour ten minutes are %+v", w)
	}
	if w := window(t, s, 0); w.Routes[0].Holds != 3750 {
		t.Errorf("since the start there were %+v", w)
	}
	hold(time.Second)
	time.Sleep(30 * time.Second)
	if w := window(t, r.Snapshot(), time.Minute); w.Duration != time.Minute || len(w.Routes) != 1 || w.Routes[0].Holds != 1 || w.Routes[0].Arrivals != 1 {
		t.Errorf("half a minute after the next one the minute is %+v", w)
	}
}

func near(a, b int) int { return max(a-b, b-a) }

// Who waits, gives up, or is turned away has arrived.
func TestSnapshot_WindowsHaveAllWhoCame(t *testing.T) {
	synctest.Test(t, snapshotWindowsHaveAllWhoCame)
}

func snapshotWindowsHaveAllWhoCame(t *testing.T) {
	r, p, _ := ofSize(1)
	ctx := pghold.WithRoute(t.Context(), "GET /")
	c := p.Wait(ctx).Checkout()
	waits := []pghold.Wait{p.Wait(ctx), p.Wait(ctx), p.Wait(ctx), p.Wait(ctx)}
	time.Sleep(3 * time.Second)
	waits[0].Fail(context.DeadlineExceeded)
	waits[1].Fail(context.Canceled)
	waits[2].Fail(errors.New("refused"))
	time.Sleep(time.Second)
	p.Checkout(pghold.Intend(ctx, "LISTEN")).Release()
	for _, w := range r.Snapshot().Windows {
		want := pghold.Arrivals{Pool: "main", Route: "GET /", Arrivals: 5, Wait: 9 * time.Second, Timeouts: 1, Cancelled: 1, Failures: 1}
		if len(w.Routes) != 1 || w.Routes[0] != want {
			t.Errorf("of %v: got %+v, want %+v", w.Asked, w.Routes, want)
		}
	}
	waits[3].Checkout().Release()
	c.Release()
	time.Sleep(5 * time.Minute)
	if w := window(t, r.Snapshot(), 10*time.Minute); w.Routes[0].Arrivals != 5 || w.Routes[0].Holds != 2 {
		t.Errorf("five minutes later: %+v", w.Routes)
	}
	if w := window(t, r.Snapshot(), time.Minute); len(w.Routes) != 0 {
		t.Errorf("five minutes later the minute has %+v", w.Routes)
	}
}

// Waits that only the pool counts are those of the window, and a merged snapshot has
// those of both.
func TestSnapshot_WindowsOfAPoolThatOnlyCounts(t *testing.T) {
	synctest.Test(t, snapshotWindowsOfAPoolThatOnlyCounts)
}

func snapshotWindowsOfAPoolThatOnlyCounts(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	p := r.Pool("main")
	var waits atomic.Uint64
	p.SetStat(func() pghold.PoolStat {
		return pghold.PoolStat{Max: 1, Waits: waits.Load(), WaitTime: time.Duration(waits.Load()) * time.Second}
	})
	for range 300 {
		p.Checkout(t.Context()).Release()
		waits.Add(2)
		time.Sleep(time.Second)
	}
	s := r.Snapshot()
	w := window(t, s, time.Minute)
	if n := int(w.Pools[0].Waits); w.Pools[0].WaitTime != time.Duration(n)*time.Second || near(n, 2*int(w.Duration.Seconds())) > 2 {
		t.Errorf("in %v there were %+v", w.Duration, w.Pools)
	}
	if w := window(t, s, 0); w.Pools[0].Waits != 600 || w.Routes[0].Arrivals != 300 {
		t.Errorf("in all there were %+v and %+v", w.Pools, w.Routes)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pghold.ReadSnapshot(b)
	if err != nil || !reflect.DeepEqual(again.Windows, s.Windows) {
		t.Errorf("read again the windows are %+v (%v), want %+v", again.Windows, err, s.Windows)
	}
	other := pghold.NewRecorder(pghold.Config{})
	other.Pool("main").Checkout(t.Context()).Release()
	again.Merge(other.Snapshot())
	again.Merge(s)
	if w := window(t, again, 0); w.Routes[0].Arrivals != 601 || w.Pools[0].Waits != 1200 || w.Duration != 300*time.Second {
		t.Errorf("merged there are %+v and %+v in %v", w.Routes, w.Pools, w.Duration)
	}
}

// However long a service runs, and whatever its routes, little is kept.
func TestSnapshot_WindowsAreBounded(t *testing.T) { synctest.Test(t, snapshotWindowsAreBounded) }

func snapshotWindowsAreBounded(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{MaxSeries: 10})
	for i := range 7200 {
		ctx := pghold.WithRoute(t.Context(), fmt.Sprint("GET /", i))
		r.Pool("main").Wait(ctx).Checkout().Release()
		r.Pool("main").Wait(ctx).Fail(context.Canceled)
		time.Sleep(time.Second)
	}
	s := r.Snapshot()
	for _, w := range s.Windows {
		var came, held uint64
		for _, a := range w.Routes {
			came += a.Arrivals
			held += a.Holds
		}
		if want := uint64(w.Duration / time.Second); near(int(came), int(2*want)) > 2 || len(w.Routes) > 16*513 {
			t.Errorf("of %v, %v long: %d arrivals and %d holds of %d routes, want %d", w.Asked, w.Duration, came, held, len(w.Routes), 2*want)
		}
	}
}

// Counts of twenty moments are kept at most, however long something happens.
func TestSnapshot_WindowsKeepFewMoments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := pghold.NewRecorder(pghold.Config{})
		most := 0
		for range 2 * 3600 {
			r.Pool("main").Checkout(t.Context()).Release()
			time.Sleep(time.Second)
			most = max(most, pghold.Moments(r))
		}
		if most < 15 || most > 20 {
			t.Errorf("counts of up to %d moments were kept, want at most 20", most)
		}
	})
}

// Where all connections are held, who comes and waits is in the windows too.
func TestSnapshot_WindowsOfWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, p, _ := ofSize(1)
		defer p.Checkout(pghold.WithRoute(t.Context(), "GET /stuck")).Release()
		time.Sleep(time.Hour)
		for range 300 {
			w := p.Wait(pghold.WithRoute(t.Context(), "GET /"))
			time.Sleep(time.Second)
			w.Fail(context.Canceled)
		}
		for asked, want := range map[time.Duration]int{time.Minute: 65, 10 * time.Minute: 300} {
			w := window(t, r.Snapshot(), asked)
			if len(w.Routes) != 1 || near(int(w.Routes[0].Arrivals), want) > 6 || w.Duration >= asked+11*time.Second {
				t.Errorf("of %v, %v long: %+v, want about %d", asked, w.Duration, w.Routes, want)
			}
		}
	})
}
