package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// longestDrain is how long handlers may go on after the last client has left, in the
// experiment's own time, for a case to be drawn: a lab has to wait for it.
const longestDrain = 60 * time.Second

// Draw draws n cases at random, to compare what is predicted with what the lab
// measures: the seed's four routes and the three pools in turn, 20 to 150 requests/s
// for 3 to 20 s, 2 to 40 connections, a slow call of 0.5 to 3 s, 10 to 80 threads, and
// time-outs of 3 to 40 s. Cases whose handlers would go on for more than a minute after
// their last client are drawn again.
func Draw(n int, seed uint64, speed float64) ([]experiment.Case, error) {
	rng := rand.New(rand.NewPCG(seed, 1))
	between := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	seconds := func(low, high float64) time.Duration {
		return time.Duration(between(low, high)*1000) * time.Millisecond
	}
	routes := experiment.RoutesOf("seed")
	var cases []experiment.Case
	for len(cases) < n {
		i := len(cases)
		s := experiment.Defaults()
		s.Speed = speed
		s.Rate = math.Round(between(20, 150))
		s.Duration, s.Slow = seconds(3, 20), seconds(0.5, 3)
		s.ClientTimeout, s.PoolTimeout = seconds(3, 40), seconds(3, 40)
		s.Threads = 10 + rng.IntN(71)
		connections := 2 + rng.IntN(39)
		s.Pool = experiment.Pools[i/len(routes)%len(experiment.Pools)]
		s.PoolSize, s.MaxOverflow = connections, 0
		if s.Pool == experiment.QueuePool {
			s.MaxOverflow = rng.IntN(connections)
			s.PoolSize = connections - s.MaxOverflow
		}
		c := experiment.Case{Name: fmt.Sprintf("%s@%d", routes[i%len(routes)].Name, i+1), Route: routes[i%len(routes)], Settings: s}
		r, err := predictCase(c, Model{})
		if err != nil {
			return nil, err
		}
		if r.DrainedAfter <= longestDrain {
			cases = append(cases, c)
		}
	}
	return cases, nil
}
