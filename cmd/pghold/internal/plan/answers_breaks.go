package plan

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// served is the success ratio below which a route has broken.
const served = 0.999

// Breaking is the rate at which a route breaks: at more, a load that lasts is answered
// to less than 99.9 %.
type Breaking struct {
	Case string
	// Rate is in requests per second. 0: it breaks at any. Infinite: at none that the
	// settings know of.
	Rate float64
	// Asked is the rate in the settings.
	Asked float64
	// Stations are what limits it, the least capacity first: the first is what breaks.
	Stations []Station

	answer, clientTimeout time.Duration
}

// Breaks finds the rate at which the question's route breaks.
func Breaks(q Question) (Breaking, error) {
	b := Breaking{
		Case: q.Name, Asked: q.Settings.Rate, Stations: q.stations(),
		answer: q.demand().answer + q.Model.Overheads.Request, clientTimeout: q.Settings.ClientTimeout,
	}
	if b.answer >= b.clientTimeout {
		return b, nil
	}
	// Above its capacity, queues grow for as long as the load lasts. Below it, chance
	// or what comes at once may still be too much for somebody's patience.
	ceiling := q.capacity()
	if ceiling == 0 { // what the other routes take is too much already
		return b, nil
	}
	holds := func(rate float64) (bool, error) {
		r, err := q.atRate(rate).look()
		return err == nil && r.SuccessRatio >= served, err
	}
	if math.IsInf(ceiling, 1) {
		b.Rate = ceiling
		ok, err := holds(q.Settings.Rate)
		if !ok {
			b.Rate = 0
		}
		return b, err
	}
	low, high := 0.0, ceiling
	if ok, err := holds(ceiling); err != nil {
		return b, err
	} else if ok {
		low = ceiling
	}
	for range 12 {
		if high-low <= 0.005*high {
			break
		}
		// Near its end if anywhere: chance takes some percents of the capacity.
		middle := low + 0.75*(high-low)
		ok, err := holds(middle)
		if err != nil {
			return b, err
		}
		if ok {
			low = middle
		} else {
			high = middle
		}
	}
	b.Rate = low
	return b, nil
}

// atRate is the question under a lasting load of so many requests per second: of as
// many as are enough to see queues grow.
func (q Question) atRate(rate float64) Question {
	q.Settings.Rate = rate
	s := &q.Settings
	s.Duration = max(min(4*s.ClientTimeout, atRate(5*enough, rate)), atRate(enough, rate), atRate(2, rate))
	return q.untimed()
}

// Conclusion is the answer in words.
func (b Breaking) Conclusion() experiment.Conclusion {
	c := experiment.Conclusion{About: "breaks", Cases: []string{b.Case}, Figures: map[string]float64{}}
	var limits []string
	for _, s := range b.Stations {
		of := ""
		if s.Others > 0 {
			of = fmt.Sprintf(", less the %s that other routes use", words.Rounded(s.Others))
		}
		limits = append(limits, fmt.Sprintf("%d %s%s, %s each, carry %s/s", s.Places, s.Name, of, words.Short(s.Held), words.Rounded(s.Capacity)))
		c.Figures["capacity_per_s."+strings.ReplaceAll(s.Name, " ", "_")] = s.Capacity
	}
	if !math.IsInf(b.Rate, 1) {
		c.Figures["breaks_per_s"] = b.Rate
	}
	switch {
	case b.answer >= b.clientTimeout:
		c.Sentence = fmt.Sprintf("It breaks at any rate, by the client's deadline: a request takes %s, and its client leaves after %s.", words.Short(b.answer), words.Short(b.clientTimeout))
		return c
	case b.Rate == 0 && len(b.Stations) > 0 && b.Stations[0].Capacity == 0:
		c.Sentence = fmt.Sprintf("It breaks at any rate: the other routes alone need %s of the %d %s.", words.Rounded(b.Stations[0].Others), b.Stations[0].Places, b.Stations[0].Name)
		return c
	case b.Rate == 0:
		c.Sentence = "It breaks at any rate: more than one request in a thousand fails, however few there are."
		return c
	case math.IsInf(b.Rate, 1):
		c.Sentence = "Nothing in the settings limits its rate: what statements cost is not known (--from tells)."
		return c
	}
	first := limits[0]
	if b.Rate < 0.99*b.Stations[0].Capacity {
		first += ", but chance needs room"
	}
	c.Sentence = fmt.Sprintf("It breaks at %s requests/s, by the %s: %s.", words.Rounded(b.Rate), b.Stations[0].Name, first)
	if b.Asked > b.Rate {
		c.Sentence += fmt.Sprintf(" The load is %s times as much.", words.Rounded(b.Asked/b.Rate))
	}
	if len(limits) > 1 {
		c.Sentence += " Further limits: " + strings.Join(limits[1:], "; ") + "."
	}
	return c
}
