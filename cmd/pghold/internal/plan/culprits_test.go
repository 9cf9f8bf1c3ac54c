package plan

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// The route that is named first is the one whose mending helps the others most where the
// code itself is mended: -mixes 40.
func TestFindCulprits_AreThoseOfTheCode(t *testing.T) {
	const runs = 3
	rng := rand.New(rand.NewPCG(*seed, 6))
	right, strictly, of := 0, 0, 2**mixes
	for i := range of {
		c := drawCoded(rng, 0.5, 1.3)
		holding := 0
		for _, r := range c.routes {
			if slices.Equal(r.steps, callInside) {
				holding++
			}
		}
		if holding < 2 { // there is no choice
			c.routes[len(c.routes)-1].steps = callInside
		}
		d := time.Duration(3000 / c.question(nil).Settings.Rate * 1e9)
		var all [][]codedRequest
		for range runs {
			all = append(all, c.requests(d, rng))
		}
		// others is how long requests of the other routes take in the code, on average.
		others := func(c coded, route int) float64 {
			sum, n := 0.0, 0
			for _, requests := range all {
				requests = slices.Clone(requests)
				c.serve(t, requests, nil)
				for _, r := range requests {
					if r.route != route {
						sum += r.latency.Seconds()
						n++
					}
				}
			}
			return sum / float64(n) * c.question(nil).Settings.Rate // of as many as come per second
		}
		gains := map[string]float64{}
		best := 0.0
		for route, r := range c.routes {
			if !slices.Equal(r.steps, callInside) {
				continue
			}
			mended := c
			mended.routes = slices.Clone(c.routes)
			mended.routes[route].steps = callAfter
			share := 1 - r.rate/c.question(nil).Settings.Rate
			gains[r.name] = share * (others(c, route) - others(mended, route))
			best = max(best, gains[r.name])
		}

		q := c.question(nil)
		q.Settings.Duration = d
		q.Model.Arrivals = Poisson
		for j := range c.routes {
			var lengths []time.Duration
			for _, requests := range all {
				for _, one := range requests {
					if one.route == j {
						lengths = append(lengths, one.call)
					}
				}
			}
			q.Others[j].Model.Calls, q.Others[j].Settings.Slow = lengths, experiment.NewQuantiles(lengths).Mean
		}
		found, err := FindCulprits(q)
		if err != nil {
			t.Fatal(err)
		}
		got := gains[found.All[0].Route]
		if got == best {
			strictly++
		}
		if got >= 0.95*best {
			right++
		} else {
			t.Logf("%d: %s first, which gains %.4g s of waiting per second; the best would be %.4g: %v", i, found.All[0].Route, got, best, gains)
		}
	}
	t.Logf("the first culprit is right in %d of %d, and the very best in %d", right, of, strictly)
	if right < of-1-of/20 {
		t.Errorf("the first culprit is right in %d of %d", right, of)
	}
}
