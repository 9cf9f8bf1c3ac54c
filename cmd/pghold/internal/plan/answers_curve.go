package plan

import (
	"math"
	"slices"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Curve predicts the question at so many rates, up to twice the one at which it
// breaks, or the one that is asked about where it does not. What until is, is for Breaks.
func Curve(q Question, points int, until ...Target) (experiment.Curve, error) {
	b, err := Breaks(q, until...)
	c := experiment.Curve{Name: q.Name, Knee: b.Rate, Why: b.Why, Asked: q.Settings.Rate, ClientTimeout: q.Settings.ClientTimeout}
	if err != nil {
		return c, err
	}
	end := 2 * b.Rate
	if end == 0 || math.IsInf(end, 1) {
		end = 2 * q.Settings.Rate
	}
	rates := make([]float64, points)
	for i := range rates {
		rates[i] = end * float64(i+1) / float64(points)
	}
	if b.Rate > 0 && b.Rate < end && !slices.Contains(rates, b.Rate) {
		rates = append(rates, b.Rate)
		slices.Sort(rates)
	}
	for _, rate := range rates {
		r, err := q.atRate(rate).look()
		if err != nil {
			return c, err
		}
		c.Points = append(c.Points, experiment.RatePoint{Rate: rate, SuccessRatio: r.SuccessRatio, P99: r.Latency.P99})
	}
	return c, nil
}
