package plan

import (
	"math/rand/v2"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Spread is how the lengths of something differ, by some of their quantiles. The slowest
// twentieth counts as P95: what makes it so slow, a connection that is opened or a machine
// that does something else, is not what makes the others differ. The zero Spread is of
// what does not differ.
type Spread struct{ Min, P50, P90, P95 time.Duration }

// spreadOf has the quantiles of what was measured.
func spreadOf(q experiment.Quantiles) Spread { return Spread{q.Min, q.P50, q.P90, q.P95} }

// sample returns one of the lengths at random, in ns: each between two quantiles is as
// likely as any other.
func (s *Spread) sample(rng *rand.Rand) int64 {
	between := func(a, b time.Duration, u, from, to float64) int64 {
		return int64(a) + int64(float64(b-a)*(u-from)/(to-from))
	}
	switch u := rng.Float64(); {
	case u < 0.50:
		return between(s.Min, s.P50, u, 0, 0.50)
	case u < 0.90:
		return between(s.P50, s.P90, u, 0.50, 0.90)
	case u < 0.95:
		return between(s.P90, s.P95, u, 0.90, 0.95)
	}
	return int64(s.P95)
}

// mean is that of what sample returns.
func (s Spread) mean() time.Duration {
	return time.Duration(0.25*float64(s.Min) + 0.45*float64(s.P50) + 0.225*float64(s.P90) + 0.075*float64(s.P95))
}

// centred is the same with a mean of zero.
func (s Spread) centred() Spread {
	m := s.mean()
	return Spread{s.Min - m, s.P50 - m, s.P90 - m, s.P95 - m}
}

// medianSpread has the median of each quantile.
func medianSpread(all []Spread) Spread {
	of := func(f func(Spread) time.Duration) time.Duration {
		var ds []time.Duration
		for _, s := range all {
			ds = append(ds, f(s))
		}
		return median(ds)
	}
	return Spread{
		of(func(s Spread) time.Duration { return s.Min }), of(func(s Spread) time.Duration { return s.P50 }),
		of(func(s Spread) time.Duration { return s.P90 }), of(func(s Spread) time.Duration { return s.P95 }),
	}
}
