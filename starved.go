package pghold

import (
	"fmt"
	"math"
	"runtime/metrics"
	"time"
)

// runnable is how often goroutines of the process that could run have waited for a
// processor, and for how long in all, at least.
type runnable struct {
	n   uint64
	sum time.Duration
}

// latencies is a histogram of "the time goroutines have spent in the scheduler in a runnable
// state before actually running", as runtime/metrics describes it. The runtime looks at one
// of eight times that a goroutine becomes runnable.
const latencies = "/sched/latencies:seconds"

// readRunnable takes each time in a bucket of the histogram for its lower bound. It is for who
// takes a snapshot or keeps a frame, and not for holds.
func readRunnable() (r runnable) {
	sample := []metrics.Sample{{Name: latencies}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return r
	}
	h, sum := sample[0].Value.Float64Histogram(), 0.0
	for i, n := range h.Counts {
		if lower := h.Buckets[i]; n > 0 {
			r.n += n
			sum += float64(n) * max(0, lower)
		}
	}
	r.sum = time.Duration(math.Round(sum * float64(time.Second)))
	return r
}

// since is how long goroutines waited each since an earlier moment, on average.
func (r runnable) since(base runnable) time.Duration {
	if r.n <= base.n {
		return 0
	}
	return max(0, r.sum-base.sum) / time.Duration(r.n-base.n)
}

// When a statement's answer has arrived, the goroutine that waits for it can run, and a
// statement is busy until it does. So of the time that a statement takes, as the recorder
// sees it, a mean scheduling latency is not the database's at the least: once for each time
// that a driver has to wait for the server. Where that is a quarter of it or more, busy is
// called starved.
const (
	starvedPart       = 4                // of the mean statement
	starvedLatency    = time.Millisecond // less is no matter, whatever part it is
	starvedStatements = 100              // that have ended in the window
)

// starve fills in what is known of the processors in a window.
func (w *Window) starve(latency time.Duration) {
	n, each := w.statements()
	w.SchedulingLatency = latency
	w.Starved = n >= starvedStatements && latency >= starvedLatency && starvedPart*latency >= each
}

// statements is how many statements there were in holds that ended, and how long each took,
// on average.
func (w *Window) statements() (n uint64, each time.Duration) {
	var busy time.Duration
	for _, a := range w.Routes {
		n += a.Statements
		busy += a.Busy
	}
	return n, busy / time.Duration(max(1, n))
}

const busyAndProcessors = "https://github.com/pghold/pghold/blob/main/docs/holds.md#busy-without-a-processor"

// tellStarved tells once that a window is starved. Snapshots say it in theirs.
func (r *Recorder) tellStarved(w Window) {
	if !w.Starved {
		return
	}
	_, each := w.statements()
	go r.log("processors", fmt.Sprintf("busy time includes waiting for a processor: in the last %.0f s goroutines that could run waited %.1f ms each for one, and a statement took %.1f ms, on average. "+
		"The database may be quick, and the service short of processors: %s says how it is known.", w.Duration.Seconds(), w.SchedulingLatency.Seconds()*1000, each.Seconds()*1000, busyAndProcessors))
}
