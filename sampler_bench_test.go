package pghold

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/metrics"
	"sync"
	"testing"
	"time"
)

// BenchmarkSampler has so many requests at once, each of which takes a connection, is
// stuck for one to three seconds in one of ten functions, and begins again: for four
// seconds. It tells what share of a core the profiles took, the longest pause of the
// program meanwhile, which share of the silent seconds belongs to places with samples, and
// to gaps that had one of their own.
func BenchmarkSampler(b *testing.B) {
	for _, requests := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(requests), func(b *testing.B) {
			for range b.N {
				sampled(b, requests)
			}
		})
	}
}

func sampled(b *testing.B, requests int) {
	const lasts = 4 * time.Second
	r := NewRecorder(Config{})
	before := pauses()
	var cost time.Duration
	stop := make(chan struct{})
	var watching, all sync.WaitGroup
	watching.Go(func() { // adds up what each profile has cost
		last := time.Duration(-1)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			r.stacks.mu.Lock()
			if r.stacks.taken != last && r.stacks.cost > 0 {
				last = r.stacks.taken
				cost += r.stacks.cost
			}
			r.stacks.mu.Unlock()
		}
	})
	began := time.Now()
	var mu sync.Mutex
	var silent, own time.Duration
	for i := range requests {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for time.Since(began) < lasts {
				d := time.Second + time.Duration(random.Int64N(int64(2*time.Second)))
				Do(context.Background(), "GET /", func(ctx context.Context) {
					c := r.Pool("main").Checkout(ctx)
					stuckAt[i%len(stuckAt)](d)
					c.mu.Lock()
					seen := c.seen != nil && len(c.seen.where) > 0
					c.mu.Unlock()
					c.Release()
					mu.Lock()
					silent += d
					if seen {
						own += d
					}
					mu.Unlock()
				})
			}
		})
	}
	all.Wait()
	close(stop)
	watching.Wait()
	var sum, named time.Duration
	for _, s := range r.Snapshot().Series {
		for _, g := range s.Gaps {
			sum += g.Duration
			if where, _ := g.Mostly(); where != "" {
				named += g.Duration
			}
		}
	}
	b.ReportMetric(cost.Seconds()/time.Since(began).Seconds(), "cores")
	b.ReportMetric(longestPause(before, pauses()).Seconds()*1e3, "ms-pause")
	b.ReportMetric(named.Seconds()/sum.Seconds(), "named")
	b.ReportMetric(own.Seconds()/silent.Seconds(), "own-sample")
}

// stuckAt are functions in which requests are stuck, told apart by their lines.
var stuckAt = []func(time.Duration){
	func(d time.Duration) { time.Sleep(d) },
	func(d time.Duration) { time.Sleep(d) },
	func(d time.Duration) { time.Sleep(d) },
	func(d time.Duration) { time.Sleep(d) },
	func(d time.Duration) { time.Sleep(d) },
	func(d time.Duration) { time.Sleep(d) },
	func(d time.Duration) { time.Sleep(d) },
	func(d time.Duration) { time.Sleep(d) },
	func(d time.Duration) { time.Sleep(d) },
	func(d time.Duration) { time.Sleep(d) },
}

// pauses are those of the program for other reasons than the garbage collector's: a
// profile of goroutines is one.
func pauses() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/other:seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64Histogram()
}

// longestPause is the upper bound of the longest one since.
func longestPause(before, after *metrics.Float64Histogram) time.Duration {
	for i := len(after.Counts) - 1; i >= 0; i-- {
		if after.Counts[i] > before.Counts[i] {
			return time.Duration(after.Buckets[i+1] * float64(time.Second))
		}
	}
	return 0
}
