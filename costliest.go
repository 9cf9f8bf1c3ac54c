package pghold

import (
	"slices"
	"time"
)

// Folded is the route under which holds are counted together when there are more
// combinations than Config.MaxSeries, and the name under which slow calls are when
// a series has more than maxPlaces of them. Those that cost most keep their names,
// whatever came first: who comes when there is no room takes the place of the one that
// has cost least, and starts with an error as large as what that had (the algorithm is
// Space-Saving: Metwally, Agrawal, El Abbadi, Efficient Computation of Frequent and Top-k
// Elements in Data Streams, 2005). The sums under a name are what was counted under it;
// Missed is the error. What cost much more than an equal share of the whole, of as many
// as are kept, has its name.
const Folded = "(other)"

// costing is what may have to give way.
type costing interface {
	cost() time.Duration // its error counted
	named() bool         // false for what has given way
}

// least is the index of what has cost least of those that have names, -1 where there
// are fewer than most of these.
func least[T costing](all []T, most int) int {
	at, named := -1, 0
	for i := range all {
		if !all[i].named() {
			continue
		}
		if named++; at < 0 || all[i].cost() < all[at].cost() {
			at = i
		}
	}
	if named < most {
		return -1
	}
	return at
}

// keepCostliest adds more to what is of the same place in all, of which at most so many
// have names, and returns where it is now.
func keepCostliest[T costing, P interface {
	*T
	samePlace(T) bool
	add(T)
	detach()            // from what others have
	miss(time.Duration) // adds to its error
	fold()              // takes its name away
}](all *[]T, more T, most int) P {
	if i := slices.IndexFunc(*all, func(o T) bool { return P(&o).samePlace(more) }); i >= 0 {
		P(&(*all)[i]).add(more)
		return &(*all)[i]
	}
	P(&more).detach()
	at := len(*all)
	if i := least(*all, most); i >= 0 && more.named() {
		out := (*all)[i]
		P(&more).miss(out.cost())
		at, (*all)[i] = i, more
		P(&out).fold()
		keepCostliest[T, P](all, out, most)
	} else {
		*all = append(*all, more)
	}
	return &(*all)[at]
}
