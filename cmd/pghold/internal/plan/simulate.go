package plan

import (
	"runtime"
	"sync"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// simulate runs a case and returns what was seen.
func simulate(c experiment.Case, m Model) (*stats, error) {
	m.Replicas = max(1, m.Replicas)
	if m.apart(c) {
		return simulateApart(c, m)
	}
	sm, err := newSim(c, m, m.Replicas)
	if err != nil {
		return nil, err
	}
	sm.run(m.arrivals(c.Settings, m.chance(forArrivals)))
	return sm.stats, sm.err
}

// forArrivals is of what the arrivals are, when they come by chance. They are the same
// whatever else happens by chance.
const forArrivals = 1 << 32

// apart reports whether nothing that happens in one replica matters to another, so that
// each can be simulated by itself. That is the same where nothing happens by chance, and
// as likely where something does.
func (m Model) apart(c experiment.Case) bool {
	shared := c.Settings.PgBouncer > 0 || m.Cores > 0 || c.Route.Updates() || m.shape(c) == experiment.Stalls
	split := !m.RandomReplica || len(m.Times) == 0 && m.Arrivals == Poisson // at random, even arrivals depend on each other
	return m.Replicas > 1 && !shared && split
}

// groups is how many parts the replicas are simulated in. It does not hang on the
// machine, so that the sums do not either.
const groups = 32

// simulateApart simulates each replica by itself, in as many goroutines as there are
// processors, and adds up what was seen.
func simulateApart(c experiment.Case, m Model) (sum *stats, err error) {
	err = m.sharing(min(runtime.GOMAXPROCS(0), groups, m.Replicas), func(m Model, workers int) error {
		sum, err = simulateParts(c, m, workers)
		return err
	})
	return sum, err
}

func simulateParts(c experiment.Case, m Model, workers int) (*stats, error) {
	parts := make([]*stats, min(groups, m.Replicas))
	errs := make([]error, len(parts))
	next := make(chan int)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for part := range next {
				parts[part], errs[part] = simulatePart(c, m, part, len(parts))
			}
		})
	}
	for part := range parts {
		next <- part
	}
	close(next)
	running.Wait()
	for i, part := range parts {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if i > 0 {
			parts[0].merge(part)
		}
	}
	return parts[0], nil
}

// simulatePart simulates every of-th replica, one after the other.
func simulatePart(c experiment.Case, m Model, part, of int) (*stats, error) {
	sm, err := newSim(c, m, 1)
	if err != nil {
		return nil, err
	}
	seen := &stats{clientTimeout: sm.stats.clientTimeout}
	for n := part; n < m.Replicas; n += of {
		sm.rng = m.chance(uint64(n))
		sm.run(m.arrivalsOf(n, c.Settings, m.chance(forArrivals+uint64(n))))
		if sm.err != nil {
			return nil, sm.err
		}
		seen.merge(sm.stats)
		sm.stats.reset()
	}
	return seen, nil
}
