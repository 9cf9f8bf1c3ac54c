package pghold

import (
	"slices"
	"sync"
	"time"
)

// Metric is a metric of what a Recorder knows, as promhold and otelhold export it. What
// OpenTelemetry has a name for has that name:
// https://opentelemetry.io/docs/specs/semconv/database/database-metrics/.
type Metric struct {
	Name       string // as OpenTelemetry writes it: pghold.silent_in_transaction
	Unit       string // s, or what is counted: {hold}
	Help       string // a sentence
	Kind       MetricKind
	Attributes []string // the names of what tells its points apart
}

// MetricKind is how the values of a metric are to be understood.
type MetricKind int

// The kinds there are.
const (
	Counter       MetricKind = iota // never goes down
	UpDownCounter                   // may be added up over processes
	Gauge                           // may not
	Histogram                       // counts durations
)

// MetricPoint is a value of a metric.
type MetricPoint struct {
	Attributes []string // in the order of the metric's
	Value      float64  // seconds where that is the unit, otherwise a whole number
	Sketch     *Sketch  // instead of a value, for a histogram; something was counted in it
}

// MetricPoints are all the values of a metric at one moment.
type MetricPoints struct {
	Metric
	Points []MetricPoint
}

// MetricBounds are where the buckets of the histograms end: those that OpenTelemetry has
// for the duration of a statement, and three more, because a hold may last longer.
func MetricBounds() []time.Duration {
	return []time.Duration{
		time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
		500 * time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
	}
}

// Metrics are all that there are.
func Metrics() []Metric {
	all := make([]Metric, len(metricTable))
	for i, m := range metricTable {
		all[i] = m.Metric
		all[i].Attributes = slices.Clone(m.Attributes)
	}
	return all
}

// MetricReader turns snapshots into metrics. It keeps them few and their counts from
// going down, and remembers for that what it has given out: whoever exports metrics has
// one, for as long as it does. It is safe for concurrent use.
//
// Of what it has seen in a pool, slow calls have the first 100 names, holds the first 512
// routes, and open holds 100 routes more, of which none has ended yet; further ones are
// Folded. A hold without a route has the route "(no route)". Bytes that are not UTF-8 become U+FFFD.
type MetricReader struct {
	snapshot func() *Snapshot
	metrics  []Metric

	mu         sync.Mutex // and whoever holds it takes the snapshot, so that none is older than the last
	slowNames  map[string]*fewNames
	openRoutes map[string]*fewNames
	routeNames map[string]*fewNames
	routes     grown
	slowCalls  grown
	folded     int64
	waits      map[string]*ownWaits
}

// NewMetricReader makes a reader of the snapshots that the function takes: a Recorder's
// Snapshot, or one that merges those of several.
func NewMetricReader(snapshot func() *Snapshot) *MetricReader {
	if snapshot == nil {
		panic("pghold: NewMetricReader needs a function that takes snapshots, and got nil")
	}
	return &MetricReader{
		snapshot: snapshot, metrics: Metrics(), slowNames: map[string]*fewNames{}, openRoutes: map[string]*fewNames{},
		routeNames: map[string]*fewNames{}, slowCalls: grown{rest: Folded}, waits: map[string]*ownWaits{},
	}
}

// Read takes a snapshot and returns the metrics that have a value, and when the snapshot
// began and was taken.
func (r *MetricReader) Read() (all []MetricPoints, began, taken time.Time) {
	rows := r.rows()
	for i, m := range metricTable {
		if points := m.points(&rows); len(points) > 0 {
			all = append(all, MetricPoints{r.metrics[i], points})
		}
	}
	return all, rows.Began, rows.Taken
}

// tableMetric is a metric and where its values come from.
type tableMetric struct {
	Metric
	points func(*metricRows) []MetricPoint
}

const (
	poolAttribute     = "db.client.connection.pool.name"
	stateAttribute    = "db.client.connection.state"
	routeAttribute    = "pghold.route"
	slowCallAttribute = "pghold.slow_call"
)

var metricTable = []tableMetric{
	ofPools("db.client.connection.use_time", "s", Histogram, "The time between borrowing a connection and returning it to the pool.",
		func(p *poolRow) []MetricPoint { return counted(&p.Held) }),
	ofPools("db.client.connection.wait_time", "s", Histogram, "The time it took to obtain an open connection from the pool.",
		func(p *poolRow) []MetricPoint { return counted(&p.Wait) }),
	ofPools("db.client.connection.count", "{connection}", UpDownCounter, "The number of connections that are currently in the state.",
		func(p *poolRow) []MetricPoint {
			points := []MetricPoint{{Attributes: []string{"used"}, Value: float64(p.Used)}}
			if p.Open > 0 {
				points = append(points, MetricPoint{Attributes: []string{"idle"}, Value: float64(p.Idle())})
			}
			return points
		}, stateAttribute),
	ofPools("db.client.connection.max", "{connection}", UpDownCounter, "The maximum number of open connections allowed.",
		func(p *poolRow) []MetricPoint { return told(p.Max > 0, one(p.Max)) }),
	ofPools("db.client.connection.pending_requests", "{request}", UpDownCounter, "The number of current pending requests for an open connection.",
		func(p *poolRow) []MetricPoint { return one(p.Pending) }),
	ofPools("db.client.connection.timeouts", "{timeout}", Counter, "The number of connection timeouts that have occurred trying to obtain a connection from the pool.",
		func(p *poolRow) []MetricPoint { return one(p.Timeouts) }),
	ofPools("pghold.waits", "{wait}", Counter, "Callers who had to queue for a connection, by the pool's own count.",
		func(p *poolRow) []MetricPoint { return told(p.Waits > 0, one(p.Waits)) }),
	ofPools("pghold.wait", "s", Counter, "How long callers queued for a connection, by the pool's own count.",
		func(p *poolRow) []MetricPoint { return told(p.Waits > 0, lasting(p.WaitTime)) }),

	ofRoutes("pghold.holds", "{hold}", "Holds that ended.", func(r *routeRow) []MetricPoint { return one(r.Holds) }),
	ofRoutes("pghold.busy", "s", "How long connections were held with a statement running, in holds that ended.",
		func(r *routeRow) []MetricPoint { return lasting(r.Busy) }),
	ofRoutes("pghold.silent", "s", "How long connections were held with no statement running, in holds that ended.",
		func(r *routeRow) []MetricPoint { return lasting(r.Silent) }),
	ofRoutes("pghold.silent_in_transaction", "s", "How long connections were held with no statement running and a transaction open, in holds that ended.",
		func(r *routeRow) []MetricPoint { return lasting(r.SilentInTransaction) }),
	ofRoutes("pghold.panics", "{panic}", "Holds whose handler panicked.", func(r *routeRow) []MetricPoint { return one(r.Panics) }),

	ofSlowCalls("pghold.slow_calls", "{call}", "Slow calls inside holds that ended.", func(c *slowCallsRow) []MetricPoint { return one(c.Count) }),
	ofSlowCalls("pghold.slow_call", "s", "How long slow calls took inside holds that ended.", func(c *slowCallsRow) []MetricPoint { return lasting(c.Duration) }),

	ofOpenHolds("pghold.open_holds", "{hold}", UpDownCounter, "Holds that are open.", func(h *openHoldsRow) []MetricPoint { return one(h.Count) }),
	ofOpenHolds("pghold.oldest_hold", "s", Gauge, "How long the oldest open hold has lasted.", func(h *openHoldsRow) []MetricPoint { return lasting(h.Oldest) }),
	ofOpenHolds("pghold.longest_silent_in_transaction", "s", Gauge,
		"The longest that an open hold has had a transaction open and no statement running, its gaps added up.",
		func(h *openHoldsRow) []MetricPoint { return lasting(h.LongestSilentInTransaction) }),

	{
		Metric{"pghold.folded_holds", "{hold}", `Holds that were counted under the route "(other)", because there are more series than the recorder keeps apart.`, Counter, nil},
		func(r *metricRows) []MetricPoint { return one(r.FoldedHolds) },
	},
}

func one(n int64) []MetricPoint { return []MetricPoint{{Value: float64(n)}} }

func lasting(d time.Duration) []MetricPoint { return []MetricPoint{{Value: d.Seconds()}} }

// told are the points where a pool tells of something, and none where it does not.
func told(does bool, points []MetricPoint) []MetricPoint {
	if !does {
		return nil
	}
	return points
}

func counted(s *Sketch) []MetricPoint {
	if s.Count() == 0 {
		return nil
	}
	return []MetricPoint{{Sketch: s}}
}

func ofPools(name, unit string, kind MetricKind, help string, points func(*poolRow) []MetricPoint, more ...string) tableMetric {
	return tableMetric{
		Metric{name, unit, help, kind, append([]string{poolAttribute}, more...)},
		func(r *metricRows) []MetricPoint {
			return ofRows(r.Pools, points, func(p *poolRow) []string { return []string{p.Name} })
		},
	}
}

func ofRoutes(name, unit, help string, points func(*routeRow) []MetricPoint) tableMetric {
	return tableMetric{
		Metric{name, unit, help, Counter, []string{poolAttribute, routeAttribute}},
		func(r *metricRows) []MetricPoint {
			return ofRows(r.Routes, points, func(r *routeRow) []string { return []string{r.Pool, r.Route} })
		},
	}
}

func ofSlowCalls(name, unit, help string, points func(*slowCallsRow) []MetricPoint) tableMetric {
	return tableMetric{
		Metric{name, unit, help, Counter, []string{poolAttribute, routeAttribute, slowCallAttribute}},
		func(r *metricRows) []MetricPoint {
			return ofRows(r.SlowCalls, points, func(c *slowCallsRow) []string { return []string{c.Pool, c.Route, c.What} })
		},
	}
}

func ofOpenHolds(name, unit string, kind MetricKind, help string, points func(*openHoldsRow) []MetricPoint) tableMetric {
	return tableMetric{
		Metric{name, unit, help, kind, []string{poolAttribute, routeAttribute}},
		func(r *metricRows) []MetricPoint {
			return ofRows(r.OpenHolds, points, func(h *openHoldsRow) []string { return []string{h.Pool, h.Route} })
		},
	}
}

// ofRows are the points of all rows, each with the names of its row before its own.
func ofRows[R any](rows []R, points func(*R) []MetricPoint, names func(*R) []string) (all []MetricPoint) {
	for i := range rows {
		for _, p := range points(&rows[i]) {
			p.Attributes = append(names(&rows[i]), p.Attributes...)
			all = append(all, p)
		}
	}
	return all
}
