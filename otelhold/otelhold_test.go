package otelhold_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/otelhold"
)

// recorded makes a recorder that has seen something of everything, and has one
// hold open where open is true.
func recorded(t *testing.T, open bool) *pghold.Recorder {
	t.Helper()
	r := pghold.NewRecorder(pghold.Config{MaxSeries: 3})
	pool := r.Pool("main")
	pool.SetStat(func() pghold.PoolStat {
		return pghold.PoolStat{Open: 4, Max: 15, Waits: 3, WaitTime: 1500 * time.Millisecond}
	})
	pool.Wait(t.Context()).Fail(context.DeadlineExceeded)
	for i := range 5 {
		ctx := pghold.WithRoute(t.Context(), fmt.Sprintf("GET /%d", i))
		c := pool.Wait(ctx).Checkout()
		c.BeginStatement()
		c.EndStatement(true)
		pghold.StartSlowCall(ctx, "POST charge/").End()
		c.Release()
	}
	r.Pool("other \xff").Checkout(t.Context()).Release()
	func() {
		defer func() { recover() }()
		pghold.Do(t.Context(), "GET /0", func(ctx context.Context) {
			defer pool.Checkout(ctx).Release()
			panic("handler")
		})
	}()
	if open {
		t.Cleanup(pool.Checkout(pghold.WithRoute(t.Context(), "GET /0")).Release)
	}
	return r
}

func collect(t *testing.T, r *pghold.Recorder) map[string]metricdata.Metrics {
	t.Helper()
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(otelhold.Producer(r)))
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	t.Cleanup(func() { provider.Shutdown(context.Background()) })
	var data metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &data); err != nil {
		t.Fatal(err)
	}
	if len(data.ScopeMetrics) != 1 || data.ScopeMetrics[0].Scope.Name != "github.com/pghold/pghold/otelhold" {
		t.Fatalf("got %+v, want the metrics of one scope", data.ScopeMetrics)
	}
	byName := map[string]metricdata.Metrics{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		if _, twice := byName[m.Name]; twice {
			t.Errorf("%s is there twice", m.Name)
		}
		byName[m.Name] = m
	}
	return byName
}

func key(name string, attributes attribute.Set) string {
	var labels []string
	for _, a := range attributes.ToSlice() {
		labels = append(labels, string(a.Key)+"="+a.Value.AsString())
	}
	slices.Sort(labels)
	return name + "{" + strings.Join(labels, ",") + "}"
}

// numbers returns the metrics' numbers by name and labels, histograms with their
// buckets; a number's kind is part of its value.
func numbers(t *testing.T, metrics map[string]metricdata.Metrics) map[string]string {
	all := map[string]string{}
	for _, m := range metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				all[key(m.Name, p.Attributes)] = fmt.Sprint(float64(p.Value))
			}
		case metricdata.Sum[float64]:
			for _, p := range d.DataPoints {
				all[key(m.Name, p.Attributes)] = fmt.Sprint(p.Value)
			}
		case metricdata.Gauge[float64]:
			for _, p := range d.DataPoints {
				all[key(m.Name, p.Attributes)] = fmt.Sprint(p.Value)
			}
		case metricdata.Histogram[float64]:
			for _, p := range d.DataPoints {
				var buckets []string
				var sum uint64
				for i, bound := range p.Bounds {
					sum += p.BucketCounts[i]
					buckets = append(buckets, fmt.Sprintf("%v:%d", bound, sum))
				}
				all[key(m.Name, p.Attributes)] = fmt.Sprint(p.Count, " ", p.Sum, " ", buckets)
				if last := p.BucketCounts[len(p.Bounds)]; sum+last != p.Count {
					t.Errorf("%s: %d in buckets, %d in all", m.Name, sum+last, p.Count)
				}
			}
		default:
			t.Errorf("%s is a %T", m.Name, d)
		}
	}
	return all
}

// What is exported is the recorder's own table.
func TestProducer_SaysWhatTheTableSays(t *testing.T) {
	r := recorded(t, false)
	want := map[string]string{}
	all, _, _ := pghold.NewMetricReader(r.Snapshot).Read()
	for _, m := range all {
		for _, p := range m.Points {
			var labels []string
			for i, name := range m.Attributes {
				labels = append(labels, name+"="+p.Attributes[i])
			}
			slices.Sort(labels)
			k := m.Name + "{" + strings.Join(labels, ",") + "}"
			if m.Kind != pghold.Histogram {
				want[k] = fmt.Sprint(p.Value)
				continue
			}
			var buckets []string
			for _, bound := range pghold.MetricBounds() {
				buckets = append(buckets, fmt.Sprintf("%v:%d", bound.Seconds(), p.Sketch.AtMost(bound)))
			}
			want[k] = fmt.Sprint(p.Sketch.Count(), " ", p.Sketch.Sum().Seconds(), " ", buckets)
		}
	}
	got := numbers(t, collect(t, r))
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: got %q, want %q", k, got[k], v)
		}
	}
	if len(got) != len(want) || len(want) < 30 {
		t.Errorf("%d numbers are exported, of %d in the table; want the same, and 30 at least", len(got), len(want))
	}
}

func TestProducer_OpenHolds(t *testing.T) {
	got := numbers(t, collect(t, recorded(t, true)))
	const labels = "{db.client.connection.pool.name=main,pghold.route=GET /0}"
	if got["pghold.open_holds"+labels] != "1" || got["pghold.oldest_hold"+labels] <= "0" {
		t.Errorf("got %v, want one open hold with its age", got)
	}
	if got["db.client.connection.count{db.client.connection.pool.name=main,db.client.connection.state=used}"] != "1" {
		t.Errorf("got %v, want one connection in use", got)
	}
}

// What a backend needs to know of a number: sums that only grow and are cumulative
// from when recording began, sums that go up and down, and gauges.
func TestProducer_KindsAndTimes(t *testing.T) {
	r := recorded(t, true)
	began := r.Snapshot().Began
	for name, m := range collect(t, r) {
		if m.Unit == "" || m.Description == "" {
			t.Errorf("%s has the unit %q and the description %q", name, m.Unit, m.Description)
		}
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			gauge := strings.HasSuffix(name, ".count") || strings.HasSuffix(name, ".max") || name == "pghold.open_holds" || strings.HasSuffix(name, "pending_requests")
			if d.IsMonotonic == gauge || d.Temporality != metricdata.CumulativeTemporality {
				t.Errorf("%s: monotonic %v, %v", name, d.IsMonotonic, d.Temporality)
			}
			for _, p := range d.DataPoints {
				if !p.StartTime.Equal(began) || !p.Time.After(began) {
					t.Errorf("%s: from %v to %v, want from %v", name, p.StartTime, p.Time, began)
				}
			}
		case metricdata.Sum[float64]:
			if !d.IsMonotonic || d.Temporality != metricdata.CumulativeTemporality {
				t.Errorf("%s: monotonic %v, %v", name, d.IsMonotonic, d.Temporality)
			}
		case metricdata.Histogram[float64]:
			if d.Temporality != metricdata.CumulativeTemporality {
				t.Errorf("%s: %v", name, d.Temporality)
			}
		}
	}
}

func TestProducer_PanicsWithoutARecorder(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "otelhold: Producer needs a recorder, and got nil"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}()
	otelhold.Producer(nil)
}

func TestProducer_NothingRecorded(t *testing.T) {
	if got := numbers(t, collect(t, pghold.NewRecorder(pghold.Config{}))); len(got) != 1 || got["pghold.folded_holds{}"] != "0" {
		t.Errorf("got %v, want that no hold was folded, and nothing else", got)
	}
}

// The package's documentation lists what there is.
func TestProducer_IsDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range pghold.Metrics() {
		if !strings.Contains(string(doc), "//	"+m.Name+"\n") && !strings.Contains(string(doc), "//	"+m.Name+" ") {
			t.Errorf("doc.go does not list %s", m.Name)
		}
	}
}
