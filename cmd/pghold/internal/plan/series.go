package plan

import (
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// series is many durations: exact while there are few, and within 0.1 % of each, in a
// histogram whose size does not grow, once there are more than exactly.
type series struct {
	exact []int64
	many  *hdrhistogram.Histogram
	count int64
	sum   float64
	least int64
	most  int64
}

const exactly = 1 << 17

// longest is the longest duration that a histogram has room for, in µs: a day.
const longest = 24 * 3600 * 1e6

func (s *series) add(ns int64) {
	s.count++
	s.sum += float64(ns)
	if s.count == 1 || ns < s.least {
		s.least = ns
	}
	s.most = max(s.most, ns)
	s.keep(ns)
}

func (s *series) keep(ns int64) {
	if s.many == nil && len(s.exact) < exactly {
		s.exact = append(s.exact, ns)
		return
	}
	s.toHistogram()
	s.many.RecordValue(min(ns/1000, longest))
}

func (s *series) toHistogram() {
	if s.many != nil {
		return
	}
	s.many = hdrhistogram.New(1, longest, 3)
	for _, ns := range s.exact {
		s.many.RecordValue(min(ns/1000, longest))
	}
	s.exact = nil
}

// merge adds the durations of another series.
func (s *series) merge(o *series) {
	if o.count == 0 {
		return
	}
	if s.count == 0 || o.least < s.least {
		s.least = o.least
	}
	s.most = max(s.most, o.most)
	s.count += o.count
	s.sum += o.sum
	for _, ns := range o.exact {
		s.keep(ns)
	}
	if o.many != nil {
		s.toHistogram()
		s.many.Merge(o.many)
	}
}

// reset empties the series and keeps its memory.
func (s *series) reset() { *s = series{exact: s.exact[:0]} }

func (s *series) mean() time.Duration {
	if s.count == 0 {
		return 0
	}
	return time.Duration(s.sum / float64(s.count))
}

// quantiles describes the series; the exact one is sorted by it.
func (s *series) quantiles() experiment.Quantiles {
	if s.count == 0 {
		return experiment.Quantiles{}
	}
	q := experiment.Quantiles{Min: time.Duration(s.least), Mean: s.mean(), Max: time.Duration(s.most)}
	at := func(p float64) time.Duration {
		return time.Duration(s.many.ValueAtQuantile(100*p)) * time.Microsecond
	}
	if s.many == nil {
		slices.Sort(s.exact)
		at = func(p float64) time.Duration {
			return time.Duration(s.exact[max(0, int(math.Ceil(p*float64(len(s.exact))))-1)])
		}
	}
	q.P50, q.P90, q.P95, q.P99 = at(0.50), at(0.90), at(0.95), at(0.99)
	return q
}
