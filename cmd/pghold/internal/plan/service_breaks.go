package plan

import (
	"fmt"
	"math"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// searches is how many times, with seeds of their own, it is looked for the rate at which
// a service breaks.
const searches = 5

// Breaks says at what rate the service breaks, with an interval.
func (s Service) Breaks(targets []Target) (experiment.Conclusion, error) {
	q := s.Question()
	if !q.chance() {
		b, err := Breaks(q, targets...)
		return b.Conclusion(), err
	}
	var all []float64
	var b Breaking
	for i := range searches {
		q.Model.Seed = s.Seed + uint64(i)*Replications
		var err error
		if b, err = Breaks(q, targets...); err != nil {
			return experiment.Conclusion{}, err
		}
		if b.Rate == 0 || math.IsInf(b.Rate, 1) {
			return b.Conclusion(), nil
		}
		all = append(all, b.Rate)
	}
	low, high := intervalOf(all)
	sum := 0.0
	for _, rate := range all {
		sum += rate
	}
	b.Rate = sum / searches
	c := b.Conclusion()
	if low != high {
		c.Figures["breaks_low_per_s"], c.Figures["breaks_high_per_s"] = low, high
		c.Sentence += fmt.Sprintf(" (With a probability of 95 %% it is between %s and %s.)", words.Rounded(low), words.Rounded(high))
	}
	return c, nil
}
