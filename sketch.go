package pghold

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// Sketch counts durations in buckets, so that many can be described, and the
// sketches of several processes added up, in bounded memory. A bucket is at most
// 1/16 of its durations wide, so a quantile is at most 3.2 % off; below 16 ns, and
// for the smallest, the largest and the sum, there is no error.
type Sketch struct {
	count    uint64
	sum      time.Duration
	min, max time.Duration
	buckets  []uint32 // by bucketOf; as long as needed
}

const subBuckets = 16 // in each power of two

// bucketOf returns the number of the bucket that d falls into.
func bucketOf(d time.Duration) int {
	n := uint64(d)
	if n < subBuckets {
		return int(n)
	}
	exp := bits.Len64(n) - 5 // so that n>>exp is 16 to 31
	return exp*subBuckets + int(n>>exp)
}

// bounds returns the shortest duration that falls into a bucket, and how many do.
func bounds(bucket int) (low, width time.Duration) {
	if bucket < 2*subBuckets {
		return time.Duration(bucket), 1
	}
	exp := bucket/subBuckets - 1
	return time.Duration(bucket%subBuckets+subBuckets) << exp, 1 << exp
}

// Add counts a duration. Negative ones count as 0.
func (s *Sketch) Add(d time.Duration) {
	d = max(d, 0)
	if s.count == 0 || d < s.min {
		s.min = d
	}
	s.max = max(s.max, d)
	s.count++
	s.sum += d
	b := bucketOf(d)
	s.grow(b + 1)
	if s.buckets[b] < math.MaxUint32 {
		s.buckets[b]++
	}
}

// grow makes room for n buckets. There are many sketches, so it takes no more than
// it needs, and it is seldom called upon.
func (s *Sketch) grow(n int) {
	if n > len(s.buckets) {
		s.buckets = slices.Concat(s.buckets, make([]uint32, n-len(s.buckets)))
	}
}

// Merge adds what another sketch has counted.
func (s *Sketch) Merge(o *Sketch) {
	if o == nil {
		panic("pghold: Sketch.Merge needs a sketch, and got nil")
	}
	if o.count == 0 {
		return
	}
	if s.count == 0 || o.min < s.min {
		s.min = o.min
	}
	s.max = max(s.max, o.max)
	s.count += o.count
	s.sum += o.sum
	s.grow(len(o.buckets))
	for b, n := range o.buckets {
		s.buckets[b] = uint32(min(uint64(s.buckets[b])+uint64(n), math.MaxUint32))
	}
}

// Count is how many durations were counted, Sum all of them together, Min and Max
// the smallest and the largest.
func (s *Sketch) Count() uint64      { return s.count }
func (s *Sketch) Sum() time.Duration { return s.sum }
func (s *Sketch) Min() time.Duration { return s.min }
func (s *Sketch) Max() time.Duration { return s.max }

// Mean is 0 when nothing was counted.
func (s *Sketch) Mean() time.Duration {
	if s.count == 0 {
		return 0
	}
	return s.sum / time.Duration(s.count)
}

// AtMost returns how many of the durations were d or less; those in d's own bucket
// count as less.
func (s *Sketch) AtMost(d time.Duration) uint64 {
	if d < 0 {
		return 0
	}
	var n uint64
	for _, in := range s.buckets[:min(bucketOf(d)+1, len(s.buckets))] {
		n += uint64(in)
	}
	return n
}

// Quantile returns the duration that a share q (0 to 1) of all does not exceed.
func (s *Sketch) Quantile(q float64) time.Duration {
	if s.count == 0 {
		return 0
	}
	rank := uint64(max(1, math.Ceil(q*float64(s.count))))
	if rank >= s.count {
		return s.max
	}
	var seen uint64
	for b, n := range s.buckets {
		if seen += uint64(n); seen >= rank {
			low, width := bounds(b)
			return min(max(low+(width-1)/2, s.min), s.max)
		}
	}
	return s.max
}

// sketchJSON has the quantiles for readers, and the buckets for merging.
type sketchJSON struct {
	Count   uint64            `json:"count"`
	Sum     seconds           `json:"sum"`
	Mean    seconds           `json:"mean"`
	Min     seconds           `json:"min"`
	P50     seconds           `json:"p50"`
	P90     seconds           `json:"p90"`
	P99     seconds           `json:"p99"`
	Max     seconds           `json:"max"`
	Buckets map[string]uint32 `json:"buckets"` // by number, see bucketOf
}

// MarshalJSON writes seconds.
func (s Sketch) MarshalJSON() ([]byte, error) {
	j := sketchJSON{
		Count: s.count, Sum: seconds(s.sum), Mean: seconds(s.Mean()), Min: seconds(s.min), Max: seconds(s.max),
		P50: seconds(s.Quantile(0.50)), P90: seconds(s.Quantile(0.90)), P99: seconds(s.Quantile(0.99)),
		Buckets: map[string]uint32{},
	}
	for b, n := range s.buckets {
		if n > 0 {
			j.Buckets[strconv.Itoa(b)] = n
		}
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Sketch) UnmarshalJSON(b []byte) error {
	var j sketchJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*s = Sketch{count: j.Count, sum: time.Duration(j.Sum), min: time.Duration(j.Min), max: time.Duration(j.Max)}
	last := bucketOf(math.MaxInt64)
	for key, n := range j.Buckets {
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i > last {
			return fmt.Errorf("a sketch has no bucket %q", key)
		}
		s.grow(i + 1)
		s.buckets[i] = n
	}
	return nil
}
