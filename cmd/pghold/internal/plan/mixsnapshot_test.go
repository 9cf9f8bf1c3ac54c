package plan

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

var (
	mixes      = flag.Int("mixes", 1, "how many services are compared with what is predicted from a snapshot of theirs")
	ofSnapshot = flag.Int("recorded", 6_000, "how many requests a snapshot is of")
)

// routeMeasured is what became of a route's requests.
type routeMeasured struct {
	success, p50, p99 float64
}

func measuredOf(requests []codedRequest, route int) routeMeasured {
	var m routeMeasured
	var all []time.Duration
	for _, r := range requests {
		if r.route == route {
			all = append(all, r.latency)
			if r.how == experiment.OK {
				m.success++
			}
		}
	}
	m.success /= float64(len(all))
	q := experiment.NewQuantiles(all)
	m.p50, m.p99 = q.P50.Seconds(), q.P99.Seconds()
	return m
}

// From a snapshot alone, each route fares as it did on average in 20 runs of the code, or
// within what it is said to be known to: -mixes 40 -recorded 60000.
func TestFromSnapshot_IsTheCodeOfRoutesThatShareAPool(t *testing.T) {
	const runs = 20
	rng := rand.New(rand.NewPCG(*seed, 5))
	close, known, all := 0, 0, 0
	for i := range *mixes {
		c := drawCoded(rng, 0.3, 0.85)
		c.roundTrip, c.untilRelease = 300*time.Microsecond, true
		long := time.Duration(float64(*ofSnapshot) / c.question(nil).Settings.Rate * 1e9)
		d := long / 6
		var snapshot *pghold.Snapshot
		c.serve(t, c.requests(long, rng), func(r *pghold.Recorder) {
			time.Sleep(long)
			snapshot = r.Snapshot()
		})
		base := experiment.Defaults()
		base.Duration, base.ClientTimeout, base.PoolTimeout, base.Pool = d, c.clientTimeout, c.poolTimeout, c.pool
		qs, err := FromSnapshot(snapshot, base)
		if err != nil {
			t.Fatal(err)
		}
		qs[0].Model.Arrivals = Poisson
		got, err := qs[0].answer(runs)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]routeMeasured, len(c.routes))
		for range runs {
			requests := c.requests(d, rng)
			c.serve(t, requests, nil)
			for route := range c.routes {
				m := measuredOf(requests, route)
				want[route].success += m.success / runs
				want[route].p50 += m.p50 / runs
				want[route].p99 += m.p99 / runs
			}
		}
		for route, r := range c.routes {
			if r.rate*d.Seconds() < 200 {
				continue // too few in a run for a p99
			}
			j := slices.IndexFunc(qs, func(q Question) bool { return q.Name == r.name })
			p := got[j]
			off := p.Latency.P99.Seconds()/want[route].p99 - 1
			line := fmt.Sprintf("%d: %s with %d connections, %s at %.3g/s: success %.4f, predicted %.4f; p50 %.4g s, predicted %.4g; p99 %.4g s, predicted %.4g (%.1f %%)", i, c.pool, c.connections, r.name, r.rate,
				want[route].success, p.SuccessRatio, want[route].p50, p.Latency.P50.Seconds(), want[route].p99, p.Latency.P99.Seconds(), 100*off)
			t.Log(line)
			all++
			const opening = 0.001 // a connection is opened now and then, of which a snapshot does not know
			in := func(name string, v, more float64) bool {
				return p.Interval[name][0]-more <= v && v <= p.Interval[name][1]+more
			}
			switch {
			case math.Abs(p.SuccessRatio-want[route].success) <= 0.02 && (math.Abs(off) <= 0.05 || math.Abs(p.Latency.P99.Seconds()-want[route].p99) < opening):
				close++
			case in("success_ratio", want[route].success, 0.001) && in("latency_s.p99", want[route].p99, opening):
				known++
			default:
				t.Logf("missed: %s; intervals %v", line, p.Interval)
			}
		}
	}
	t.Logf("of %d routes success is within 2 points and p99 within 5 %% of %d, and within the intervals of %d of the others", all, close, known)
	if missed := all - close - known; missed > 1+all/10 { // of two figures each, one in twenty may be out of its interval
		t.Errorf("%d of %d are elsewhere", missed, all)
	}
}
