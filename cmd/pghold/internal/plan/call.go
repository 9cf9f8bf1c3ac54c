package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Exponential is a shape of the slow call that only a plan has, beside
// experiment.Shapes.
const Exponential = "exponential"

// Shapes are the shapes that a plan has.
var Shapes = []string{experiment.Fixed, Exponential, experiment.Lognormal, experiment.Stalls}

// sampler returns how long the next slow call takes, in ns. sigma is the standard
// deviation of the logarithm of a lognormal length.
func sampler(shape string, mean time.Duration, sigma float64, samples []time.Duration) (func(*rand.Rand) int64, error) {
	m := float64(mean)
	if len(samples) > 0 {
		for _, d := range samples {
			if d < 0 {
				return nil, fmt.Errorf("a recorded slow call took %v: a time cannot be negative", d)
			}
		}
		return func(rng *rand.Rand) int64 { return int64(samples[rng.IntN(len(samples))]) }, nil
	}
	if mean < 0 {
		return nil, fmt.Errorf("the slow call takes %v: a time cannot be negative", mean)
	}
	switch shape {
	case experiment.Fixed, "":
		return func(*rand.Rand) int64 { return int64(mean) }, nil
	case Exponential:
		return func(rng *rand.Rand) int64 { return int64(m * rng.ExpFloat64()) }, nil
	case experiment.Lognormal:
		mu := math.Log(max(m, 1)) - sigma*sigma/2
		return func(rng *rand.Rand) int64 { return int64(math.Exp(mu + sigma*rng.NormFloat64())) }, nil
	case experiment.Stalls:
		calls := 0
		return func(*rand.Rand) int64 {
			if calls++; calls%20 == 0 {
				return stalled
			}
			return int64(mean)
		}, nil
	}
	return nil, fmt.Errorf("there is no shape %q of a slow call", shape)
}

// stalled is how long a call takes that is never answered: its handler gives up before.
const stalled = forEver
