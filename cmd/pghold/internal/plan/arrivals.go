package plan

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Arrivals is how requests come.
type Arrivals string

// The ways there are. Recorded times are Model.Times.
const (
	Even    Arrivals = "even"    // as the lab sends them
	Poisson Arrivals = "poisson" // at random, as many users do: as many in the mean
)

// arrivals returns when the next request comes, in ns, as long as there are more.
type arrivals func() (int64, bool)

// coming are the next arrivals of several classes of requests. Where two come at once,
// that of the first class is first.
type coming struct {
	from  []arrivals
	at    []int64 // the next of each; forEver where there is none
	next  int64   // the first of them, and whose it is, where there are more
	class int
	more  bool
}

func (c *coming) begin(from []arrivals) {
	c.from, c.at = from, c.at[:0]
	for class := range from {
		c.at = append(c.at, 0)
		c.draw(class)
	}
	c.first()
}

// advance goes on to the arrival after the next.
func (c *coming) advance() {
	c.draw(c.class)
	c.first()
}

func (c *coming) draw(class int) {
	at, more := c.from[class]()
	if !more {
		at = forEver
	}
	c.at[class] = at
}

func (c *coming) first() {
	c.class = 0
	for class, at := range c.at {
		if at < c.at[c.class] {
			c.class = class
		}
	}
	c.next = c.at[c.class]
	c.more = c.next != forEver
}

// arrivals are all requests.
func (m Model) arrivals(s experiment.Settings, rng *rand.Rand) arrivals {
	switch {
	case len(m.Times) > 0:
		return recorded(m.Times, 0, 1)
	case m.Arrivals == Poisson:
		return poisson(s.Rate, s.Duration, rng)
	}
	return late(even(s.Rate, s.Requests(), 0, 1), m.Overheads.Late, rng)
}

// arrivalsOf are the requests that the n-th replica gets.
func (m Model) arrivalsOf(n int, s experiment.Settings, rng *rand.Rand) arrivals {
	switch {
	case len(m.Times) > 0:
		return recorded(m.Times, n, m.Replicas)
	case m.Arrivals == Poisson && m.RandomReplica:
		return poisson(s.Rate/float64(m.Replicas), s.Duration, rng)
	case m.Arrivals == Poisson:
		return poissonInTurn(s.Rate, s.Duration, n, m.Replicas, rng)
	}
	return late(even(s.Rate, s.Requests(), n, m.Replicas), m.Overheads.Late, rng)
}

// even returns the times of n requests at a rate, the first at 0; from one of them, by
// number, and of those that follow every so many.
func even(rate float64, n, from, every int) arrivals {
	i := from
	return func() (int64, bool) {
		if i >= n {
			return 0, false
		}
		at := int64(math.Round(float64(i) / rate * 1e9))
		i += every
		return at, true
	}
}

// late returns the times of another, each of them late by some of what is measured. Who
// is so late that the next would be before him takes that along.
func late(on arrivals, by Spread, rng *rand.Rand) arrivals {
	if by == (Spread{}) {
		return on
	}
	last := int64(0)
	return func() (int64, bool) {
		at, more := on()
		if more {
			last = max(last, at+by.sample(rng))
		}
		return last, more
	}
}

// recorded returns times that are given, from one of them, and every so many.
func recorded(times []time.Duration, from, every int) arrivals {
	i := from
	return func() (int64, bool) {
		if i >= len(times) {
			return 0, false
		}
		at := int64(times[i])
		i += every
		return at, true
	}
}

// poisson returns times at random, until a duration is over.
func poisson(rate float64, d time.Duration, rng *rand.Rand) arrivals {
	at := 0.0
	return func() (int64, bool) {
		at += rng.ExpFloat64() / rate * 1e9
		return int64(at), at < float64(d)
	}
}

// poissonInTurn returns, of times at random, those of one replica, which gets one of so
// many in turn.
func poissonInTurn(rate float64, d time.Duration, n, of int, rng *rand.Rand) arrivals {
	at, gaps := 0.0, n+1
	return func() (int64, bool) {
		at += gamma(float64(gaps), rng) / rate * 1e9
		gaps = of
		return int64(at), at < float64(d)
	}
}

// gamma returns the sum of so many exponential times of mean 1. Marsaglia and Tsang, "A
// Simple Method for Generating Gamma Variables" (2000), doi 10.1145/358407.358414; for
// shapes of 1 and more.
func gamma(shape float64, rng *rand.Rand) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
