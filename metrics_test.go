package pghold_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pghold/pghold"
)

// A snapshot that has something of everything has all metrics, and each point is told
// apart by what the metric says.
func TestMetricReader_HasAllMetrics(t *testing.T) {
	var sketch pghold.Sketch
	sketch.Add(time.Second)
	began := time.Unix(1_700_000_000, 0)
	reader := pghold.NewMetricReader(func() *pghold.Snapshot {
		return &pghold.Snapshot{
			Began: began, Taken: began.Add(time.Minute), FoldedHolds: 1,
			Pools:  []pghold.PoolSnapshot{{Name: "p", Checkouts: 2, Releases: 1, Open: 3, Max: 4, Waits: 5, WaitTime: 6}},
			Series: []*pghold.Series{{Pool: "p", Route: "r", Held: sketch, Wait: sketch, SlowCalls: []pghold.SlowCalls{{What: "c", Count: 1}}}},
			Open:   []pghold.Hold{{Pool: "p", Route: "r"}},
		}
	})
	all, from, to := reader.Read()
	if !from.Equal(began) || to.Sub(from) != time.Minute {
		t.Errorf("it began at %v and was taken at %v", from, to)
	}
	want := pghold.Metrics()
	if len(all) != len(want) {
		t.Errorf("%d metrics have points, of %d", len(all), len(want))
	}
	for i, m := range all {
		if m.Name != want[i].Name || !slices.Equal(m.Attributes, want[i].Attributes) || m.Help == "" || m.Unit == "" {
			t.Errorf("got %+v, want %+v", m.Metric, want[i])
		}
		for _, p := range m.Points {
			if len(p.Attributes) != len(m.Attributes) || (p.Sketch != nil) != (m.Kind == pghold.Histogram) {
				t.Errorf("%s: got %+v", m.Name, p)
			}
		}
	}
	want[0].Name, want[0].Attributes[0] = "changed", "changed"
	if m := pghold.Metrics()[0]; m.Name == "changed" || m.Attributes[0] == "changed" {
		t.Error("whoever changes the list changes everybody's")
	}
	all[0].Attributes[0] = "changed"
	if m := pghold.Metrics()[0]; m.Attributes[0] == "changed" {
		t.Error("whoever changes what was read changes everybody's")
	}
	quiet, _, _ := pghold.NewMetricReader(func() *pghold.Snapshot { return &pghold.Snapshot{} }).Read()
	if len(quiet) != 1 || quiet[0].Name != "pghold.folded_holds" {
		t.Errorf("of nothing: %+v", quiet)
	}
}
