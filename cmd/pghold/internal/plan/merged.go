package plan

import (
	"slices"
	"time"

	"github.com/pghold/pghold"
)

// Merged is what several replicas of a service recorded, as one, and of how many replicas it
// is. Snapshots of one recorder, which began at the same moment, are of one replica: the last
// one counts. A pool's size is that of one replica, on average.
//
// Replicas that recorded for less long than others are taken to have had no requests before.
func Merged(snapshots []*pghold.Snapshot) (sum *pghold.Snapshot, replicas int) {
	last := map[time.Time]*pghold.Snapshot{}
	var order []time.Time
	for _, s := range snapshots {
		switch known := last[s.Began]; {
		case known == nil:
			order = append(order, s.Began)
			last[s.Began] = s
		case s.Taken.After(known.Taken):
			last[s.Began] = s
		}
	}
	replicas = len(order)
	sum = last[order[0]]
	if replicas == 1 {
		return sum, 1
	}
	merged := *sum
	merged.Pools, merged.Series, merged.Open = slices.Clone(sum.Pools), nil, slices.Clone(sum.Open)
	merged.Windows, merged.Waiters = slices.Clone(sum.Windows), slices.Clone(sum.Waiters)
	for i := range merged.Windows {
		merged.Windows[i].Routes, merged.Windows[i].Pools = slices.Clone(merged.Windows[i].Routes), slices.Clone(merged.Windows[i].Pools)
	}
	merged.Merge(&pghold.Snapshot{Began: sum.Began, Taken: sum.Taken, Series: sum.Series}) // which copies them
	of := map[string]int{}
	for i := range sum.Pools {
		of[sum.Pools[i].Name]++
	}
	for _, began := range order[1:] {
		merged.Merge(last[began])
		for _, p := range last[began].Pools {
			of[p.Name]++
		}
	}
	for i := range merged.Pools {
		p := &merged.Pools[i]
		p.Max = (p.Max + of[p.Name] - 1) / of[p.Name]
	}
	return &merged, replicas
}
