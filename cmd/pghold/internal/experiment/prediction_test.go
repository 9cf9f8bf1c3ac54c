package experiment_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestNewPrediction_saysByHowMuchItIsOff(t *testing.T) {
	at := func(unit time.Duration) experiment.Quantiles {
		return experiment.Quantiles{Min: unit, Mean: 2 * unit, P50: 3 * unit, P90: 4 * unit, P95: 5 * unit, P99: 6 * unit, Max: 7 * unit}
	}
	measured := &experiment.RouteResult{
		SuccessRatio: 0.45, Throughput: 8, Latency: at(time.Second),
		Connections: experiment.Connections{Max: 15, MaxSilentInTransaction: 3},
		Updates:     &experiment.Updates{Recorded: 10, Lost: 20, Retries: 30, Calls: 40, CallsRepeated: 50, Killed: &experiment.Killed{}},
	}
	predicted := &experiment.RouteResult{
		SuccessRatio: 0.48, Throughput: 7, Latency: at(1250 * time.Millisecond),
		Connections: experiment.Connections{Max: 14, MaxSilentInTransaction: 5},
		Updates:     &experiment.Updates{Recorded: 9, Lost: 22, Retries: 27, Calls: 44, CallsRepeated: 45},
	}
	got := experiment.NewPrediction(measured, predicted)
	want := &experiment.Prediction{
		SuccessRatio: 0.48, Throughput: 7, Updates: predicted.Updates,
		Latency: experiment.Latencies{
			"min": 1250e6, "mean": 2500e6, "p50": 3750e6, "p90": 5000e6, "p95": 6250e6, "p99": 7500e6, "max": 8750e6,
		},
		Connections: experiment.PredictedConnections{Max: 14, MaxSilentInTransaction: 5},
		Error: map[string]float64{
			"success_ratio": 0.03, "throughput_per_s": -0.125,
			"latency_s.min": 0.25, "latency_s.mean": 0.25, "latency_s.p50": 0.25, "latency_s.p90": 0.25,
			"latency_s.p95": 0.25, "latency_s.p99": 0.25, "latency_s.max": 0.25,
			"connections.max": -1, "connections.max_silent_in_transaction": 2,
			"updates.recorded": -1, "updates.lost": 2, "updates.retries": -3, "updates.calls": 4, "updates.calls_repeated": -5,
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func TestPrediction_Unsay(t *testing.T) {
	r := &experiment.RouteResult{Latency: experiment.Quantiles{P50: time.Second}}
	p := experiment.NewPrediction(r, r)
	p.Unsay("p50")
	if _, is := p.Latency["p50"]; is || len(p.Latency) != 6 {
		t.Errorf("got %v", p.Latency)
	}
	if _, is := p.Error["latency_s.p50"]; is || len(p.Error) != 10 {
		t.Errorf("got %v", p.Error)
	}
}

// What is a share of nothing is not said, and no error is where both are nothing.
func TestNewPrediction_whereNothingWasMeasured(t *testing.T) {
	measured, predicted := &experiment.RouteResult{}, &experiment.RouteResult{Throughput: 7, SuccessRatio: 0.5}
	predicted.Latency.P99 = time.Second
	e := experiment.NewPrediction(measured, predicted).Error
	for _, path := range []string{"throughput_per_s", "latency_s.p99", "updates.lost"} {
		if v, is := e[path]; is {
			t.Errorf("%s is off by %v of nothing", path, v)
		}
	}
	if v, is := e["latency_s.p50"]; v != 0 || !is || e["success_ratio"] != 0.5 {
		t.Errorf("got %v", e)
	}
	for _, path := range slices.Sorted(maps.Keys(e)) {
		if e[path] != e[path] {
			t.Errorf("%s is NaN", path)
		}
	}
}
