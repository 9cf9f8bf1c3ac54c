package pghold_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold"
)

// queue is database/sql's, of a pool of which all connections are held: who takes one waits.
// It counts the waits as a pool of that size that a recorder knows.
type queue struct {
	db   *sql.DB
	pool *pghold.Pool
	all  sync.WaitGroup
}

// queueFor has all connections of the recorder's pool held by a route. It is called in a
// bubble, and all ends with the test.
func queueFor(t *testing.T, r *pghold.Recorder, name string, size int) *queue {
	t.Helper()
	stop := make(chan struct{})
	q := &queue{db: sql.OpenDB(noConnections(stop)), pool: r.Pool(name)}
	q.db.SetMaxOpenConns(1)
	q.pool.SetStat(func() pghold.PoolStat {
		return pghold.PoolStat{Open: size, Max: size, Waits: uint64(q.db.Stats().WaitCount)}
	})
	q.all.Go(func() { q.db.Conn(context.Background()) }) // has the only place
	for range size {
		q.all.Go(func() {
			pghold.Do(t.Context(), "POST /import", func(ctx context.Context) {
				defer q.pool.Checkout(ctx).Release()
				<-stop
			})
		})
	}
	t.Cleanup(func() {
		close(stop)
		q.all.Wait()
		q.db.Close()
	})
	synctest.Wait()
	return q
}

// wait is a request of a route that waits.
func (q *queue) wait(ctx context.Context, route string) {
	q.all.Go(func() { pghold.Do(ctx, route, q.take) })
	synctest.Wait()
}

//go:noinline
func (q *queue) take(ctx context.Context) { q.db.Conn(ctx) }

// seen are the waiters of a snapshot, in the page's order, as "2 of GET /".
func seen(s *pghold.Snapshot) (all []string) {
	for _, w := range s.Waiters {
		text := fmt.Sprintf("%d of %s", w.Count, w.Route)
		if w.At != (pghold.Site{}) {
			text += "at " + w.At.Func[strings.LastIndexByte(w.At.Func, '/')+1:]
		}
		if w.Longest > 0 {
			text += " for " + w.Longest.String()
		}
		all = append(all, text)
	}
	return all
}

func wantSeen(t *testing.T, s *pghold.Snapshot, want ...string) {
	t.Helper()
	if got := seen(s); !reflect.DeepEqual(got, want) {
		t.Errorf("seen to wait are %q, want %q", got, want)
	}
}

// Of a pool that does not say who waits, those who were seen to wait are told by their
// routes, and for how long they were seen.
func TestSeenWaiters(t *testing.T) { synctest.Test(t, seenWaiters) }

func seenWaiters(t *testing.T) {
	told := make(chan pghold.Shortage, 100)
	r := pghold.NewRecorder(pghold.Config{OnShortage: func(s pghold.Shortage) { told <- s }, LongWait: time.Hour})
	q := queueFor(t, r, "main", 2)
	for range 3 {
		q.wait(t.Context(), "GET /orders")
	}
	for range 2 {
		q.wait(t.Context(), "GET /users")
	}
	if w := r.Snapshot().Waiters; len(w) > 0 {
		t.Errorf("Snapshot has taken a profile, and has %+v", w)
	}
	first := r.SnapshotWithStacks()
	wantSeen(t, first, "3 of GET /orders", "2 of GET /users")
	if w := first.Waiters[0]; !w.Seen.Equal(time.Now()) || w.Pool != "main" || w.Itself {
		t.Errorf("the first are %+v, want those of now", w)
	}
	if p := first.Pools[0]; p.Waiting != 5 || p.MaxWaiting != 5 {
		t.Errorf("the pool is %+v, want 5 who are seen to wait, and no more before", p)
	}
	b, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	wantSeen(t, again, "3 of GET /orders", "2 of GET /users")
	time.Sleep(3 * time.Second)
	q.wait(t.Context(), "GET /late")
	second := r.SnapshotWithStacks()
	wantSeen(t, second, "3 of GET /orders for 3s", "2 of GET /users for 3s", "1 of GET /late")
	second.Merge(again)
	wantSeen(t, second, "6 of GET /orders for 3s", "4 of GET /users for 3s", "1 of GET /late")
	if w := second.Waiters[0]; !w.Seen.Equal(first.Waiters[0].Seen) {
		t.Errorf("of two looks the older one counts, and got %+v", w)
	}

	time.Sleep(3 * time.Hour)
	s := <-told
	if len(s.Waiters) != 3 || s.Waiters[0].Route != "GET /orders" {
		t.Errorf("told of the waiters %+v", s.Waiters)
	}
	var log bytes.Buffer
	pghold.LogShortage(slog.New(slog.NewTextHandler(&log, nil)))(s)
	if want := `seen_waiting="3 of GET /orders; 2 of GET /users; 1 of GET /late"`; !strings.Contains(log.String(), want) {
		t.Errorf("the log is %s, want %s in it", &log, want)
	}
}

// How long a request waits begins anew when it has got a connection, or may have: where one
// was taken without a context nobody knows by whom, but in which handler, if in any.
func TestSeenWaiters_LongestIsSinceTheLastConnection(t *testing.T) {
	for name, get := range map[string]func(*pghold.Pool, context.Context){
		"got none": func(*pghold.Pool, context.Context) {},
		"it":       func(p *pghold.Pool, ctx context.Context) { p.Checkout(ctx).Release() },
		"another":  func(p *pghold.Pool, _ context.Context) { p.Checkout(pghold.WithRoute(t.Context(), "/")).Release() },
		"somebody of its handler": func(p *pghold.Pool, _ context.Context) {
			pghold.Do(t.Context(), "GET /", (&handler{pool: p}).serve)
		},
		"somebody of another handler": func(p *pghold.Pool, _ context.Context) {
			pghold.Do(t.Context(), "GET /", (&handler{pool: p}).other)
		},
		"a goroutine of a handler": func(p *pghold.Pool, _ context.Context) {
			var all sync.WaitGroup
			defer all.Wait()
			pghold.Do(t.Context(), "GET /", func(context.Context) { all.Go(func() { (&handler{pool: p}).serve(context.Background()) }) })
		},
		"nobody": func(p *pghold.Pool, _ context.Context) { p.Checkout(context.Background()).Release() },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Hour})
			q := queueFor(t, r, "main", 1) // nobody else looks
			request := &handler{queue: q}
			q.all.Go(func() { pghold.Do(t.Context(), "GET /", request.serve) })
			synctest.Wait()
			wantSeen(t, r.SnapshotWithStacks(), "1 of GET /")
			time.Sleep(time.Second)
			get(q.pool, request.asked)
			time.Sleep(time.Second)
			want := "1 of GET /"
			if name != "it" && name != "somebody of its handler" {
				want += " for 2s"
			}
			if got := seen(r.SnapshotWithStacks()); len(got) != 1 || got[0] != want {
				t.Errorf("%s: seen to wait are %q, want %q", name, got, want)
			}
		})
	}
}

// handler waits in a queue or, where it has none, takes a connection of a pool, with no
// context.
type handler struct {
	queue *queue
	pool  *pghold.Pool
	asked context.Context
}

//go:noinline
func (h *handler) serve(ctx context.Context) {
	h.asked = ctx
	if h.queue != nil {
		h.queue.db.Conn(ctx)
		return
	}
	h.pool.Checkout(context.Background()).Release()
}

//go:noinline
func (h *handler) other(context.Context) { h.pool.Checkout(context.Background()).Release() }

// Of connections without a context it is known in which handler they were taken: as few
// requests as can be begin to wait anew, and of these it may be any.
func TestSeenWaiters_LongestBesideOneThatIsServed(t *testing.T) {
	for name, c := range map[string]struct {
		from   int  // wait from the beginning
		served int  // of these, at once, after 1 s
		again  bool // they wait for another then
		late   int  // begin to wait after 0.5 s
		lateOn bool // and these are served
		want   string
	}{
		"nobody":                          {3, 0, false, 0, false, "3 of GET / for 2s"},
		"one":                             {3, 1, false, 0, false, "2 of GET / for 2s"},
		"two":                             {3, 2, false, 0, false, "1 of GET / for 2s"},
		"one, who waits again":            {3, 1, true, 0, false, "3 of GET / for 2s"},
		"all, who wait again":             {3, 3, true, 0, false, "3 of GET /"},
		"all but those since then":        {3, 3, false, 1, false, "1 of GET / for 1.5s"},
		"one of those since then":         {3, 0, false, 1, true, "3 of GET / for 2s"},
		"all, and one since then":         {3, 3, true, 1, true, "4 of GET /"},
		"one since then, who waits again": {1, 0, true, 1, true, "2 of GET / for 1.5s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Hour}) // nobody else looks
			q := queueFor(t, r, "main", 2)
			q.pool.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 2, Waits: 100} })
			begin := func(served, again bool, after time.Duration) {
				ctx, serve := context.WithTimeout(context.Background(), after)
				t.Cleanup(serve)
				if !served {
					ctx = context.Background()
				}
				q.all.Go(func() { pghold.Do(t.Context(), "GET /", (&contextless{q, ctx, again}).serve) })
			}
			for i := range c.from {
				begin(i < c.served, c.again, time.Second)
			}
			synctest.Wait()
			r.SnapshotWithStacks()
			time.Sleep(500 * time.Millisecond)
			for range c.late {
				begin(c.lateOn, c.again, 500*time.Millisecond)
			}
			synctest.Wait()
			r.SnapshotWithStacks()
			time.Sleep(1500 * time.Millisecond)
			if got := seen(r.SnapshotWithStacks()); len(got) != 1 || got[0] != c.want {
				t.Errorf("%s: seen to wait are %q, want %q", name, got, c.want)
			}
		})
	}
}

// contextless is a handler that takes connections without a context, and waits for the first
// until it is served.
type contextless struct {
	queue  *queue
	served context.Context
	again  bool
}

//go:noinline
func (c *contextless) serve(ctx context.Context) {
	c.queue.db.Conn(c.served)
	if c.served.Err() == nil {
		return
	}
	defer c.queue.pool.Checkout(context.Background()).Release()
	if c.again {
		c.queue.db.Conn(context.Background())
		return
	}
	<-ctx.Done()
}

// A connection that is handed over is for a moment nobody's. Who has got none has waited
// since before, and who did not wait at that moment has not.
func TestSeenWaiters_LongestIsKeptByAHandover(t *testing.T) {
	synctest.Test(t, seenWaitersLongestIsKeptByAHandover)
}

func seenWaitersLongestIsKeptByAHandover(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	q := queueFor(t, r, "main", 2)
	q.pool.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 3, Waits: 100} })
	others := pghold.WithRoute(t.Context(), "GET /served")
	c := q.pool.Checkout(others)
	q.wait(t.Context(), "GET /waits")
	q.all.Go(func() {
		pghold.Do(t.Context(), "GET /pauses", func(ctx context.Context) {
			short, cancel := context.WithTimeout(ctx, 4100*time.Millisecond)
			defer cancel()
			q.take(short)
			time.Sleep(300 * time.Millisecond)
			q.take(ctx)
		})
	})
	synctest.Wait()
	wantSeen(t, r.SnapshotWithStacks(), "1 of GET /pauses", "1 of GET /waits")
	time.Sleep(4200 * time.Millisecond)
	c.Release()
	wantSeen(t, r.SnapshotWithStacks())
	defer q.pool.Checkout(others).Release()
	time.Sleep(700 * time.Millisecond)
	wantSeen(t, r.SnapshotWithStacks(), "1 of GET /waits for 4.9s", "1 of GET /pauses")
}

// Beside 128 requests that have labels of their own, who waits is told by the handler on
// the stack, and in goroutines that a handler has started, and outside of all, by the line.
func TestSeenWaiters_WithoutALabelOfTheirOwn(t *testing.T) {
	synctest.Test(t, seenWaitersWithoutALabelOfTheirOwn)
}

func seenWaitersWithoutALabelOfTheirOwn(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	q := queueFor(t, r, "main", 2) // and two labels
	for range 126 {
		q.wait(t.Context(), "GET /orders")
	}
	for range 9 {
		q.wait(t.Context(), "GET /orders")
	}
	q.all.Go(func() { q.take(t.Context()) })
	q.all.Go(func() {
		pghold.Do(t.Context(), "GET /", func(ctx context.Context) {
			q.all.Go(func() { q.take(ctx) })
		})
	})
	synctest.Wait()
	wantSeen(t, r.SnapshotWithStacks(), "126 of GET /orders", "9 of pghold_test.(*queue).take", "2 of at pghold_test.(*queue).take")
}

// A route is told as it was last, and nobody is asked for it who does not take a connection.
func TestSeenWaiters_RoutesAreAsTheyWereTold(t *testing.T) {
	synctest.Test(t, seenWaitersRoutesAreAsTheyWereTold)
}

func seenWaitersRoutesAreAsTheyWereTold(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	q := queueFor(t, r, "main", 2)
	other := r.Pool("other")
	asked := func(allowed int, route string) func() string {
		return func() string {
			if allowed--; allowed < 0 {
				t.Errorf("it is asked for %s", route)
			}
			return route
		}
	}
	for name, f := range map[string]func(context.Context){
		"not yet":       q.take,
		"GET /told":     func(ctx context.Context) { other.Checkout(ctx).Release(); q.take(ctx) },
		"(no pattern)":  func(ctx context.Context) { other.Checkout(ctx).Release(); q.take(ctx) },
		"GET /replaced": func(ctx context.Context) { pghold.SetRoute(ctx, "GET /set"); q.take(ctx) },
		"GET /around": func(ctx context.Context) {
			other.Checkout(ctx).Release()
			pghold.Do(ctx, "a part", q.take)
		},
		"GET /named": func(ctx context.Context) {
			other.Checkout(ctx).Release()
			q.take(pghold.WithRoute(ctx, "a part"))
		},
	} {
		q.all.Go(func() {
			pghold.DoFunc(t.Context(), asked(strings.Count("GET /told, (no pattern), GET /around, GET /named", name), name), f)
		})
	}
	synctest.Wait()
	const test = "pghold_test.seenWaitersRoutesAreAsTheyWereTold"
	wantSeen(t, r.SnapshotWithStacks(), "2 of pghold_test.(*queue).take", "2 of "+test, "1 of GET /set", "1 of GET /told")
}

// Where two pools that do not say who waits have no connection left, or had none when it was
// looked, nobody is said to wait for one of them; nor where more wait than ever did in the
// pool, or where it has a connection.
func TestSeenWaiters_OfNoOtherPool(t *testing.T) { synctest.Test(t, seenWaitersOfNoOtherPool) }

func seenWaitersOfNoOtherPool(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Hour}) // nobody else looks
	q := queueFor(t, r, "main", 2)
	q.wait(t.Context(), "GET /orders")
	wantSeen(t, r.SnapshotWithStacks(), "1 of GET /orders")
	r.Pool("other").SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 1, Waits: 7} })
	time.Sleep(time.Second)
	wantSeen(t, r.SnapshotWithStacks(), "1 of GET /orders for 1s")
	c := r.Pool("other").Checkout(t.Context())
	time.Sleep(time.Second)
	wantSeen(t, r.SnapshotWithStacks())
	c.Release()
	time.Sleep(time.Second)
	wantSeen(t, r.SnapshotWithStacks(), "1 of GET /orders for 3s")

	queueFor(t, pghold.NewRecorder(pghold.Config{}), "unknown", 1).wait(t.Context(), "GET /elsewhere")
	time.Sleep(time.Second)
	wantSeen(t, r.SnapshotWithStacks())

	r.Pool("main").SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 3, Waits: 7} })
	time.Sleep(time.Second)
	wantSeen(t, r.SnapshotWithStacks())
	r.Pool("main").SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 2, Waits: 7} })
	time.Sleep(time.Second)
	if n := len(r.SnapshotWithStacks().Waiters); n != 2 {
		t.Errorf("the pool has none left, and %d routes are seen to wait", n)
	}
}

// Who waits for a pool that says so is not looked for: it is told as it says, whoever is
// seen in database/sql.
func TestSeenWaiters_BesideAPoolThatSays(t *testing.T) {
	synctest.Test(t, seenWaitersBesideAPoolThatSays)
}

func seenWaitersBesideAPoolThatSays(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	q := queueFor(t, r, "main", 2)
	q.wait(t.Context(), "GET /orders")
	q.wait(t.Context(), "GET /orders")
	exact := r.Pool("exact")
	exact.SetStat(func() pghold.PoolStat { return pghold.PoolStat{Max: 1, Waits: 7} })
	defer exact.Wait(t.Context()).Checkout().Release()
	w := exact.Wait(pghold.WithRoute(t.Context(), "GET /exact"))
	defer w.Fail(context.Canceled)
	time.Sleep(time.Second)
	s := r.SnapshotWithStacks()
	wantSeen(t, s, "2 of GET /orders", "1 of GET /exact for 1s")
	if w := s.Waiters; w[0].Seen.IsZero() || !w[1].Seen.IsZero() {
		t.Errorf("the waiters are %+v, want the first only to be seen", w)
	}
}

// Who did something else in between waits since it was seen to again.
func TestSeenWaiters_LongestIsWithoutAPause(t *testing.T) {
	synctest.Test(t, seenWaitersLongestIsWithoutAPause)
}

func seenWaitersLongestIsWithoutAPause(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Hour}) // nobody else looks
	q := queueFor(t, r, "main", 1)
	q.all.Go(func() {
		pghold.Do(t.Context(), "GET /", func(ctx context.Context) {
			short, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
			defer cancel()
			q.take(short)
			time.Sleep(time.Second)
			q.take(ctx)
		})
	})
	synctest.Wait()
	for _, want := range [][]string{{"1 of GET /"}, {"1 of GET / for 1s"}, nil, {"1 of GET /"}, {"1 of GET / for 1s"}} {
		wantSeen(t, r.SnapshotWithStacks(), want...)
		time.Sleep(time.Second)
	}
}

// Who waits without a route is told by the line, of each function apart: in JSON, in the log,
// and of two processes together.
func TestSeenWaiters_WithoutARoute(t *testing.T) { synctest.Test(t, seenWaitersWithoutARoute) }

func seenWaitersWithoutARoute(t *testing.T) {
	told := make(chan pghold.Shortage, 100)
	r := pghold.NewRecorder(pghold.Config{OnShortage: func(s pghold.Shortage) { told <- s }})
	q := queueFor(t, r, "main", 2)
	for range 2 {
		q.all.Go(func() { q.take(context.Background()) })
	}
	q.all.Go(func() { (&handler{queue: q}).serve(context.Background()) })
	synctest.Wait()
	s := r.SnapshotWithStacks()
	want := []string{"2 of at pghold_test.(*queue).take", "1 of at pghold_test.(*handler).serve"}
	wantSeen(t, s, want...)
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	wantSeen(t, again, want...)
	s.Merge(again)
	wantSeen(t, s, "4 of at pghold_test.(*queue).take", "2 of at pghold_test.(*handler).serve")

	var log bytes.Buffer
	time.Sleep(3 * time.Second)
	pghold.LogShortage(slog.New(slog.NewTextHandler(&log, nil)))(<-told)
	if want := fmt.Sprintf(`seen_waiting="2 of no route, %s; 1 of no route, %s"`, again.Waiters[0].At, again.Waiters[1].At); !strings.Contains(log.String(), want) {
		t.Errorf("the log is %s, want %s in it", &log, want)
	}
}

// The most who were ever seen to wait are kept, and are no more than the pool has counted.
func TestSeenWaiters_TheMost(t *testing.T) { synctest.Test(t, seenWaitersTheMost) }

func seenWaitersTheMost(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{StuckAfter: time.Hour}) // nobody else looks
	q := queueFor(t, r, "main", 2)
	ctx, leave := context.WithCancel(t.Context())
	for range 3 {
		q.wait(ctx, "GET /leaves")
	}
	q.wait(t.Context(), "GET /stays")
	r.SnapshotWithStacks()
	leave()
	time.Sleep(time.Second)
	if p := r.SnapshotWithStacks().Pools[0]; p.Waiting != 1 || p.MaxWaiting != 4 {
		t.Errorf("the pool is %+v, want one who waits, and four at most", p)
	}
	elsewhere := queueFor(t, pghold.NewRecorder(pghold.Config{}), "unknown", 1)
	for range 9 {
		elsewhere.wait(t.Context(), "GET /elsewhere")
	}
	time.Sleep(time.Second)
	if p := r.SnapshotWithStacks().Pools[0]; p.MaxWaiting != int(p.Waits) {
		t.Errorf("the pool is %+v, want no more who wait than it has counted", p)
	}
}

// Snapshots of two processes, one of which knows who waits, are told apart.
func TestSnapshot_MergeOfSeenWaiters(t *testing.T) {
	seen := pghold.Waiter{Pool: "main", Route: "GET /", Count: 1, Seen: time.Now()}
	exact := pghold.Waiter{Pool: "main", Route: "GET /", Count: 2}
	s := &pghold.Snapshot{Waiters: []pghold.Waiter{seen}}
	s.Merge(&pghold.Snapshot{Waiters: []pghold.Waiter{exact}})
	if want := []pghold.Waiter{exact, seen}; !reflect.DeepEqual(s.Waiters, want) {
		t.Errorf("got %+v, want %+v", s.Waiters, want)
	}
}
