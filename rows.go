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
	maxRoutes     = 512          // that a pool has, beside Folded
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
	pools, routes := r.poolRows(s), r.routeRows(s)
	r.folded = max(r.folded, int64(s.FoldedHolds))
	return metricRows{
		Began: s.Began, Taken: s.Taken, FoldedHolds: r.folded, Pools: sortedRows(pools), Routes: sortedRows(routes),
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
func (r *MetricReader) routeRows(s *Snapshot) map[rowKey]*routeRow {
	now := map[rowKey]amounts{}
	for _, series := range s.Series {
		k := r.routeKey(series.Pool, series.Route)
		sum := now[k]
		for i, n := range (amounts{int64(series.Held.Count()), int64(series.Panics), int64(series.Busy), int64(series.Silent.Sum()), int64(series.SilentInTransaction)}) {
			sum[i] += n
		}
		now[k] = sum
	}
	rows := map[rowKey]*routeRow{}
	for k, n := range r.routes.next(now) {
		rows[k] = &routeRow{k.pool, k.route, n[0], n[1], time.Duration(n[2]), time.Duration(n[3]), time.Duration(n[4])}
	}
	return rows
}

// slowCallRows sums up the slow calls by name.
func (r *MetricReader) slowCallRows(s *Snapshot) []slowCallsRow {
	now := map[rowKey]amounts{}
	for _, series := range s.Series {
		k := r.routeKey(series.Pool, series.Route)
		for _, calls := range series.SlowCalls {
			k.what = rowOf(r.slowNames, k.pool).keep(cleanName(calls.What), maxSlowNames)
			sum := now[k]
			sum[0] += int64(calls.Count)
			sum[1] += int64(calls.Duration)
			now[k] = sum
		}
	}
	rows := map[rowKey]*slowCallsRow{}
	for k, n := range r.slowCalls.next(now) {
		rows[k] = &slowCallsRow{k.pool, k.route, k.what, n[0], time.Duration(n[1])}
	}
	return sortedRows(rows)
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
		if !h.Intended {
			row.Oldest = max(row.Oldest, h.Held)
			row.LongestSilentInTransaction = max(row.LongestSilentInTransaction, h.SilentInTransaction)
		}
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

// routeKey is that of finished holds, of which a pool has the first routes by name.
func (r *MetricReader) routeKey(pool, route string) rowKey {
	k := routeKey(pool, route)
	k.route = rowOf(r.routeNames, k.pool).keep(k.route, maxRoutes)
	return k
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

func rowKeys[V any](m map[rowKey]V) []rowKey {
	return slices.SortedFunc(maps.Keys(m), compareRowKeys)
}

func compareRowKeys(a, b rowKey) int {
	return cmp.Or(cmp.Compare(a.pool, b.pool), cmp.Compare(a.route, b.route), cmp.Compare(a.what, b.what))
}

func sortedRows[V any](m map[rowKey]*V) []V {
	var rows []V
	for _, k := range rowKeys(m) {
		rows = append(rows, *m[k])
	}
	return rows
}
