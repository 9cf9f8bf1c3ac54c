package plan

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// simulate runs a question and returns what was seen.
func simulate(q Question) (*counted, error) {
	q.Model.Replicas = max(1, q.Model.Replicas)
	if q.apart() {
		return simulateApart(q)
	}
	sm, err := newSim(q, q.Model.Replicas)
	if err != nil {
		return nil, err
	}
	sm.run(q.arrivals()...)
	return sm.seen(), sm.err
}

// warmUp is how long requests come before those that count.
func (q Question) warmUp() time.Duration {
	if slices.ContainsFunc(q.classes(), func(c Question) bool { return len(c.Model.Times) > 0 }) {
		return 0
	}
	return q.Model.WarmUp
}

// arrivals are the requests of each of the question's classes.
func (q Question) arrivals() (all []arrivals) {
	for class, c := range q.classes() {
		c.Settings.Duration += c.warmUp()
		all = append(all, c.Model.arrivals(c.Settings, c.Model.chance(forArrivals+uint64(class)<<ofClass)))
	}
	return all
}

// arrivalsOf are those that the n-th replica gets.
func (q Question) arrivalsOf(n int) (all []arrivals) {
	for class, c := range q.classes() {
		c.Settings.Duration += c.warmUp()
		all = append(all, c.Model.arrivalsOf(n, c.Settings, c.Model.chance(forArrivals+uint64(class)<<ofClass+uint64(n))))
	}
	return all
}

// forArrivals is of what the arrivals are, when they come by chance. They are the same
// whatever else happens by chance.
const forArrivals = 1 << 32

// ofClass is by how far the chance of one class's arrivals is from that of the next.
const ofClass = 33

// apart reports whether nothing that happens in one replica matters to another, so that
// each can be simulated by itself. That is the same where nothing happens by chance, and
// as likely where something does.
func (q Question) apart() bool {
	m := q.Model
	shared := q.Settings.PgBouncer > 0 || m.Cores > 0
	atRandom := m.RandomReplica && m.Arrivals == Poisson // at random, even arrivals depend on each other
	split := !m.RandomReplica && len(q.Others) == 0 || atRandom
	for _, c := range q.classes() {
		shared = shared || c.Route.Updates() || c.Model.shape(c.Case) == experiment.Stalls
		split = split && (len(c.Model.Times) == 0 || !m.RandomReplica)
	}
	return m.Replicas > 1 && !shared && split
}

// groups is how many parts the replicas are simulated in. It does not hang on the
// machine, so that the sums do not either.
const groups = 32

// simulateApart simulates each replica by itself, in as many goroutines as there are
// processors, and adds up what was seen.
func simulateApart(q Question) (sum *counted, err error) {
	err = q.Model.sharing(min(runtime.GOMAXPROCS(0), groups, q.Model.Replicas), func(m Model, workers int) error {
		q.Model = m
		sum, err = simulateParts(q, workers)
		return err
	})
	return sum, err
}

func simulateParts(q Question, workers int) (*counted, error) {
	parts := make([]*counted, min(groups, q.Model.Replicas))
	errs := make([]error, len(parts))
	next := make(chan int)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for part := range next {
				parts[part], errs[part] = simulatePart(q, part, len(parts))
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
func simulatePart(q Question, part, of int) (*counted, error) {
	sm, err := newSim(q, 1)
	if err != nil {
		return nil, err
	}
	all := &counted{pool: &stats{}}
	for range sm.counted {
		all.classes = append(all.classes, &stats{clientTimeout: sm.clientTimeout})
	}
	for n := part; n < q.Model.Replicas; n += of {
		sm.rng = q.Model.chance(uint64(n))
		sm.run(q.arrivalsOf(n)...)
		if sm.err != nil {
			return nil, sm.err
		}
		all.merge(sm.seen())
		sm.forget()
	}
	return all, nil
}
