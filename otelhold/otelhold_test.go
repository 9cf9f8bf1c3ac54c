package otelhold_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/otelhold"
	"github.com/pghold/pghold/promhold"
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

// prometheusName is what Prometheus makes of a metric's name.
func prometheusName(m metricdata.Metrics) string {
	name := strings.ReplaceAll(m.Name, ".", "_")
	if m.Unit == "s" {
		name += "_seconds"
	}
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		if d.IsMonotonic {
			name += "_total"
		}
	case metricdata.Sum[float64]:
		if d.IsMonotonic {
			name += "_total"
		}
	}
	return name
}

func key(name string, attributes attribute.Set) string {
	var labels []string
	for _, a := range attributes.ToSlice() {
		labels = append(labels, strings.ReplaceAll(string(a.Key), ".", "_")+"="+a.Value.AsString())
	}
	slices.Sort(labels)
	return name + "{" + strings.Join(labels, ",") + "}"
}

// numbers returns the metrics' numbers by name and labels, histograms with their
// buckets; a number's kind is part of its value.
func numbers(t *testing.T, metrics map[string]metricdata.Metrics) map[string]string {
	all := map[string]string{}
	for _, m := range metrics {
		name := prometheusName(m)
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				all[key(name, p.Attributes)] = fmt.Sprint(float64(p.Value))
			}
		case metricdata.Sum[float64]:
			for _, p := range d.DataPoints {
				all[key(name, p.Attributes)] = fmt.Sprint(p.Value)
			}
		case metricdata.Gauge[float64]:
			for _, p := range d.DataPoints {
				all[key(name, p.Attributes)] = fmt.Sprint(p.Value)
			}
		case metricdata.Histogram[float64]:
			for _, p := range d.DataPoints {
				var buckets []string
				var sum uint64
				for i, bound := range p.Bounds {
					sum += p.BucketCounts[i]
					buckets = append(buckets, fmt.Sprintf("%v:%d", bound, sum))
				}
				all[key(name, p.Attributes)] = fmt.Sprint(p.Count, " ", p.Sum, " ", buckets)
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

// Both say the same, under the names that Prometheus makes of OpenTelemetry's.
func TestProducer_SaysWhatPromholdSays(t *testing.T) {
	r := recorded(t, false)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(promhold.Collector(r))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			slices.Sort(labels)
			k := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			if h := m.Histogram; h != nil {
				var buckets []string
				for _, b := range h.Bucket {
					buckets = append(buckets, fmt.Sprintf("%v:%d", b.GetUpperBound(), b.GetCumulativeCount()))
				}
				want[k] = fmt.Sprint(h.GetSampleCount(), " ", h.GetSampleSum(), " ", buckets)
				continue
			}
			want[k] = fmt.Sprint(m.GetCounter().GetValue() + m.GetGauge().GetValue())
		}
	}
	if diff := cmp.Diff(want, numbers(t, collect(t, r))); diff != "" {
		t.Errorf("-promhold +otelhold:\n%s", diff)
	}
	if len(want) < 30 {
		t.Errorf("only %d numbers were compared: %v", len(want), slices.Sorted(maps.Keys(want)))
	}
}

func TestProducer_OpenHolds(t *testing.T) {
	got := numbers(t, collect(t, recorded(t, true)))
	const labels = "{db_client_connection_pool_name=main,pghold_route=GET /0}"
	if got["pghold_open_holds"+labels] != "1" || got["pghold_oldest_hold_seconds"+labels] <= "0" {
		t.Errorf("got %v, want one open hold with its age", got)
	}
	if got["db_client_connection_count{db_client_connection_pool_name=main,db_client_connection_state=used}"] != "1" {
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
	if got := numbers(t, collect(t, pghold.NewRecorder(pghold.Config{}))); len(got) != 1 || got["pghold_folded_holds_total{}"] != "0" {
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
