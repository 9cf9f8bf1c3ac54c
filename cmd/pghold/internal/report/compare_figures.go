package report

import (
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/perf/benchmath"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// confidence is the level of the intervals, and alpha that of the comparisons.
const confidence = 0.95

var alpha = benchmath.DefaultThresholds.CompareAlpha

// Verdict says what a difference is worth.
type Verdict string

// The verdicts there are.
const (
	Same    Verdict = "same"    // every run of both has the same figure
	Differs Verdict = "differs" // by more than runs of one result differ by
	Noise   Verdict = "noise"   // it is not distinguishable from noise
	TooFew  Verdict = "too_few" // runs, to tell it from noise
	Unknown Verdict = "unknown" // one of the two has no such figure
)

// FigureComparison is one figure of two results.
type FigureComparison struct {
	Path string // in the JSON of a route's result: "latency_s.p99"
	A, B Summary
	// Change is how much larger B is, as a ratio of A: 0.5 is half as much again. NaN
	// where that cannot be said.
	Change   float64
	Verdict  Verdict
	P        float64  // the chance of a difference as large where there is none; NaN where nothing was compared
	Warnings []string // benchmath's

	of measure
}

// Summary is what the runs of one result have of a figure.
type Summary struct {
	Runs   int     // 0: the result has no such figure
	Median float64 // of the runs
	// Low and High are the ends of an interval that holds the median at a confidence of
	// at least 0.95. Where there are too few runs for one, an end or both are infinite.
	Low, High float64
}

// measure is a figure that results are compared by.
type measure struct {
	path, name string
	better     int // 1: more is better, -1: less is, 0: neither
	show       func(float64) string
	of         func(*experiment.Figures) (v float64, known bool)
}

var measures = func() []measure {
	float := func(get func(*experiment.Figures) float64) func(*experiment.Figures) (float64, bool) {
		return func(f *experiment.Figures) (float64, bool) { return get(f), true }
	}
	duration := func(get func(*experiment.Figures) time.Duration) func(*experiment.Figures) (float64, bool) {
		return func(f *experiment.Figures) (float64, bool) { return get(f).Seconds(), true }
	}
	count := func(get func(*experiment.Figures) int) func(*experiment.Figures) (float64, bool) {
		return func(f *experiment.Figures) (float64, bool) { return float64(get(f)), true }
	}
	updates := func(get func(*experiment.Updates) int) func(*experiment.Figures) (float64, bool) {
		return func(f *experiment.Figures) (float64, bool) {
			if f.Updates == nil {
				return 0, false
			}
			return float64(get(f.Updates)), true
		}
	}
	killed := func(get func(*experiment.Killed) int) func(*experiment.Figures) (float64, bool) {
		return func(f *experiment.Figures) (float64, bool) {
			if f.Updates == nil || f.Updates.Killed == nil {
				return 0, false
			}
			return float64(get(f.Updates.Killed)), true
		}
	}
	inSeconds := func(v float64) string { return words.Seconds(time.Duration(v * float64(time.Second))) }
	const more, less, neither = 1, -1, 0
	type fig = *experiment.Figures
	return []measure{
		{"success_ratio", "success", more, words.Ratio, float(func(f fig) float64 { return f.SuccessRatio })},
		{"throughput_per_s", "throughput", more, words.PerSecond, float(func(f fig) float64 { return f.Throughput })},
		{"goodput_per_s", "goodput", more, words.PerSecond, float(func(f fig) float64 { return f.Goodput })},
		{"elapsed_s", "took", less, inSeconds, duration(func(f fig) time.Duration { return f.Elapsed })},
		{"outcomes.ok", "answered", neither, words.Number, count(func(f fig) int { return f.Outcomes.OK })},
		{"outcomes.client_timeout", "client timeout", less, words.Number, count(func(f fig) int { return f.Outcomes.ClientTimeout })},
		{"outcomes.pool_timeout", "pool timeout", less, words.Number, count(func(f fig) int { return f.Outcomes.PoolTimeout })},
		{"outcomes.rejected", "rejected", less, words.Number, count(func(f fig) int { return f.Outcomes.Rejected })},
		{"outcomes.error", "error", less, words.Number, count(func(f fig) int { return f.Outcomes.Error })},
		{"latency_s.mean", "latency: mean", less, inSeconds, duration(func(f fig) time.Duration { return f.Latency.Mean })},
		{"latency_s.p50", "latency: p50", less, inSeconds, duration(func(f fig) time.Duration { return f.Latency.P50 })},
		{"latency_s.p90", "latency: p90", less, inSeconds, duration(func(f fig) time.Duration { return f.Latency.P90 })},
		{"latency_s.p99", "latency: p99", less, inSeconds, duration(func(f fig) time.Duration { return f.Latency.P99 })},
		{"latency_s.max", "latency: max", less, inSeconds, duration(func(f fig) time.Duration { return f.Latency.Max })},
		{"time_s.thread_wait", "thread wait", less, inSeconds, duration(func(f fig) time.Duration { return f.Time.ThreadWait })},
		{"time_s.pool_wait", "pool wait", less, inSeconds, duration(func(f fig) time.Duration { return f.Time.PoolWait })},
		{"time_s.busy", "SQL", less, inSeconds, duration(func(f fig) time.Duration { return f.Time.Busy })},
		{"time_s.slow", "slow call", neither, inSeconds, duration(func(f fig) time.Duration { return f.Time.Slow })},
		{"holds.held_s.mean", "held", less, inSeconds, duration(func(f fig) time.Duration { return f.Holds.Held.Mean })},
		{"holds.busy_ratio", "busy", more, words.SmallRatio, float(func(f fig) float64 { return f.Holds.BusyRatio })},
		{"holds.max_waiting", "waiting: max", less, words.Number, count(func(f fig) int { return f.Holds.MaxWaiting })},
		{"connections.max", "connections: max", neither, words.Number, count(func(f fig) int { return f.Connections.Max })},
		{"connections.max_silent_in_transaction", "connections: silent", less, words.Number, count(func(f fig) int { return f.Connections.MaxSilentInTransaction })},
		{"silent_in_transaction_ratio", "silent: share", less, words.Ratio, func(f fig) (float64, bool) {
			if f.SilentRatio == nil {
				return 0, false
			}
			return *f.SilentRatio, true
		}},
		{"holds.silent_in_transaction_s", "silent in transaction", less, inSeconds, duration(func(f fig) time.Duration { return f.Holds.SilentInTransaction })},
		{"per_request.checkouts", "checkouts", neither, mean, float(func(f fig) float64 { return f.PerRequest.Checkouts })},
		{"per_request.statements", "statements", neither, mean, float(func(f fig) float64 { return f.PerRequest.Statements })},
		{"per_request.round_trips", "round trips", less, mean, float(func(f fig) float64 { return f.PerRequest.RoundTrips })},
		{"updates.recorded", "updates: recorded", more, words.Number, updates(func(u *experiment.Updates) int { return u.Recorded })},
		{"updates.lost", "updates: lost", less, words.Number, updates(func(u *experiment.Updates) int { return u.Lost })},
		{"updates.retries", "updates: retries", less, words.Number, updates(func(u *experiment.Updates) int { return u.Retries })},
		{"updates.calls", "updates: calls", neither, words.Number, updates(func(u *experiment.Updates) int { return u.Calls })},
		{"updates.calls_repeated", "updates: calls repeated", less, words.Number, updates(func(u *experiment.Updates) int { return u.CallsRepeated })},
		{"updates.killed.lost", "killed: lost", less, words.Number, killed(func(k *experiment.Killed) int { return k.Lost })},
		{"updates.killed.paid_not_recorded", "killed: paid, not recorded", less, words.Number, killed(func(k *experiment.Killed) int { return k.PaidNotRecorded })},
		{"updates.killed.paid_twice", "killed: paid twice", less, words.Number, killed(func(k *experiment.Killed) int { return k.PaidTwice })},
	}
}()

// runs are the runs of a route in one result.
type runs struct {
	figures []experiment.Figures
	// zeroKnown is false where a figure that is zero may as well not have been told: in
	// what somebody else has published.
	zeroKnown bool
	// service is true where it is a service's, and unseen where the database was not seen to do
	// anything for the route alone.
	service, unseen bool
}

func runsOf(rr *experiment.RouteResult, r *experiment.Result) runs {
	if rr.Requests == 0 {
		return runs{}
	}
	return runs{rr.Runs(), r.Kind != experiment.Published, r.Service != nil, r.Service != nil && rr.Wire == nil}
}

// values are those of a figure in all runs, or none where one has it not.
func (r runs) values(of measure) (vs []float64) {
	for i := range r.figures {
		v, known := of.of(&r.figures[i])
		if r.unseen && (strings.HasPrefix(of.path, "holds.") || strings.HasPrefix(of.path, "connections.")) {
			known = false
		}
		if r.service && (of.path == "holds.busy_ratio" || of.path == "goodput_per_s") { // the same as another
			known = false
		}
		if !known || !words.Finite(v) || v == 0 && !r.zeroKnown {
			return nil
		}
		vs = append(vs, v)
	}
	return vs
}

// compareFigures compares the figures that occur in one of two results.
func compareFigures(a, b runs) (fs []FigureComparison) {
	for _, of := range measures {
		va, vb := a.values(of), b.values(of)
		occurs := func(v float64) bool { return v != 0 }
		if !slices.ContainsFunc(va, occurs) && !slices.ContainsFunc(vb, occurs) {
			continue
		}
		fs = append(fs, compareFigure(of, va, vb))
	}
	return fs
}

func compareFigure(of measure, a, b []float64) FigureComparison {
	f := FigureComparison{Path: of.path, of: of, Verdict: Unknown, Change: math.NaN(), P: math.NaN()}
	var sa, sb *benchmath.Sample
	f.A, sa = summarize(a, &f)
	f.B, sb = summarize(b, &f)
	if len(a) == 0 || len(b) == 0 {
		return f
	}
	if f.A.Median != 0 {
		f.Change = f.B.Median/f.A.Median - 1
	} else if f.B.Median == 0 {
		f.Change = 0
	}
	all := slices.Concat(a, b)
	if lo, hi := slices.Min(all), slices.Max(all); lo == hi {
		f.Verdict = Same
		return f
	}
	if !canCompare(len(a), len(b)) {
		f.Verdict = TooFew
		if n := min(len(a), len(b)); max(len(a), len(b)) > 1 {
			f.warn(apart(n, n).Warnings) // of the fewer: benchmath warns where both are too few
		}
		return f
	}
	c := benchmath.AssumeNothing.Compare(sa, sb)
	f.P, f.Verdict = c.P, Noise
	if c.P <= c.Alpha {
		f.Verdict = Differs
	}
	f.warn(c.Warnings)
	return f
}

// summarize describes the runs of one side.
func summarize(vs []float64, f *FigureComparison) (Summary, *benchmath.Sample) {
	switch {
	case len(vs) == 0:
		return Summary{}, nil
	case len(vs) == 1: // no interval is expected of it
		return Summary{1, vs[0], math.Inf(-1), math.Inf(1)}, benchmath.NewSample(vs, &benchmath.DefaultThresholds)
	}
	s := benchmath.NewSample(slices.Clone(vs), &benchmath.DefaultThresholds)
	sum := benchmath.AssumeNothing.Summary(s, confidence)
	f.warn(s.Warnings)
	f.warn(sum.Warnings)
	return Summary{len(vs), sum.Center, sum.Lo, sum.Hi}, s
}

func (f *FigureComparison) warn(ws []error) {
	for _, w := range ws {
		if !slices.Contains(f.Warnings, w.Error()) {
			f.Warnings = append(f.Warnings, w.Error())
		}
	}
}

// apart compares so many runs of each when all of one are above all of the other, as
// far apart as can be.
func apart(a, b int) benchmath.Comparison {
	return benchmath.AssumeNothing.Compare(alike(0, a), alike(1, b))
}

// alike is a sample of n equal values.
func alike(v float64, n int) *benchmath.Sample {
	return benchmath.NewSample(slices.Repeat([]float64{v}, n), &benchmath.DefaultThresholds)
}

// canCompare reports whether so many runs of each can differ by more than noise.
func canCompare(a, b int) bool {
	c := apart(a, b)
	return c.P <= c.Alpha
}

// enoughToCompare is how many runs of each it takes.
func enoughToCompare() int {
	n := 1
	for !canCompare(n, n) {
		n++
	}
	return n
}

// enoughForInterval is how many runs an interval takes.
func enoughForInterval() int {
	n := 1
	for len(benchmath.AssumeNothing.Summary(alike(0, n), confidence).Warnings) > 0 {
		n++
	}
	return n
}
