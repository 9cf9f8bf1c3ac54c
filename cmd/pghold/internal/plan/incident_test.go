package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// In the middle of an incident a snapshot is taken, of a service beyond its capacity, and
// nothing else is known but its timeouts. Each route goes on as it is predicted.
func TestFromSnapshot_OfAnIncidentSaysHowItGoesOn(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 7))
	of, unsure, held := max(2, *mixes*3/4), 0, 0
	for i := range of {
		c := drawCoded(rng, 1.1, 3)
		c.roundTrip, c.untilRelease = 300*time.Microsecond, true
		half := time.Duration(6000 / c.question(nil).Settings.Rate * 1e9)
		var snapshot *pghold.Snapshot
		requests := c.requests(2*half, rng)
		c.serve(t, requests, func(r *pghold.Recorder) {
			time.Sleep(half)
			snapshot = r.Snapshot()
		})
		after := slices.DeleteFunc(slices.Clone(requests), func(r codedRequest) bool { return r.at < half })
		base := experiment.Defaults()
		base.Duration, base.ClientTimeout, base.PoolTimeout, base.Pool = half, c.clientTimeout, c.poolTimeout, c.pool
		qs, err := FromSnapshot(snapshot, base)
		if err != nil {
			t.Fatal(err)
		}
		qs[0].Model.Arrivals = Poisson
		got, err := qs[0].answer(Replications)
		if err != nil {
			t.Fatal(err)
		}
		right, told := true, true
		for route, r := range c.routes {
			j := slices.IndexFunc(qs, func(q Question) bool { return q.Name == r.name })
			if j < 0 {
				t.Fatalf("%d: no route %s", i, r.name)
			}
			p, want := got[j], measuredOf(after, route)
			off := func(got time.Duration, want float64) float64 { return got.Seconds()/want - 1 }
			p50, p99 := off(p.Latency.P50, want.p50), off(p.Latency.P99, want.p99)
			line := fmt.Sprintf("%d: %s with %d connections, pool timeout %v, client's %v, %s at %.3g/s: success %.4f, predicted %.4f; p50 %.4g s (%.1f %% off), p99 %.4g s (%.1f %% off)", i, c.pool, c.connections,
				c.poolTimeout, c.clientTimeout, r.name, r.rate, want.success, p.SuccessRatio, want.p50, 100*p50, want.p99, 100*p99)
			t.Log(line)
			if math.Abs(p.SuccessRatio-want.success) > 0.05 || math.Abs(p50) > 0.15 || math.Abs(p99) > 0.15 {
				right = false
				told = told && p.Interval["success_ratio"][0] <= want.success && want.success <= p.Interval["success_ratio"][1]
				t.Logf("off: %s; intervals %v", line, p.Interval)
			}
		}
		switch {
		case right:
			held++
		case told:
			unsure++
		}
	}
	t.Logf("%d of %d went on as predicted, and %d within the intervals", held, of, unsure)
	if held+unsure < of-1-of/20 {
		t.Errorf("%d of %d went on otherwise", of-held-unsure, of)
	}
}
