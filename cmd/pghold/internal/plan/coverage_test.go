package plan

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

var services = flag.Int("services", 200, "of how many services it is looked whether intervals have the truth")

// snapshotOf is what a recorder may have of the service after so long: as many holds as
// came by chance, as long as they were by chance.
func (c coded) snapshotOf(d time.Duration, rng *rand.Rand) *pghold.Snapshot {
	began := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := &pghold.Snapshot{Version: 1, Began: began, Taken: began.Add(d), Pools: []pghold.PoolSnapshot{{Name: "main", Max: c.connections}}}
	requests := c.requests(d, rng)
	w := pghold.Window{Duration: d}
	for i, r := range c.routes {
		series := &pghold.Series{Pool: "main", Route: r.name}
		for _, one := range requests {
			if one.route == i {
				series.Held.Add(one.call + 3*time.Millisecond)
				series.Silent.Add(one.call)
				series.SilentInTransaction += one.call
				series.Busy += 3 * time.Millisecond
				series.Statements += 3
			}
		}
		s.Series = append(s.Series, series)
		w.Routes = append(w.Routes, pghold.Arrivals{Pool: "main", Route: r.name, Arrivals: series.Held.Count(), Holds: series.Held.Count(), Silent: series.Silent.Sum()})
	}
	s.Windows = []pghold.Window{w}
	return s
}

// Of services whose truth is known, intervals of 95 % from a snapshot have it as often as
// they say: -services 2000.
func TestIntervals_HaveTheTruth(t *testing.T) {
	const truths = 50
	rng := rand.New(rand.NewPCG(*seed, 8))
	inside, of := map[string]int{}, map[string]int{}
	for range *services {
		c := drawCoded(rng, 0.3, 1.2)
		c.routes = c.routes[:1]
		used := c.question(nil).Settings.Rate
		c.routes[0].rate = used
		taken := time.Duration(math.Exp(math.Log(200)+rng.Float64()*math.Log(50)) / used * 1e9) // 200 to 10,000 requests
		base := experiment.Defaults()
		base.Duration, base.ClientTimeout, base.PoolTimeout, base.Pool = time.Duration(250/used*1e9), c.clientTimeout, c.poolTimeout, c.pool

		qs, err := FromSnapshot(c.snapshotOf(taken, rng), base)
		if err != nil {
			t.Fatal(err)
		}
		q := qs[0]
		q.Model.Arrivals, q.Model.Seed = Poisson, rng.Uint64()
		all, err := q.answer(Replications)
		if err != nil {
			t.Fatal(err)
		}
		truth := q
		truth.Evidence = Evidence{}
		truth.Settings.Rate = used
		truth.Model.Calls = nil
		for range 20_000 {
			truth.Model.Calls = append(truth.Model.Calls, c.routes[0].call(rng))
		}
		truth.Model.Seed = rng.Uint64()
		want, err := truth.predict(truths)
		if err != nil {
			t.Fatal(err)
		}
		for name, figure := range intervals {
			i := all[0].Interval[name]
			of[name]++
			if v := figure(want); v >= i[0]-1e-9 && v <= i[1]+1e-9 {
				inside[name]++
			}
		}
	}
	for name, n := range of {
		share := float64(inside[name]) / float64(n)
		t.Logf("%s: %.1f %% of %d intervals have the truth", name, 100*share, n)
		if share < 0.90 || share > 0.99 {
			t.Errorf("%s: %.1f %% of the intervals have the truth, want about 95 %%", name, 100*share)
		}
	}
}
