package pghold

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Only those who queue are counted as waiting, where the pool tells its size.
func TestPool_MaxWaiting(t *testing.T) {
	r := NewRecorder(Config{})
	p := r.Pool("main")
	var size atomic.Int64
	size.Store(2)
	p.SetStat(func() PoolStat { return PoolStat{Max: int(size.Load())} })
	waiting := func() (now, most int) {
		s := r.Snapshot().Pools[0]
		return s.Waiting, s.MaxWaiting
	}
	a, b := p.Wait(t.Context()), p.Wait(t.Context()) // at the same time, and there is one for each
	if now, most := waiting(); now != 0 || most != 0 {
		t.Errorf("%d wait, %d at most, want none: there are enough for both", now, most)
	}
	held := []*Checkout{a.Checkout(), b.Checkout()}
	c, d := p.Wait(t.Context()), p.Wait(t.Context())
	if now, most := waiting(); now != 2 || most != 2 {
		t.Errorf("%d wait, %d at most, want 2", now, most)
	}
	held[0].Release()
	held[0] = c.Checkout()
	d.Fail(context.Canceled)
	if now, most := waiting(); now != 0 || most != 2 {
		t.Errorf("%d wait, %d at most, want 0 and 2", now, most)
	}
	for _, c := range held {
		c.Release()
	}
	size.Store(0) // it no longer tells
	r.Snapshot()
	e := p.Wait(t.Context())
	if now, _ := waiting(); now != 1 {
		t.Errorf("%d wait, want the one whose acquire is in progress", now)
	}
	e.Fail(context.Canceled)
}

// Whoever waits with a context that nobody cancels costs nothing when the wait is
// over: no goroutine, with which the bubble would not end, and no timer.
func TestWait_ContextThatIsNeverCancelled(t *testing.T) {
	synctest.Test(t, waitContextThatIsNeverCancelled)
}

func waitContextThatIsNeverCancelled(t *testing.T) {
	told := make(chan Shortage, 1)
	r := NewRecorder(Config{LongWait: time.Millisecond, OnShortage: func(s Shortage) { told <- s }})
	p := r.Pool("main")
	w := p.Wait(context.Background())
	<-told
	w.Checkout().Release()
	time.Sleep(time.Millisecond) // and somebody looks, and finds nobody
	synctest.Wait()
	if p.shortage.watching.Load() {
		t.Error("still looking after the wait has ended")
	}
	for i := range r.shards {
		if r.shards[i].first != nil {
			t.Error("something is still on the list of those who wait or hold")
		}
	}
}
