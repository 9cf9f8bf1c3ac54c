package plan

import (
	"fmt"
	"math"
	"time"
)

// SquareRootStaffing is a first guess at how many places a load of a Erlangs needs, a +
// β√a: the load, and a reserve for chance, which becomes relatively smaller as the load
// grows. With β = 1 about 22 % have to wait, with β = 2 about 3 %. S. Halfin and W. Whitt, "Heavy-Traffic Limits for Queues with Many Exponential Servers" (1981),
// doi 10.1287/opre.29.3.567.
func SquareRootStaffing(load, beta float64) (int, error) {
	switch {
	case !(load > 0) || load > math.MaxInt32:
		return 0, fmt.Errorf("a load of %v Erlangs: it must be above zero, and no more than %d", load, math.MaxInt32)
	case !(beta >= 0) || beta > 100:
		return 0, fmt.Errorf("a β of %v: it is between 0 and 100, and mostly 1 to 2", beta)
	}
	return max(1, int(math.Ceil(load+beta*math.Sqrt(load)))), nil
}

// PlacesFor is the least number of places with which no more than a share epsilon of the
// requests waits longer than longest, by Queue.ErlangC: for requests that come at random
// and for ever, and exponential holds. Where they come evenly, or their holds are alike,
// fewer do.
func PlacesFor(rate float64, hold, longest time.Duration, epsilon float64) (int, error) {
	q := Queue{Rate: rate, Hold: hold, Places: 1}
	if err := q.validate(); err != nil {
		return 0, err
	}
	switch {
	case longest < 0:
		return 0, fmt.Errorf("a wait of %v: a time cannot be negative", longest)
	case !(epsilon > 0 && epsilon < 1):
		return 0, fmt.Errorf("a share of %v: it must be between 0 and 1", epsilon)
	case q.Load() > math.MaxInt32:
		return 0, fmt.Errorf("a load of %.4g Erlangs: that is more than there are connections in the world", q.Load())
	}
	b := 1.0
	for ; ; q.Places++ { // ErlangB's recursion goes along
		b = q.Load() * b / (float64(q.Places) + q.Load()*b)
		if q.Utilisation() < 1 && q.wait(b).Longer(longest) <= epsilon {
			return q.Places, nil
		}
	}
}
