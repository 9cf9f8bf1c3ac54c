package upstream

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// Shapes of the delay.
const (
	// Fixed: every call takes the same time.
	Fixed = "fixed"
	// Lognormal: most calls are faster than the mean and some far slower, with a
	// standard deviation as large as the mean.
	Lognormal = "lognormal"
	// Stalls: as Fixed, but every 20th call fails as with Never.
	Stalls = "stalls"
)

const stallEvery = 20

// delays draws the delay of each call.
type delays struct {
	mean  time.Duration
	shape string

	mu    sync.Mutex // guards what follows
	rand  *rand.Rand
	calls int
}

func newDelays(cfg Config) (*delays, error) {
	d := &delays{mean: cfg.Delay, shape: cfg.Shape, rand: rand.New(rand.NewPCG(cfg.Seed, 0))}
	if d.shape == "" {
		d.shape = Fixed
	}
	switch {
	case d.mean < 0:
		return nil, fmt.Errorf("upstream: a delay of %v is less than none", d.mean)
	case d.shape != Fixed && d.shape != Lognormal && d.shape != Stalls:
		return nil, fmt.Errorf("upstream: no delay has the shape %q, only %s, %s and %s", d.shape, Fixed, Lognormal, Stalls)
	}
	return d, nil
}

// next is the delay of the next call, and whether it stalls.
func (d *delays) next() (delay time.Duration, stalls bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if d.shape == Lognormal {
		// exp(mu + sigma z) has the mean exp(mu + sigma²/2) and the coefficient of
		// variation sqrt(exp(sigma²) - 1), which is 1 where sigma² is ln 2.
		mu := math.Log(float64(d.mean)) - math.Ln2/2
		return time.Duration(math.Exp(mu + math.Sqrt(math.Ln2)*d.rand.NormFloat64())), false
	}
	return d.mean, d.shape == Stalls && d.calls%stallEvery == 0
}

// sleep waits for d or until ctx ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
