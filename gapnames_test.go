package pghold_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

//go:noinline
func redisGet(d time.Duration) { time.Sleep(d) }

//go:noinline
func render(d time.Duration) { time.Sleep(d) }

// A gap that nobody has told of gets the name of the place where its goroutine was seen.
func TestGaps_HaveNames(t *testing.T) { synctest.Test(t, gapsHaveNames) }

func gapsHaveNames(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	p := r.Pool("main")
	request := func(in func(time.Duration), d time.Duration) {
		pghold.Do(t.Context(), "GET /cart", func(ctx context.Context) {
			c := p.Checkout(ctx)
			defer c.Release()
			c.BeginStatement()
			c.EndStatement(false)
			in(d)
		})
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { request(redisGet, 1900*time.Millisecond) })
		all.Go(func() { request(redisGet, 400*time.Millisecond) }) // too short to be looked at
	}
	for range 5 {
		all.Go(func() { request(render, 2900*time.Millisecond) })
	}
	all.Wait()
	s := r.Snapshot()
	if len(s.Series) != 1 || len(s.Series[0].Gaps) != 1 {
		t.Fatalf("there are %d series", len(s.Series))
	}
	g := s.Series[0].Gaps[0]
	where, share := g.Mostly()
	if !strings.HasPrefix(where, "time.Sleep ← gapnames_test.go:") || share < 0.6 || share > 0.8 {
		t.Errorf("it was mostly in %s (%.2f), of %+v", where, share, g.Seen)
	}
	if len(g.Seen) != 2 || g.Seen[0].Samples != 20 || g.Seen[1].Samples != 5*2 {
		t.Errorf("the samples are %+v, want one of each gap of 1.9 s (after 1), 2 of each of 2.9 s (and after 2)", g.Seen)
	}
	if worst := s.Series[0].Worst.LongestGap; worst.Duration != 2900*time.Millisecond || worst.Mostly != g.Seen[1].Where {
		t.Errorf("the longest gap is %+v, want that in render", worst)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Series[0].Gaps[0].Seen, g.Seen) || again.Series[0].Worst.LongestGap.Mostly == "" {
		t.Errorf("read again it is %+v", again.Series[0].Gaps[0])
	}
	again.Merge(s)
	if sum := again.Series[0].Gaps[0]; sum.Seen[0].Samples != 2*g.Seen[0].Samples || sum.Seen[1].Samples != 2*g.Seen[1].Samples {
		t.Errorf("merged, the samples are %+v", sum.Seen)
	}
}

// Samples are those of the gap in which they were taken, and none of a statement.
func TestGaps_HaveTheirOwnNames(t *testing.T) { synctest.Test(t, gapsHaveTheirOwnNames) }

func gapsHaveTheirOwnNames(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	pghold.Do(t.Context(), "job", func(ctx context.Context) {
		c := r.Pool("main").Checkout(ctx)
		redisGet(1900 * time.Millisecond)
		c.BeginStatement()
		time.Sleep(5 * time.Second)
		c.EndStatement(false)
		render(time.Minute)
		c.BeginStatement()
		c.EndStatement(false)
		h, _ := c.Describe()
		if h.LongestGap.Mostly == "" {
			t.Error("the longest gap of an open hold has no name")
		}
		c.Release()
	})
	gaps := r.Snapshot().Series[0].Gaps
	if len(gaps) != 2 || len(gaps[0].Seen) != 1 || len(gaps[1].Seen) != 1 || gaps[0].Seen[0].Where == gaps[1].Seen[0].Where {
		t.Fatalf("the gaps are %+v, want two, in two places", gaps)
	}
	// After about 1, 3, 7, 15 and 31 s: the longer it lasts, the less it is looked at.
	if gaps[0].Seen[0].Samples != 5 || gaps[1].Seen[0].Samples != 1 {
		t.Errorf("the samples are %+v and %+v, want 5 of one minute and 1 of 1.9 s", gaps[0].Seen, gaps[1].Seen)
	}
}

// While nobody has a connection, no timer runs; and one starts again.
func TestGaps_AfterAPause(t *testing.T) { synctest.Test(t, gapsAfterAPause) }

func gapsAfterAPause(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	for range 3 {
		pghold.Do(t.Context(), "job", func(ctx context.Context) {
			defer r.Pool("main").Checkout(ctx).Release()
			redisGet(1900 * time.Millisecond)
		})
		time.Sleep(time.Hour)
	}
	if g := r.Snapshot().Series[0].Gaps; len(g) != 1 || len(g[0].Seen) != 1 || g[0].Seen[0].Samples != 3 {
		t.Errorf("the gaps are %+v, want a sample of each", g)
	}
}

// A hold that never ends is looked at for an hour, and then keeps no timer: time stands
// still in a test that waits for ever, and its deadlock is seen.
func TestGaps_OfAHoldThatNeverEnds(t *testing.T) { synctest.Test(t, gapsOfAHoldThatNeverEnds) }

func gapsOfAHoldThatNeverEnds(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		pghold.Do(t.Context(), "job", func(ctx context.Context) {
			defer r.Pool("main").Checkout(ctx).Release()
			<-stop
		})
	})
	time.Sleep(48 * time.Hour)
	again := r.Pool("main").Checkout(t.Context()) // for which a timer starts again
	time.Sleep(1900 * time.Millisecond)
	again.Release()
	close(stop)
	all.Wait()
	s := r.Snapshot().Series
	if samples := s[0].Gaps[0].Seen; len(samples) != 1 || samples[0].Samples != 13 {
		t.Errorf("of two days the samples are %+v, want those after 1 s, 2 s … 34 min, and one more with another hold's", samples)
	}
	if samples := s[1].Gaps[0].Seen; len(samples) != 1 || samples[0].Samples != 1 {
		t.Errorf("of the other the samples are %+v", samples)
	}
}
