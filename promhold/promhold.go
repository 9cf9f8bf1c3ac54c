package promhold

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/holdmetrics"
)

var (
	useTime  = byPool("db_client_connection_use_time_seconds", "The time between borrowing a connection and returning it to the pool.")
	waitTime = byPool("db_client_connection_wait_time_seconds", "The time it took to obtain an open connection from the pool.")
	count    = byPool("db_client_connection_count", "The number of connections that are currently in the state.", "db_client_connection_state")
	most     = byPool("db_client_connection_max", "The maximum number of open connections allowed.")
	pending  = byPool("db_client_connection_pending_requests", "The number of current pending requests for an open connection.")
	timeouts = byPool("db_client_connection_timeouts_total", "The number of connection timeouts that have occurred trying to obtain a connection from the pool.")

	waits       = byPool("pghold_waits_total", "Callers who had to queue for a connection, by the pool's own count.")
	waitSeconds = byPool("pghold_wait_seconds_total", "How long callers queued for a connection, by the pool's own count.")

	holds           = byRoute("pghold_holds_total", "Holds that ended.")
	busy            = byRoute("pghold_busy_seconds_total", "How long connections were held with a statement running, in holds that ended.")
	silent          = byRoute("pghold_silent_seconds_total", "How long connections were held with no statement running, in holds that ended.")
	silentInTx      = byRoute("pghold_silent_in_transaction_seconds_total", "How long connections were held with no statement running and a transaction open, in holds that ended.")
	panics          = byRoute("pghold_panics_total", "Holds whose handler panicked.")
	slowCalls       = byRoute("pghold_slow_calls_total", "Slow calls inside holds that ended.", "pghold_slow_call")
	slowCallSeconds = byRoute("pghold_slow_call_seconds_total", "How long slow calls took inside holds that ended.", "pghold_slow_call")

	openHolds         = byRoute("pghold_open_holds", "Holds that are open.")
	oldest            = byRoute("pghold_oldest_hold_seconds", "How long the oldest open hold has lasted.")
	longestSilentInTx = byRoute("pghold_longest_silent_in_transaction_seconds", "The longest that an open hold has had a transaction open and no statement running, its gaps added up.")

	foldedHolds = prometheus.NewDesc("pghold_folded_holds_total", `Holds that were counted under the route "(other)", because there are more series than the recorder keeps apart.`, nil, nil)

	all = []*prometheus.Desc{
		useTime, waitTime, count, most, pending, timeouts, waits, waitSeconds,
		holds, busy, silent, silentInTx, panics, slowCalls, slowCallSeconds, openHolds, oldest, longestSilentInTx, foldedHolds,
	}
)

func byPool(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"db_client_connection_pool_name"}, more...), nil)
}

func byRoute(name, help string, more ...string) *prometheus.Desc {
	return byPool(name, help, append([]string{"pghold_route"}, more...)...)
}

// Collector returns a collector of what the recorder knows, for a registry. It is
// safe for concurrent use. Without a recorder it panics.
func Collector(recorder *pghold.Recorder) prometheus.Collector {
	if recorder == nil {
		panic("promhold: Collector needs a recorder, and got nil")
	}
	return collector{holdmetrics.NewReader(recorder.Snapshot)}
}

type collector struct{ reader *holdmetrics.Reader }

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range all {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	rows := c.reader.Read()
	to := sink{ch, rows.Began}
	for _, p := range rows.Pools {
		to.histogram(useTime, &p.Held, p.Name)
		to.histogram(waitTime, &p.Wait, p.Name)
		to.gauge(count, float64(p.Used), p.Name, "used")
		if p.Open > 0 {
			to.gauge(count, float64(p.Idle()), p.Name, "idle")
		}
		if p.Max > 0 {
			to.gauge(most, float64(p.Max), p.Name)
		}
		to.gauge(pending, float64(p.Pending), p.Name)
		to.counter(timeouts, float64(p.Timeouts), p.Name)
		if p.Waits > 0 {
			to.counter(waits, float64(p.Waits), p.Name)
			to.counter(waitSeconds, p.WaitTime.Seconds(), p.Name)
		}
	}
	for _, r := range rows.Routes {
		to.counter(holds, float64(r.Holds), r.Pool, r.Route)
		to.counter(busy, r.Busy.Seconds(), r.Pool, r.Route)
		to.counter(silent, r.Silent.Seconds(), r.Pool, r.Route)
		to.counter(silentInTx, r.SilentInTransaction.Seconds(), r.Pool, r.Route)
		to.counter(panics, float64(r.Panics), r.Pool, r.Route)
	}
	for _, c := range rows.SlowCalls {
		to.counter(slowCalls, float64(c.Count), c.Pool, c.Route, c.What)
		to.counter(slowCallSeconds, c.Duration.Seconds(), c.Pool, c.Route, c.What)
	}
	for _, h := range rows.OpenHolds {
		to.gauge(openHolds, float64(h.Count), h.Pool, h.Route)
		to.gauge(oldest, h.Oldest.Seconds(), h.Pool, h.Route)
		to.gauge(longestSilentInTx, h.LongestSilentInTransaction.Seconds(), h.Pool, h.Route)
	}
	to.counter(foldedHolds, float64(rows.FoldedHolds))
}

// sink sends metrics. What cannot be made fails the scrape, not the process.
type sink struct {
	ch    chan<- prometheus.Metric
	began time.Time // of the counters
}

func (s sink) send(d *prometheus.Desc, m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	s.ch <- m
}

func (s sink) gauge(d *prometheus.Desc, value float64, labels ...string) {
	m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, value, labels...)
	s.send(d, m, err)
}

func (s sink) counter(d *prometheus.Desc, value float64, labels ...string) {
	m, err := prometheus.NewConstMetricWithCreatedTimestamp(d, prometheus.CounterValue, value, s.began, labels...)
	s.send(d, m, err)
}

// histogram sends nothing where nothing was measured.
func (s sink) histogram(d *prometheus.Desc, of *pghold.Sketch, labels ...string) {
	if of.Count() == 0 {
		return
	}
	buckets := map[float64]uint64{}
	for _, bound := range holdmetrics.Bounds {
		buckets[bound.Seconds()] = of.AtMost(bound)
	}
	m, err := prometheus.NewConstHistogramWithCreatedTimestamp(d, of.Count(), of.Sum().Seconds(), buckets, s.began, labels...)
	s.send(d, m, err)
}
