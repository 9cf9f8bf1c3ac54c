package otelhold

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/holdmetrics"
)

type metric struct {
	name, unit, description string
	kind                    kind
}

// kind is how the numbers of a metric are to be understood.
type kind int

const (
	counter       kind = iota // never goes down
	upDownCounter             // may be summed up
	gauge                     // may not
)

// points are the numbers of the metrics at one moment.
type points struct {
	began, taken time.Time
	numbers      map[*metric][]metricdata.DataPoint[int64]
	times        map[*metric][]metricdata.DataPoint[float64]
	histograms   map[*metric][]metricdata.HistogramDataPoint[float64]
}

func newPoints(began, taken time.Time) *points {
	return &points{
		began: began, taken: taken,
		numbers:    map[*metric][]metricdata.DataPoint[int64]{},
		times:      map[*metric][]metricdata.DataPoint[float64]{},
		histograms: map[*metric][]metricdata.HistogramDataPoint[float64]{},
	}
}

func (p *points) number(m *metric, value int64, attributes ...attribute.KeyValue) {
	p.numbers[m] = append(p.numbers[m], metricdata.DataPoint[int64]{
		Attributes: attribute.NewSet(attributes...), StartTime: p.began, Time: p.taken, Value: value,
	})
}

func (p *points) seconds(m *metric, value time.Duration, attributes ...attribute.KeyValue) {
	p.times[m] = append(p.times[m], metricdata.DataPoint[float64]{
		Attributes: attribute.NewSet(attributes...), StartTime: p.began, Time: p.taken, Value: value.Seconds(),
	})
}

// histogram adds nothing where nothing was measured.
func (p *points) histogram(m *metric, of *pghold.Sketch, attributes ...attribute.KeyValue) {
	if of.Count() == 0 {
		return
	}
	point := metricdata.HistogramDataPoint[float64]{
		Attributes: attribute.NewSet(attributes...), StartTime: p.began, Time: p.taken,
		Count: of.Count(), Sum: of.Sum().Seconds(),
		Min: metricdata.NewExtrema(of.Min().Seconds()), Max: metricdata.NewExtrema(of.Max().Seconds()),
	}
	var below uint64
	for _, bound := range holdmetrics.Bounds {
		n := of.AtMost(bound)
		point.Bounds = append(point.Bounds, bound.Seconds())
		point.BucketCounts = append(point.BucketCounts, n-below)
		below = n
	}
	point.BucketCounts = append(point.BucketCounts, of.Count()-below)
	p.histograms[m] = append(p.histograms[m], point)
}

// metrics returns those that have a number.
func (p *points) metrics() []metricdata.Metrics {
	var told []metricdata.Metrics
	for _, m := range all {
		var data metricdata.Aggregation
		if points := p.histograms[m]; points != nil {
			data = metricdata.Histogram[float64]{DataPoints: points, Temporality: metricdata.CumulativeTemporality}
		} else if points := p.numbers[m]; points != nil {
			data = aggregation(m.kind, points)
		} else if points := p.times[m]; points != nil {
			data = aggregation(m.kind, points)
		} else {
			continue
		}
		told = append(told, metricdata.Metrics{Name: m.name, Unit: m.unit, Description: m.description, Data: data})
	}
	return told
}

func aggregation[N int64 | float64](k kind, points []metricdata.DataPoint[N]) metricdata.Aggregation {
	if k == gauge {
		return metricdata.Gauge[N]{DataPoints: points}
	}
	return metricdata.Sum[N]{DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: k == counter}
}
