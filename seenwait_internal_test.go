package pghold

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// emptied is a recorder with a pool of one connection, which is held, and a database/sql
// pool in which whoever takes one waits. Its function ends all.
func emptied(t *testing.T, all *sync.WaitGroup) (*Recorder, *sql.DB, func()) {
	r := NewRecorder(Config{})
	r.Pool("main").SetStat(func() PoolStat { return PoolStat{Max: 1, Waits: 100} })
	c := r.Pool("main").Checkout(WithRoute(t.Context(), "POST /import"))
	stop := make(never)
	db := sql.OpenDB(stop)
	db.SetMaxOpenConns(1)
	all.Go(func() { db.Conn(context.Background()) })
	synctest.Wait()
	return r, db, func() { close(stop); all.Wait(); db.Close(); c.Release() }
}

// A label that is given out again is not that of who waits in a goroutine that the request
// before has started.
func TestSeenWaiters_OfALabelGivenOutAgain(t *testing.T) {
	synctest.Test(t, seenWaitersOfALabelGivenOutAgain)
}

func seenWaitersOfALabelGivenOutAgain(t *testing.T) {
	var all sync.WaitGroup
	r, db, end := emptied(t, &all)
	ended := make(chan struct{})
	var first label
	Do(t.Context(), "GET /first", func(ctx context.Context) {
		first = scopeOf(ctx).label
		all.Go(func() { db.Conn(ctx) })
		all.Go(func() {
			<-ended
			Do(ctx, "job mail", func(ctx context.Context) { db.Conn(ctx) })
		})
	})
	stop := make(chan struct{})
	labels.next.Store(uint32(first) - 2)
	all.Go(func() {
		Do(t.Context(), "GET /second", func(ctx context.Context) {
			if l := scopeOf(ctx).label; l != first {
				t.Errorf("the second has the label %v, want the first's, %v", l, first)
			}
			<-stop
		})
	})
	synctest.Wait()
	close(ended)
	synctest.Wait()
	got := map[string]int{}
	for _, w := range r.SnapshotWithStacks().Waiters {
		got[w.Route] = w.Count
	}
	if len(got) != 2 || got[""] != 1 || got["job mail"] != 1 {
		t.Errorf("seen to wait are %v, want one of a job, and one of nobody known", got)
	}
	close(stop)
	end()
}

// Where profiles are rare, who waits is as it was in the last.
func TestSeenWaiters_AreAsOldAsTheProfile(t *testing.T) {
	synctest.Test(t, seenWaitersAreAsOldAsTheProfile)
}

func seenWaitersAreAsOldAsTheProfile(t *testing.T) {
	var all sync.WaitGroup
	r, db, end := emptied(t, &all)
	ctx, leave := context.WithCancel(t.Context())
	all.Go(func() { Do(ctx, "GET /", func(ctx context.Context) { db.Conn(ctx) }) })
	synctest.Wait()
	seen := time.Now()
	r.SnapshotWithStacks()
	r.stacks.mu.Lock()
	r.stacks.next = r.now() + 5*time.Second
	r.stacks.mu.Unlock()
	leave()
	time.Sleep(5*time.Second - time.Nanosecond)
	if w := r.SnapshotWithStacks().Waiters; len(w) != 1 || !w[0].Seen.Equal(seen) || w[0].Longest != 0 {
		t.Errorf("no other profile was taken, and seen to wait are %+v", w)
	}
	time.Sleep(time.Nanosecond)
	if w := r.SnapshotWithStacks().Waiters; len(w) != 0 {
		t.Errorf("it has left, and seen to wait are %+v", w)
	}
	end()
}

// What was seen a LongWait ago or more is not told as what is now.
func TestSeenWaiters_ALongWaitAgoAreNotNow(t *testing.T) {
	synctest.Test(t, seenWaitersALongWaitAgoAreNotNow)
}

func seenWaitersALongWaitAgoAreNotNow(t *testing.T) {
	var all sync.WaitGroup
	r, db, end := emptied(t, &all)
	ctx, leave := context.WithCancel(t.Context())
	all.Go(func() { Do(ctx, "GET /", func(ctx context.Context) { db.Conn(ctx) }) })
	synctest.Wait()
	r.SnapshotWithStacks()
	r.stacks.mu.Lock()
	r.stacks.next = r.now() + time.Hour
	r.stacks.mu.Unlock()
	leave()
	for _, c := range []struct {
		later time.Duration
		want  int
	}{{time.Second - time.Nanosecond, 1}, {time.Nanosecond, 0}, {time.Minute, 0}} {
		time.Sleep(c.later)
		var s Shortage
		r.Pool("main").infer(&s)
		snap := r.SnapshotWithStacks()
		if p := snap.Pools[0]; len(s.Waiters) != c.want || p.Waiting != c.want || p.MaxWaiting != 1 || len(snap.Waiters) != 1 {
			t.Errorf("%v later a shortage has the waiters %+v, the pool is %+v, and the snapshot has %+v; want %d who wait now, one at most, and the one of the last look", c.later, s.Waiters, p, snap.Waiters, c.want)
		}
	}
	end()
}

// A request that holds a connection of the pool itself is seen to wait as that.
func TestSeenWaiters_ThatHoldOneThemselves(t *testing.T) {
	synctest.Test(t, seenWaitersThatHoldOneThemselves)
}

func seenWaitersThatHoldOneThemselves(t *testing.T) {
	var all sync.WaitGroup
	r, db, end := emptied(t, &all)
	r.Pool("main").SetStat(func() PoolStat { return PoolStat{Max: 2, Waits: 100} })
	all.Go(func() {
		Do(t.Context(), "GET /twice", func(ctx context.Context) {
			defer r.Pool("main").Checkout(ctx).Release()
			db.Conn(ctx)
		})
	})
	all.Go(func() { Do(t.Context(), "GET /twice", func(ctx context.Context) { db.Conn(ctx) }) })
	time.Sleep(2 * time.Second)
	w := r.SnapshotWithStacks().Waiters
	if len(w) != 2 || w[0].Route != "GET /twice" || w[0].Count != 1 || !w[0].Itself || w[0].Own.Line == 0 || w[1].Count != 1 || w[1].Itself {
		t.Errorf("seen to wait are %+v, want the one that holds one itself, and the one that does not", w)
	}
	end()
}

// What was seen of one pool is not told of another that is emptied after it.
func TestSeenWaiters_OfThePoolBefore(t *testing.T) { synctest.Test(t, seenWaitersOfThePoolBefore) }

func seenWaitersOfThePoolBefore(t *testing.T) {
	var all sync.WaitGroup
	r, db, end := emptied(t, &all)
	all.Go(func() { Do(t.Context(), "GET /", func(ctx context.Context) { db.Conn(ctx) }) })
	synctest.Wait()
	if w := r.SnapshotWithStacks().Waiters; len(w) != 1 || w[0].Pool != "main" {
		t.Errorf("seen to wait are %+v, want one for a connection of main", w)
	}
	r.Pool("main").SetStat(func() PoolStat { return PoolStat{Max: 2} })
	later := r.Pool("later")
	later.SetStat(func() PoolStat { return PoolStat{Max: 1, Waits: 100} })
	defer later.Checkout(WithRoute(t.Context(), "GET /holder")).Release()
	if w := r.SnapshotWithStacks().Waiters; len(w) != 0 {
		t.Errorf("no other profile was taken, and seen to wait are %+v", w)
	}
	time.Sleep(minPause)
	if w := r.SnapshotWithStacks().Waiters; len(w) != 1 || w[0].Pool != "later" || w[0].Longest != 0 {
		t.Errorf("seen to wait are %+v, want one for a connection of the later pool, for the first time", w)
	}
	end()
}

// A job in a goroutine that a request has started, and that outlives it, is not taken for
// a later request.
func TestSeenWaiters_OfAJobThatGoesOn(t *testing.T) { synctest.Test(t, seenWaitersOfAJobThatGoesOn) }

func seenWaitersOfAJobThatGoesOn(t *testing.T) {
	var all sync.WaitGroup
	r, db, end := emptied(t, &all)
	Do(t.Context(), "GET /first", func(ctx context.Context) {
		all.Go(func() { Do(ctx, "job mail", func(ctx context.Context) { db.Conn(ctx) }) })
		synctest.Wait()
	})
	later := held(t.Context(), r, maxLabels) // have all labels that are there
	if w := r.SnapshotWithStacks().Waiters; len(w) != 1 || w[0].Route != "pghold.seenWaitersOfAJobThatGoesOn" || w[0].Count != 1 {
		t.Errorf("seen to wait are %+v, want the job, by the outermost function on its stack", w)
	}
	later()
	end()
	for i := range labels.taken {
		if taken := labels.taken[i].Load(); taken != 0 {
			t.Errorf("all have ended, and %b of the labels of part %d are taken", taken, i)
		}
	}
	for l := range owners {
		if owners[l].Load() != nil {
			t.Errorf("all have ended, and the label %d has an owner", l)
		}
	}
}

// Checkouts without a context are counted by the handler: of a request that waits in another
// one than before, in a middleware first, it is not known whether it has got one.
func TestLook_SinceInAnotherHandler(t *testing.T) {
	r := NewRecorder(Config{})
	s := newNamedScope(t.Context(), "GET /")
	for i, c := range []struct {
		handler string
		want    time.Duration
	}{{"app.auth", 1}, {"app.auth", 1}, {"app.list", 3}, {"app.list", 3}} {
		taken := time.Duration(i + 1)
		l := &look{recorder: r, pool: r.Pool("main"), last: taken - 1, now: map[string][]time.Duration{}}
		if got := l.since(c.handler, []request{{scope: s}}, taken)[0]; got != c.want {
			t.Errorf("look %d: it waits since %d, want %d", i+1, got, c.want)
		}
	}
}

// Checkouts of a pool that tells who waits are not counted by their handlers: nobody asks.
func TestUnscoped_OnlyOfPoolsThatCount(t *testing.T) {
	r := NewRecorder(Config{})
	tells, counts := r.Pool("tells"), r.Pool("counts")
	tells.Wait(t.Context()).Checkout().Release()
	tells.Checkout(t.Context()).Release()
	counts.Checkout(t.Context()).Release()
	if a, b := tells.unscoped.of(""), counts.unscoped.of(""); a != 0 || b != 1 {
		t.Errorf("of the pool that tells there are %d, and of the other %d; want 0 and 1", a, b)
	}
}
