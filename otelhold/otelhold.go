package otelhold

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pghold/pghold"
)

// scope is the name of who measures.
const scope = "github.com/pghold/pghold/otelhold"

// Producer returns a producer of what the recorder knows, for a reader. It is safe
// for concurrent use. Without a recorder it panics.
func Producer(recorder *pghold.Recorder) sdkmetric.Producer {
	if recorder == nil {
		panic("otelhold: Producer needs a recorder, and got nil")
	}
	return producer{pghold.NewMetricReader(recorder.Snapshot)}
}

type producer struct{ reader *pghold.MetricReader }

// Produce is called by the reader. It returns no error.
func (p producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	all, began, taken := p.reader.Read()
	var metrics []metricdata.Metrics
	for _, m := range all {
		var data metricdata.Aggregation
		switch {
		case m.Kind == pghold.Histogram:
			data = histogram(m, began, taken)
		case m.Unit == "s":
			data = numbers[float64](m, began, taken)
		default:
			data = numbers[int64](m, began, taken)
		}
		metrics = append(metrics, metricdata.Metrics{Name: m.Name, Unit: m.Unit, Description: m.Help, Data: data})
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scope}, Metrics: metrics}}, nil
}

func numbers[N int64 | float64](m pghold.MetricPoints, began, taken time.Time) metricdata.Aggregation {
	var points []metricdata.DataPoint[N]
	for _, p := range m.Points {
		points = append(points, metricdata.DataPoint[N]{Attributes: attributes(m, p), StartTime: began, Time: taken, Value: N(p.Value)})
	}
	if m.Kind == pghold.Gauge {
		return metricdata.Gauge[N]{DataPoints: points}
	}
	return metricdata.Sum[N]{DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: m.Kind == pghold.Counter}
}

func histogram(m pghold.MetricPoints, began, taken time.Time) metricdata.Aggregation {
	var points []metricdata.HistogramDataPoint[float64]
	for _, p := range m.Points {
		point := metricdata.HistogramDataPoint[float64]{
			Attributes: attributes(m, p), StartTime: began, Time: taken,
			Count: p.Sketch.Count(), Sum: p.Sketch.Sum().Seconds(),
			Min: metricdata.NewExtrema(p.Sketch.Min().Seconds()), Max: metricdata.NewExtrema(p.Sketch.Max().Seconds()),
		}
		var below uint64
		for _, bound := range pghold.MetricBounds() {
			n := p.Sketch.AtMost(bound)
			point.Bounds = append(point.Bounds, bound.Seconds())
			point.BucketCounts = append(point.BucketCounts, n-below)
			below = n
		}
		point.BucketCounts = append(point.BucketCounts, point.Count-below)
		points = append(points, point)
	}
	return metricdata.Histogram[float64]{DataPoints: points, Temporality: metricdata.CumulativeTemporality}
}

func attributes(m pghold.MetricPoints, p pghold.MetricPoint) attribute.Set {
	var all []attribute.KeyValue
	for i, name := range m.Attributes {
		all = append(all, attribute.String(name, p.Attributes[i]))
	}
	return attribute.NewSet(all...)
}
