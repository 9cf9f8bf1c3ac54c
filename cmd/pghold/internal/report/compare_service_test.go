package report

import (
	"slices"
	"testing"
)

func TestCompare_BeforeAndAfter(t *testing.T) {
	before, after := atOnce(), atOnce()
	after.Routes[1].Latency.P99, after.Routes[2].SuccessRatio = ms(2), 0.5
	ratio := 0.03
	after.Routes[2].SilentRatio, after.Routes[2].Holds.SilentInTransaction = &ratio, ms(1500)
	c := Compare(Side{"before", before}, Side{"after", after})
	want := []string{
		"GET /checkout/{n}: p99 9.548 s → 9.548 s, answered 100.0 % → 100.0 %",
		"GET /health: p99 4.00 ms → 2.00 ms, answered 100.0 % → 100.0 %",
		"all together: p99 9.548 s → 9.548 s, answered 100.0 % → 50.0 %, idle in transaction 99.9 % → 3.0 % (200.2 s → 1.500 s in all)",
	}
	for i, got := range c.sentences() {
		if i >= len(want) || got != want[i] {
			t.Errorf("got %s", got)
		}
	}
	// What the database saw of all together says nothing about one of them.
	for _, r := range c.Routes[:2] {
		if slices.ContainsFunc(r.Figures, func(f FigureComparison) bool { return f.Path == "connections.max" || f.Path == "holds.busy_ratio" }) {
			t.Errorf("%s has figures that are those of all", r.Name)
		}
	}
	after.Routes[0].NotValid = "It is not."
	if got := Compare(Side{"before", before}, Side{"after", after}).sentences(); got != nil {
		t.Errorf("of what is not valid: %q", got)
	}
	if got := Compare(Side{"a", measured()}, Side{"b", measured()}).sentences(); got != nil {
		t.Errorf("of the lab: %q", got)
	}
}
