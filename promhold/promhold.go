package promhold

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pghold/pghold"
)

// Collector returns a collector of what the recorder knows, for a registry. It is
// safe for concurrent use. Without a recorder it panics.
func Collector(recorder *pghold.Recorder) prometheus.Collector {
	if recorder == nil {
		panic("promhold: Collector needs a recorder, and got nil")
	}
	return newCollector(recorder.Snapshot)
}

type collector struct {
	reader *pghold.MetricReader
	descs  map[string]*prometheus.Desc // by the metric's name
}

func newCollector(snapshot func() *pghold.Snapshot) collector {
	c := collector{pghold.NewMetricReader(snapshot), map[string]*prometheus.Desc{}}
	for _, m := range pghold.Metrics() {
		c.descs[m.Name] = desc(m)
	}
	return c
}

// desc gives a metric the names that Prometheus has for OpenTelemetry's:
// https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/.
func desc(m pghold.Metric) *prometheus.Desc {
	name := underscores.Replace(m.Name)
	if m.Unit == "s" {
		name += "_seconds"
	}
	if m.Kind == pghold.Counter {
		name += "_total"
	}
	var labels []string
	for _, a := range m.Attributes {
		labels = append(labels, underscores.Replace(a))
	}
	return prometheus.NewDesc(name, m.Help, labels, nil)
}

var underscores = strings.NewReplacer(".", "_")

func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	all, began, _ := c.reader.Read()
	for _, m := range all {
		d := c.descs[m.Name]
		for _, p := range m.Points {
			made, err := metric(d, m.Kind, p, began)
			if err != nil { // fails the scrape, not the process
				made = prometheus.NewInvalidMetric(d, err)
			}
			ch <- made
		}
	}
}

func metric(d *prometheus.Desc, kind pghold.MetricKind, p pghold.MetricPoint, began time.Time) (prometheus.Metric, error) {
	switch kind {
	case pghold.Histogram:
		buckets := map[float64]uint64{}
		for _, bound := range pghold.MetricBounds() {
			buckets[bound.Seconds()] = p.Sketch.AtMost(bound)
		}
		return prometheus.NewConstHistogramWithCreatedTimestamp(d, p.Sketch.Count(), p.Sketch.Sum().Seconds(), buckets, began, p.Attributes...)
	case pghold.Counter:
		return prometheus.NewConstMetricWithCreatedTimestamp(d, prometheus.CounterValue, p.Value, began, p.Attributes...)
	}
	return prometheus.NewConstMetric(d, prometheus.GaugeValue, p.Value, p.Attributes...)
}
