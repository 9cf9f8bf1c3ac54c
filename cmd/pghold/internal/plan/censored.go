package plan

import (
	"cmp"
	"slices"
	"time"
)

// censored returns lengths like those that were observed, of which ended are those that
// came to their end, in all so many of them, and open those that had not, as long as they
// were by then. Leaving these out would make the lengths too short, for the long ones are
// more often open.
//
// It is Kaplan and Meier's product-limit estimator: "Nonparametric Estimation from
// Incomplete Observations" (1958), doi 10.1080/01621459.1958.10501452. Where the longest of
// all is open it counts as ended (Efron 1967), so that what is still to come of it is
// missing.
func censored(ended []time.Duration, count float64, open []time.Duration) []time.Duration {
	if len(open) == 0 || len(ended) == 0 {
		return ended
	}
	type observation struct {
		d      time.Duration
		weight float64
		open   bool
	}
	var all []observation
	for _, d := range ended {
		all = append(all, observation{d, count / float64(len(ended)), false})
	}
	for _, d := range open {
		all = append(all, observation{d, 1, true})
	}
	slices.SortStableFunc(all, func(a, b observation) int { // one that ends does so before another is last seen
		if a.d == b.d && a.open != b.open {
			if a.open {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.d, b.d)
	})
	atRisk := count + float64(len(open))
	survive := 1.0
	lengths := make([]time.Duration, len(ended))
	next := 0 // of the lengths; the i-th is the (i+½)/n quantile
	for _, o := range all {
		if !o.open {
			survive *= max(0, 1-o.weight/atRisk)
			for ; next < len(lengths) && (float64(next)+0.5)/float64(len(lengths)) <= 1-survive+1e-12; next++ {
				lengths[next] = o.d
			}
		}
		atRisk -= o.weight
	}
	for ; next < len(lengths); next++ {
		lengths[next] = all[len(all)-1].d
	}
	return lengths
}
