// Package holdmetrics turns snapshots into the rows that promhold and otelhold
// export, so that both say the same.
//
// Its own work is to keep the rows few and their counts from going down. For that a
// Reader remembers what it has given out.
package holdmetrics

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pghold/pghold"
)

// Bounds are the upper bounds of the histograms: those that OpenTelemetry has for
// the duration of a statement, and three more, because a hold may last longer.
var Bounds = []time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	500 * time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
}

// NoRoute is the route of holds for which none was named.
const NoRoute = "(no route)"

const (
	maxSlowCalls  = 100 // names of slow calls that a pool has, beside pghold.Folded
	maxOpenRoutes = 100 // routes of a pool that are known by open holds only
)

// Rows are what there is to export, in the order of their names.
type Rows struct {
	Began, Taken time.Time
	FoldedHolds  int64
	Pools        []Pool
	Routes       []Route
	SlowCalls    []SlowCalls
	OpenHolds    []OpenHolds
}

// Pool is a pool as it is now, with its counts.
type Pool struct {
	Name          string
	Used, Pending int64
	Open, Max     int64 // 0 where the pool does not tell
	Timeouts      int64
	Waits         int64 // by the pool's own count; 0 where it does not tell
	WaitTime      time.Duration
	Held, Wait    pghold.Sketch // of the finished holds
}

// Idle is how many connections are open and not held.
func (p *Pool) Idle() int64 { return max(0, p.Open-p.Used) }

// Route sums up the finished holds of a pool and route.
type Route struct {
	Pool, Route                       string
	Holds, Panics                     int64
	Busy, Silent, SilentInTransaction time.Duration
}

// SlowCalls sums up the slow calls of one name in the finished holds of a pool and
// route.
type SlowCalls struct {
	Pool, Route, What string
	Count             int64
	Duration          time.Duration
}

// OpenHolds are the holds of a pool and route that are open now.
type OpenHolds struct {
	Pool, Route string
	Count       int64
	Oldest      time.Duration
	// LongestSilentInTransaction is how long that one of them was silent in a
	// transaction which was longest.
	LongestSilentInTransaction time.Duration
}

// key names a row. What a kind of row does not have is "".
type key struct{ pool, route, what string }

// Reader makes rows. It is safe for concurrent use.
type Reader struct {
	snapshot func() *pghold.Snapshot

	mu         sync.Mutex // and whoever holds it takes the snapshot, so that none is older than the last
	slowNames  map[string]*few
	openRoutes map[string]*few
	slowCalls  map[key]*SlowCalls // as exported
	waits      map[string]*waits
}

// NewReader makes a reader of the snapshots that the function takes.
func NewReader(snapshot func() *pghold.Snapshot) *Reader {
	return &Reader{
		snapshot: snapshot, slowNames: map[string]*few{}, openRoutes: map[string]*few{},
		slowCalls: map[key]*SlowCalls{}, waits: map[string]*waits{},
	}
}

// Read takes a snapshot and makes its rows.
func (r *Reader) Read() Rows {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.snapshot()
	pools, routes := r.poolRows(s), routeRows(s)
	return Rows{
		Began: s.Began, Taken: s.Taken, FoldedHolds: int64(s.FoldedHolds), Pools: sorted(pools), Routes: sorted(routes),
		SlowCalls: r.slowCallRows(s), OpenHolds: r.openRows(s, routes),
	}
}

// poolRows sums up what is one pool after its name was cleaned.
func (r *Reader) poolRows(s *pghold.Snapshot) map[key]*Pool {
	rows := map[key]*Pool{}
	for _, p := range s.Pools {
		k := key{pool: clean(p.Name)}
		row, own := at(rows, k), at(r.waits, p.Name)
		row.Name = k.pool
		row.Used += int64(p.Used())
		row.Pending += int64(p.Waiting)
		row.Open += int64(p.Open)
		row.Max += int64(p.Max)
		row.Timeouts += int64(p.Timeouts)
		row.Waits += own.count.at(int64(p.Waits))
		row.WaitTime += time.Duration(own.time.at(int64(p.WaitTime)))
	}
	for _, series := range s.Series {
		k := key{pool: clean(series.Pool)}
		row := at(rows, k)
		row.Name = k.pool
		row.Held.Merge(&series.Held)
		row.Wait.Merge(&series.Wait)
	}
	return rows
}

// routeRows sums up the call sites of a route.
func routeRows(s *pghold.Snapshot) map[key]*Route {
	rows := map[key]*Route{}
	for _, series := range s.Series {
		k := routeKey(series.Pool, series.Route)
		row := at(rows, k)
		row.Pool, row.Route = k.pool, k.route
		row.Holds += int64(series.Held.Count())
		row.Panics += int64(series.Panics)
		row.Busy += series.Busy
		row.Silent += series.Silent.Sum()
		row.SilentInTransaction += series.SilentInTransaction
	}
	return rows
}

// slowCallRows sums up the slow calls by name.
//
// A snapshot may fold a name that an earlier one had told apart. So a row keeps what
// it had, and what a route has more than before goes to the names that have grown;
// what is left of it to pghold.Folded. No row goes down, and together they are what
// the snapshot has.
func (r *Reader) slowCallRows(s *pghold.Snapshot) []SlowCalls {
	now, more := map[key]*SlowCalls{}, map[key]*SlowCalls{}
	for _, series := range s.Series {
		k := routeKey(series.Pool, series.Route)
		for _, calls := range series.SlowCalls {
			name := at(r.slowNames, k.pool).keep(clean(calls.What), maxSlowCalls)
			row, route := at(now, key{k.pool, k.route, name}), at(more, k)
			row.Count += int64(calls.Count)
			row.Duration += calls.Duration
			route.Count += int64(calls.Count)
			route.Duration += calls.Duration
		}
	}
	for k, row := range r.slowCalls {
		route := at(more, key{pool: k.pool, route: k.route})
		route.Count -= row.Count
		route.Duration -= row.Duration
	}
	give := func(k key, count int64, duration time.Duration) {
		route := at(more, key{pool: k.pool, route: k.route})
		count = min(max(0, count), max(0, route.Count))
		duration = min(max(0, duration), max(0, route.Duration))
		if count == 0 && duration == 0 {
			return
		}
		row := at(r.slowCalls, k)
		row.Pool, row.Route, row.What = k.pool, k.route, k.what
		row.Count += count
		row.Duration += duration
		route.Count -= count
		route.Duration -= duration
	}
	for _, k := range keys(now) {
		if k.what != pghold.Folded {
			had := SlowCalls{}
			if row := r.slowCalls[k]; row != nil {
				had = *row
			}
			give(k, now[k].Count-had.Count, now[k].Duration-had.Duration)
		}
	}
	for k, left := range more {
		give(key{k.pool, k.route, pghold.Folded}, left.Count, left.Duration)
	}
	return sorted(r.slowCalls)
}

// openRows sums up the holds that are open. Their routes are those of finished
// holds, which are bounded already, and a few others.
func (r *Reader) openRows(s *pghold.Snapshot, finished map[key]*Route) []OpenHolds {
	for k := range finished {
		at(r.openRoutes, k.pool).forget(k.route)
	}
	rows := map[key]*OpenHolds{}
	for _, h := range s.Open {
		k := routeKey(h.Pool, h.Route)
		if finished[k] == nil {
			k.route = at(r.openRoutes, k.pool).keep(k.route, maxOpenRoutes)
		}
		row := at(rows, k)
		row.Pool, row.Route = k.pool, k.route
		row.Count++
		row.Oldest = max(row.Oldest, h.Held)
		row.LongestSilentInTransaction = max(row.LongestSilentInTransaction, h.SilentInTransaction)
	}
	return sorted(rows)
}

// few are the names that were first; all others are folded.
type few struct{ names map[string]bool }

func (f *few) keep(name string, most int) string {
	switch {
	case name == pghold.Folded || f.names[name]:
		return name
	case len(f.names) >= most:
		return pghold.Folded
	case f.names == nil:
		f.names = map[string]bool{}
	}
	f.names[name] = true
	return name
}

func (f *few) forget(name string) { delete(f.names, name) }

// waits are a pool's own counts, which begin again where another pool takes its
// name.
type waits struct{ count, time total }

type total struct{ before, last int64 }

// at returns the total now that the pool's count is n; 0 is that it does not tell.
func (t *total) at(n int64) int64 {
	if n > 0 {
		if n < t.last {
			t.before += t.last
		}
		t.last = n
	}
	return t.before + t.last
}

func routeKey(pool, route string) key {
	if route == "" {
		route = NoRoute
	}
	return key{pool: clean(pool), route: clean(route)}
}

// clean makes a name that any exporter takes. It comes before the summing up, since
// two names may become one.
func clean(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }

// at returns the value of a key, a new one where there is none.
func at[K comparable, V any](m map[K]*V, k K) *V {
	if m[k] == nil {
		m[k] = new(V)
	}
	return m[k]
}

func keys[V any](m map[key]*V) []key {
	return slices.SortedFunc(maps.Keys(m), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.pool, b.pool), cmp.Compare(a.route, b.route), cmp.Compare(a.what, b.what))
	})
}

func sorted[V any](m map[key]*V) []V {
	var rows []V
	for _, k := range keys(m) {
		rows = append(rows, *m[k])
	}
	return rows
}
