package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// queue is a station that the answers of plan are held against, written apart from its
// model: places that are given to who has waited longest, by the recursion of Kiefer and
// Wolfowitz, "On the Theory of Queues with Many Servers" (1955). All times are seconds.
type queue struct {
	rate     float64 // requests at random, per second
	places   int
	hold     func(*rand.Rand) float64
	patience float64 // who has waited so long goes away
	deadline float64 // after it came, a request's client leaves
	goesOn   bool    // and what it does goes on
}

// seen is what became of those that came after the first fifth.
type seen struct {
	waits, latencies []float64 // sorted; a wait is that of who got a place
	success          float64
}

// later puts a time in place of the first of a heap.
func later(free []float64, at float64) {
	i := 0
	for {
		least := 2*i + 1
		if least+1 < len(free) && free[least+1] < free[least] {
			least++
		}
		if least >= len(free) || free[least] >= at {
			break
		}
		free[i], i = free[least], least
	}
	free[i] = at
}

func (q queue) run(n int) (s seen) {
	rng := rand.New(rand.NewPCG(1955, 4))
	free, now, ok := make([]float64, q.places), 0.0, 0
	for i := range n {
		now += rng.ExpFloat64() / q.rate
		hold := q.hold(rng)
		begin := max(now, free[0])
		wait, end := begin-now, begin+hold
		served := true
		switch limit := min(q.patience, q.deadline); {
		case wait >= q.patience || wait >= q.deadline && !q.goesOn:
			served, wait, end = false, limit, now+limit
		case !q.goesOn:
			end = min(end, now+q.deadline)
		}
		if served {
			later(free, end)
		}
		if i < n/5 {
			continue
		}
		latency := min(end-now, q.deadline)
		if served {
			s.waits = append(s.waits, wait)
			if latency < q.deadline {
				ok++
			}
		}
		s.latencies = append(s.latencies, latency)
	}
	slices.Sort(s.waits)
	slices.Sort(s.latencies)
	s.success = float64(ok) / float64(len(s.latencies))
	return s
}

func quantile(sorted []float64, p float64) float64 {
	return sorted[int(math.Ceil(p*float64(len(sorted))))-1]
}

func meanOf(values []float64) (mean float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	return mean
}

func always(d float64) func(*rand.Rand) float64 { return func(*rand.Rand) float64 { return d } }

// lognormal has these quantiles.
func lognormal(p50, p99 float64) func(*rand.Rand) float64 {
	return func(rng *rand.Rand) float64 { return p50 * math.Exp(math.Log(p99/p50)/2.32635*rng.NormFloat64()) }
}

// fixedHoldsWait is the mean wait of requests that come at random for one of c places that
// each holds for 1: C. D. Crommelin, "Delay Probability Formulae" (1934).
func fixedHoldsWait(load float64, c int) (wait float64) {
	for i := 1; i < 10_000; i++ {
		a := float64(i) * load
		term := func(n int) float64 {
			l, _ := math.Lgamma(float64(n + 1))
			return math.Exp(float64(n)*math.Log(a) - a - l)
		}
		more := 0.0 // than i·c of a Poisson number of mean a
		for n := i*c + 1; n < i*c+40+int(12*math.Sqrt(a)); n++ {
			more += term(n)
		}
		part := term(i*c) + more - float64(c)/load*more
		if wait += part; part < 1e-12 {
			break
		}
	}
	return wait
}

// erlangB is the share of requests that find all c places taken, and go.
func erlangB(load float64, c int) float64 {
	b := 1.0
	for k := 1; k <= c; k++ {
		b = load * b / (float64(k) + load*b)
	}
	return b
}

// erlangC is the share that waits, with exponential holds.
func erlangC(load float64, c int) float64 {
	b := erlangB(load, c)
	return b / (1 - load/float64(c)*(1-b))
}

// The truth is held against formulas itself.
func TestTruth_IsWhatFormulasSay(t *testing.T) {
	near := func(what string, got, want, by float64) {
		if math.Abs(got-want) > by*want {
			t.Errorf("%s: %.5g, by the formula %.5g", what, got, want)
		}
	}
	never := math.Inf(1)
	fixed := queue{rate: 30, places: 10, hold: always(0.3), patience: never, deadline: never}.run(2_000_000)
	near("mean wait, fixed holds", meanOf(fixed.waits), 0.3*fixedHoldsWait(9, 10), 0.02)
	exponential := queue{rate: 8, places: 10, hold: (*rand.Rand).ExpFloat64, patience: never, deadline: never}.run(2_000_000)
	wait := erlangC(8, 10)
	near("mean wait, exponential holds", meanOf(exponential.waits), wait/2, 0.02)
	near("p95 of the wait, exponential holds", quantile(exponential.waits, 0.95), math.Log(wait/0.05)/2, 0.02)
	overload := queue{rate: 15, places: 10, hold: (*rand.Rand).ExpFloat64, patience: 30, deadline: never}.run(500_000)
	near("served in an overload", overload.success, 10.0/15, 0.01)
}
