package plan

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Burst is a load that ends: requests that come evenly, in order, to places that each
// holds for the same time (D/D/c). It is the seed's experiment, as far as its
// connections or its threads alone decide, and exact.
//
// Where more come than can be served, the i-th of them (from 0) is answered h + k(h-c/λ)
// after it came, with k = ⌊i/c⌋: each round of c requests is later than the one before
// by what it waited for longer.
type Burst struct {
	Rate     float64       // λ, requests per second
	Duration time.Duration // for which they come
	Hold     time.Duration // h
	Places   int           // c
	// Patience is how long a request waits for a place before it goes away, as with a
	// pool's timeout. Default 0: for ever.
	Patience time.Duration
}

// Requests is how many there are.
func (b Burst) Requests() int { return int(math.Round(b.Rate * b.Duration.Seconds())) }

// Served is how many requests are answered within a client's timeout, T. A client that
// has left keeps its place in the queue. It is refused where the patience is neither
// longer than all waits nor so long that who has waited for it is of no use any more
// (D < T-h+c/λ): those that go away make room there for others.
func (b Burst) Served(clientTimeout time.Duration) (int, error) {
	if err := b.validate(); err != nil {
		return 0, err
	}
	t, h, later := clientTimeout.Seconds(), b.Hold.Seconds(), b.later()
	if t <= h {
		return 0, nil
	}
	useless := t - h + float64(b.Places)/b.Rate
	if b.goesAway() && b.Patience.Seconds() < useless {
		return 0, fmt.Errorf("requests go away after %v, and others are served in their place: the formula does not know how many (from %v on it does)",
			b.Patience, seconds(useless).Round(time.Millisecond))
	}
	n := b.Requests()
	if later == 0 {
		return n, nil
	}
	rounds := math.Ceil((t - h) / later) // h + k·later < T
	return min(n, int(min(float64(b.Places)*rounds, float64(n)))), nil
}

// LastLatency is how long after it came the last request is answered, whether its
// client is there or not. It is refused where requests go away before.
func (b Burst) LastLatency() (time.Duration, error) {
	if err := b.validate(); err != nil {
		return 0, err
	}
	if b.goesAway() {
		return 0, b.errGoesAway()
	}
	return b.Hold + b.longestWait(), nil
}

// Drain is how long it takes from the first request to the last answer: about λTh/c, for
// a load of T. It is refused where requests go away before they are served.
func (b Burst) Drain() (time.Duration, error) {
	last, err := b.LastLatency()
	return seconds(float64(b.Requests()-1)/b.Rate) + last, err
}

// later is by how much each round is later than the one before, in seconds.
func (b Burst) later() float64 { return max(0, b.Hold.Seconds()-float64(b.Places)/b.Rate) }

func (b Burst) longestWait() time.Duration {
	return seconds(float64((b.Requests()-1)/b.Places) * b.later())
}

func (b Burst) goesAway() bool { return b.Patience > 0 && b.longestWait() >= b.Patience }

func (b Burst) errGoesAway() error {
	return fmt.Errorf("the last request would wait %v for its place and goes away after %v: the formula does not know what becomes of the others then",
		b.longestWait().Round(time.Millisecond), b.Patience)
}

func (b Burst) validate() error {
	if err := (Queue{b.Rate, b.Hold, b.Places}).validate(); err != nil {
		return err
	}
	switch {
	case b.Patience < 0:
		return fmt.Errorf("a patience of %v: a time cannot be negative", b.Patience)
	case b.Requests() < 1:
		return errors.New("the load is over before the first request: there is nothing to be served")
	}
	return nil
}
