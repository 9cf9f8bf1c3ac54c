package watch

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of the histogram of gaps, from a millisecond up.
var bounds = [...]time.Duration{
	1 * time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	1 * time.Second, 2 * time.Second, 5 * time.Second,
	10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
}

// maxHistograms is how many of them there are; what comes then is counted in Other's.
const maxHistograms = 100

// histogramKey is what gaps have a histogram by.
type histogramKey struct{ application, user, database string }

// histogram counts gaps by how long they were.
type histogram [len(bounds) + 1]struct{ count, sum atomic.Int64 }

func (h *histogram) add(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h[i].count.Add(1)
	h[i].sum.Add(int64(d))
}

// Bin is the gaps that were longer than the bound of the bin before, and not longer
// than its own.
type Bin struct {
	UpTo  *Seconds `json:"up_to_s"` // none for the last
	Count int64    `json:"count"`
	Sum   Seconds  `json:"sum_s"`
}

// Histogram is how long gaps were that have ended.
type Histogram struct {
	Application string `json:"application_name"`
	User        string `json:"user"`
	Database    string `json:"database"`
	Bins        []Bin  `json:"bins"`
}

func (h *histogram) bins() []Bin {
	bins := make([]Bin, len(h))
	for i := range h {
		bins[i].Count, bins[i].Sum = h[i].count.Load(), Seconds(h[i].sum.Load())
		if i < len(bounds) {
			bound := Seconds(bounds[i])
			bins[i].UpTo = &bound
		}
	}
	return bins
}

// histogramOf is where a client's gaps are counted. Its caller has the lock.
func (l *Ledger) histogramOf(c Client) *histogram {
	k := histogramKey{c.Application, c.User, c.Database}
	if h := l.histograms[k]; h != nil {
		return h
	}
	if len(l.histograms) >= maxHistograms {
		k = histogramKey{Other, Other, Other}
		if h := l.histograms[k]; h != nil {
			return h
		}
	}
	h := new(histogram)
	l.histograms[k] = h
	return h
}

// describeHistograms describes them in a fixed order. Its caller has the lock.
func (l *Ledger) describeHistograms() []Histogram {
	all := []Histogram{}
	for k, h := range l.histograms {
		all = append(all, Histogram{k.application, k.user, k.database, h.bins()})
	}
	slices.SortFunc(all, func(a, b Histogram) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.User, b.User), cmp.Compare(a.Database, b.Database))
	})
	return all
}
