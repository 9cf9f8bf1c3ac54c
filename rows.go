package pghold

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	noRoute       = "(no route)" // the route of holds for which none was named
	maxSlowNames  = 100          // names of slow calls that a pool has, beside Folded
	maxOpenRoutes = 100          // routes of a pool that are known by open holds only
)

// metricRows are what there is to export, in the order of their names.
type metricRows struct {
	Began, Taken time.Time
	FoldedHolds  int64
	Pools        []poolRow
	Routes       []routeRow
	SlowCalls    []slowCallsRow
	OpenHolds    []openHoldsRow
}

// poolRow is a pool as it is now, with its counts.
type poolRow struct {
	Name          string
	Used, Pending int64
	Open, Max     int64 // 0 where the pool does not tell
	Timeouts      int64
	Waits         int64 // by the pool's own count; 0 where it does not tell
	WaitTime      time.Duration
	Held, Wait    Sketch // of the finished holds
}

// Idle is how many connections are open and not held.
func (p *poolRow) Idle() int64 { return max(0, p.Open-p.Used) }

// routeRow sums up the finished holds of a pool and route.
type routeRow struct {
	Pool, Route                       string
	Holds, Panics                     int64
	Busy, Silent, SilentInTransaction time.Duration
}

// slowCallsRow sums up the slow calls of one name in the finished holds of a pool and
// route.
type slowCallsRow struct {
	Pool, Route, What string
	Count             int64
	Duration          time.Duration
}

// openHoldsRow are the holds of a pool and route that are open now.
type openHoldsRow struct {
	Pool, Route string
	Count       int64
	Oldest      time.Duration
	// LongestSilentInTransaction is how long that one of them was silent in a
	// transaction which was longest.
	LongestSilentInTransaction time.Duration
}

// rowKey names a row. What a kind of row does not have is "".
type rowKey struct{ pool, route, what string }

// rows takes a snapshot and makes its rows.
func (r *MetricReader) rows() metricRows {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.snapshot()
	pools, routes := r.poolRows(s), routeRows(s)
	return metricRows{
		Began: s.Began, Taken: s.Taken, FoldedHolds: int64(s.FoldedHolds), Pools: sortedRows(pools), Routes: sortedRows(routes),
		SlowCalls: r.slowCallRows(s), OpenHolds: r.openRows(s, routes),
	}
}

// poolRows sums up what is one pool after its name was cleaned.
func (r *MetricReader) poolRows(s *Snapshot) map[rowKey]*poolRow {
	rows := map[rowKey]*poolRow{}
	for _, p := range s.Pools {
		k := rowKey{pool: cleanName(p.Name)}
		row, own := rowOf(rows, k), rowOf(r.waits, p.Name)
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
		k := rowKey{pool: cleanName(series.Pool)}
		row := rowOf(rows, k)
		row.Name = k.pool
		row.Held.Merge(&series.Held)
		row.Wait.Merge(&series.Wait)
	}
	return rows
}

// routeRows sums up the call sites of a route.
func routeRows(s *Snapshot) map[rowKey]*routeRow {
	rows := map[rowKey]*routeRow{}
	for _, series := range s.Series {
		k := routeKey(series.Pool, series.Route)
		row := rowOf(rows, k)
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
// what is left of it to Folded. No row goes down, and together they are what
// the snapshot has.
func (r *MetricReader) slowCallRows(s *Snapshot) []slowCallsRow {
	now, more := map[rowKey]*slowCallsRow{}, map[rowKey]*slowCallsRow{}
	for _, series := range s.Series {
		k := routeKey(series.Pool, series.Route)
		for _, calls := range series.SlowCalls {
			name := rowOf(r.slowNames, k.pool).keep(cleanName(calls.What), maxSlowNames)
			row, route := rowOf(now, rowKey{k.pool, k.route, name}), rowOf(more, k)
			row.Count += int64(calls.Count)
			row.Duration += calls.Duration
			route.Count += int64(calls.Count)
			route.Duration += calls.Duration
		}
	}
	for k, row := range r.slowCalls {
		route := rowOf(more, rowKey{pool: k.pool, route: k.route})
		route.Count -= row.Count
		route.Duration -= row.Duration
	}
	give := func(k rowKey, count int64, duration time.Duration) {
		route := rowOf(more, rowKey{pool: k.pool, route: k.route})
		count = min(max(0, count), max(0, route.Count))
		duration = min(max(0, duration), max(0, route.Duration))
		if count == 0 && duration == 0 {
			return
		}
		row := rowOf(r.slowCalls, k)
		row.Pool, row.Route, row.What = k.pool, k.route, k.what
		row.Count += count
		row.Duration += duration
		route.Count -= count
		route.Duration -= duration
	}
	for _, k := range rowKeys(now) {
		if k.what != Folded {
			had := slowCallsRow{}
			if row := r.slowCalls[k]; row != nil {
				had = *row
			}
			give(k, now[k].Count-had.Count, now[k].Duration-had.Duration)
		}
	}
	for k, left := range more {
		give(rowKey{k.pool, k.route, Folded}, left.Count, left.Duration)
	}
	return sortedRows(r.slowCalls)
}

// openRows sums up the holds that are open. Their routes are those of finished
// holds, which are bounded already, and a few others.
func (r *MetricReader) openRows(s *Snapshot, finished map[rowKey]*routeRow) []openHoldsRow {
	for k := range finished {
		rowOf(r.openRoutes, k.pool).forget(k.route)
	}
	rows := map[rowKey]*openHoldsRow{}
	for _, h := range s.Open {
		k := routeKey(h.Pool, h.Route)
		if finished[k] == nil {
			k.route = rowOf(r.openRoutes, k.pool).keep(k.route, maxOpenRoutes)
		}
		row := rowOf(rows, k)
		row.Pool, row.Route = k.pool, k.route
		row.Count++
		row.Oldest = max(row.Oldest, h.Held)
		row.LongestSilentInTransaction = max(row.LongestSilentInTransaction, h.SilentInTransaction)
	}
	return sortedRows(rows)
}

// fewNames are the names that were first; all others are folded.
type fewNames struct{ names map[string]bool }

func (f *fewNames) keep(name string, most int) string {
	switch {
	case name == Folded || f.names[name]:
		return name
	case len(f.names) >= most:
		return Folded
	case f.names == nil:
		f.names = map[string]bool{}
	}
	f.names[name] = true
	return name
}

func (f *fewNames) forget(name string) { delete(f.names, name) }

// ownWaits are a pool's own counts, which begin again where another pool takes its
// name.
type ownWaits struct{ count, time ownTotal }

type ownTotal struct{ before, last int64 }

// at returns the total now that the pool's count is n; 0 is that it does not tell.
func (t *ownTotal) at(n int64) int64 {
	if n > 0 {
		if n < t.last {
			t.before += t.last
		}
		t.last = n
	}
	return t.before + t.last
}

func routeKey(pool, route string) rowKey {
	if route == "" {
		route = noRoute
	}
	return rowKey{pool: cleanName(pool), route: cleanName(route)}
}

// cleanName makes a name that any exporter takes. It comes before the summing up, since
// two names may become one.
func cleanName(name string) string { return strings.ToValidUTF8(name, "\uFFFD") }

// rowOf returns the row of a key, a new one where there is none.
func rowOf[K comparable, V any](m map[K]*V, k K) *V {
	if m[k] == nil {
		m[k] = new(V)
	}
	return m[k]
}

func rowKeys[V any](m map[rowKey]*V) []rowKey {
	return slices.SortedFunc(maps.Keys(m), func(a, b rowKey) int {
		return cmp.Or(cmp.Compare(a.pool, b.pool), cmp.Compare(a.route, b.route), cmp.Compare(a.what, b.what))
	})
}

func sortedRows[V any](m map[rowKey]*V) []V {
	var rows []V
	for _, k := range rowKeys(m) {
		rows = append(rows, *m[k])
	}
	return rows
}
