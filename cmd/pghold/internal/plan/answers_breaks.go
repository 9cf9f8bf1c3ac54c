package plan

import (
	"fmt"
	"math"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Breaking is the rate at which a route breaks: at more, targets are not met by a load
// that lasts.
type Breaking struct {
	Case string
	// Rate is in requests per second. 0: it breaks at any. Infinite: at none that the
	// settings know of.
	Rate float64
	// Asked is the rate in the settings.
	Asked float64
	// Stations are what limits it, the least capacity first: the first is what breaks.
	Stations []Station
	// Why says, where it breaks at any rate, by what.
	Why string
	// Targets are what holds up to Rate.
	Targets []Target
}

// served is the share of a load that is answered where nothing is broken.
const served = 0.999

// Served is the target that Breaks has by default.
var Served = Target{Field: "success", Value: served, text: "success>=0.999"}

// Breaks finds the rate from which on the targets are not met where the load lasts.
// Default Served.
func Breaks(q Question, targets ...Target) (Breaking, error) {
	if len(targets) == 0 {
		targets = []Target{Served}
	}
	b := Breaking{Case: q.Name, Asked: q.Settings.Rate, Stations: q.stations(), Targets: targets}
	answer := q.demand().answer + q.Model.Overheads.Request
	if answer >= q.Settings.ClientTimeout {
		b.Why = fmt.Sprintf("by the client's deadline: a request takes %s, and its client leaves after %s", words.Short(answer), words.Short(q.Settings.ClientTimeout))
		return b, nil
	}
	// Above its capacity, queues grow for as long as the load lasts. Below it, chance
	// or what comes at once may still be too much for somebody's patience.
	ceiling := q.capacity()
	if ceiling == 0 && len(b.Stations) > 0 {
		b.Why = fmt.Sprintf("the other routes alone need %s of the %d %s", words.Rounded(b.Stations[0].Others), b.Stations[0].Places, b.Stations[0].Name)
		return b, nil
	}
	holds := func(rate float64) (bool, error) {
		r, err := q.atRate(rate).look()
		return err == nil && allMet(targets, r), err
	}
	// anyRate says why the targets are not met, however few requests come.
	anyRate := func(rate float64) (err error) {
		few := q.atRate(rate)
		if b.Why, err = forbids(few, targets); err != nil || b.Why != nothingElse {
			return err
		}
		r, err := few.look()
		if err == nil {
			b.Why = "of the few that come " + failures(r.Outcomes)
		}
		return err
	}
	if math.IsInf(ceiling, 1) {
		b.Rate = ceiling
		ok, err := holds(q.Settings.Rate)
		if err == nil && !ok {
			b.Rate = 0
			err = anyRate(q.Settings.Rate)
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
	if b.Rate = low; low == 0 {
		return b, anyRate(high)
	}
	return b, nil
}

// failures says how many of the requests were not answered, and why.
func failures(o experiment.Outcomes) string {
	all := float64(o.OK + o.ClientTimeout + o.PoolTimeout + o.Rejected + o.Error)
	var parts []string
	for _, f := range []struct {
		n    int
		what string
	}{
		{o.ClientTimeout, "are not answered before their client leaves"}, {o.PoolTimeout, "get no connection before the pool timeout"},
		{o.Rejected, "are refused, because too many are in flight"}, {o.Error, "fail"},
	} {
		if f.n > 0 {
			parts = append(parts, words.SmallRatio(float64(f.n)/max(1, all))+" "+f.what)
		}
	}
	return inWords(parts)
}

// atRate is the question under a lasting load of so many requests per second: of as
// many as are enough to see queues grow.
func (q Question) atRate(rate float64) Question {
	q.Settings.Rate = rate
	if q.Model.Service {
		return q.lastingFor(toLook)
	}
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
	case b.Rate == 0 && strings.HasPrefix(b.Why, "by "):
		c.Sentence = fmt.Sprintf("It breaks at any rate, %s.", b.Why)
		return c
	case b.Rate == 0:
		c.Sentence = fmt.Sprintf("It breaks at any rate (%s is not met, however few requests come): %s.", namesOf(b.Targets), b.Why)
		return c
	case math.IsInf(b.Rate, 1):
		c.Sentence = "Nothing in the settings limits its rate: what statements cost is not known (--from tells)."
		return c
	}
	first := limits[0]
	if b.Rate < 0.99*b.Stations[0].Capacity {
		first += ", but chance needs room"
	}
	until := ""
	if len(b.Targets) != 1 || b.Targets[0] != Served {
		until = fmt.Sprintf(" (from there on %s is not met)", namesOf(b.Targets))
	}
	c.Sentence = fmt.Sprintf("It breaks at %s requests/s%s, by the %s: %s.", words.Rounded(b.Rate), until, b.Stations[0].Name, first)
	if b.Asked > b.Rate {
		c.Sentence += fmt.Sprintf(" The load is %s times as much.", words.Rounded(b.Asked/b.Rate))
	}
	if len(limits) > 1 {
		c.Sentence += " Further limits: " + strings.Join(limits[1:], "; ") + "."
	}
	return c
}
