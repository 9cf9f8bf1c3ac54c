package pghold_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pghold/pghold"
)

// The quantiles of a sketch, whole or put together from parts, are those of the
// sorted durations, within a bucket.
func TestSketch_Quantiles(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0))
		parts := make([][]int64, 1+random.IntN(4))
		for i := range parts {
			for range random.IntN(20) * random.IntN(20) {
				// As many of each order of magnitude, from 0 to a day.
				parts[i] = append(parts[i], random.Int64N(int64(24*time.Hour)>>random.IntN(47)))
			}
		}
		var all []int64
		var whole pghold.Sketch
		for _, part := range parts {
			var s pghold.Sketch
			for _, d := range part {
				s.Add(time.Duration(d))
			}
			whole.Merge(&s)
			all = append(all, part...)
		}
		slices.Sort(all)
		if whole.Count() != uint64(len(all)) {
			t.Fatalf("seed %d: count %d, want %d", seed, whole.Count(), len(all))
		}
		if len(all) == 0 {
			continue
		}
		var sum int64
		for _, d := range all {
			sum += d
		}
		if int64(whole.Min()) != all[0] || int64(whole.Max()) != all[len(all)-1] || int64(whole.Sum()) != sum {
			t.Fatalf("seed %d: min %v, max %v, sum %v of %v", seed, whole.Min(), whole.Max(), whole.Sum(), all)
		}
		// What AtMost counts is all up to d and nothing beyond d's bucket.
		d := all[random.IntN(len(all))]
		least, _ := slices.BinarySearch(all, d+1)
		most, _ := slices.BinarySearch(all, int64(float64(d)*1.0625)+2)
		if got := whole.AtMost(time.Duration(d)); got < uint64(least) || got > uint64(most) {
			t.Fatalf("seed %d: %d are said to be at most %d, want %d to %d of %v", seed, got, d, least, most, all)
		}
		for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
			want := float64(all[max(0, int(0.999999999+q*float64(len(all)))-1)])
			if got := float64(whole.Quantile(q)); got < want*0.968-1 || got > want*1.032+1 {
				t.Fatalf("seed %d: quantile %v is %v, want %v within 3.2 %%, of %v", seed, q, got, want, all)
			}
		}
	}
}

func TestSketch_Extremes(t *testing.T) {
	var s pghold.Sketch
	s.Add(-time.Second)
	s.Add(1<<63 - 1)
	if s.Min() != 0 || s.Quantile(0.5) != 0 || s.Quantile(1) != 1<<63-1 {
		t.Errorf("min %v, p50 %v, p100 %v", s.Min(), s.Quantile(0.5), s.Quantile(1))
	}
	if (&pghold.Sketch{}).Quantile(0.5) != 0 {
		t.Error("an empty sketch has a median")
	}
}
