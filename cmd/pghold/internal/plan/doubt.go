package plan

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Evidence is what a question's inputs were measured from. The zero Evidence is of inputs
// that are given.
type Evidence struct {
	Arrivals float64 // that the rate was counted from
	Calls    float64 // that ended, whose lengths are Model.Calls
}

// doubtful reports whether anything that the question hangs on was measured.
func (q Question) doubtful() bool {
	return slices.ContainsFunc(q.classes(), func(c Question) bool { return c.Evidence != Evidence{} })
}

// doubted is the question with inputs that may as well be the true ones, given what was
// measured: a rate of which as many arrivals are likely (they come at random), and lengths
// of which those that were seen are a sample. The latter is Rubin's Bayesian bootstrap (1981),
// doi 10.1214/aos/1176345338, in which a recorded length stands for as many as it does.
func (q Question) doubted(rng *rand.Rand) Question {
	before := 0.0
	for _, o := range q.Others {
		before += o.Settings.Rate
	}
	q.Each(func(one *Question) {
		if n := one.Evidence.Arrivals; n > 0 {
			one.Settings.Rate *= gammaOf(n, rng) / n
		}
		if n := one.Evidence.Calls; n > 0 && len(one.Model.Calls) > 0 {
			one.Model.Calls = resampled(one.Model.Calls, n, rng)
		}
	})
	if q.Together() {
		after := 0.0
		for _, o := range q.Others {
			after += o.Settings.Rate
		}
		q.Settings.Rate *= after / before
	}
	return q
}

// resampled are lengths of which these, that stand for so many, may be a sample.
func resampled(lengths []time.Duration, n float64, rng *rand.Rand) []time.Duration {
	sorted := slices.Sorted(slices.Values(lengths))
	weights := make([]float64, len(sorted))
	sum := 0.0
	for i := range weights {
		weights[i] = gammaOf(n/float64(len(sorted)), rng)
		sum += weights[i]
	}
	all := make([]time.Duration, len(sorted))
	next, below := 0, 0.0
	for i, w := range weights {
		below += w
		for ; next < len(all) && (float64(next)+0.5)/float64(len(all))*sum <= below; next++ {
			all[next] = sorted[i]
		}
	}
	for ; next < len(all); next++ {
		all[next] = sorted[len(sorted)-1]
	}
	return all
}

// gammaOf is gamma, for shapes below 1 too (Marsaglia and Tsang, 6).
func gammaOf(shape float64, rng *rand.Rand) float64 {
	if shape >= 1 {
		return gamma(shape, rng)
	}
	return gamma(shape+1, rng) * math.Pow(1-rng.Float64(), 1/shape)
}

// answer predicts the question as predictEach does, with intervals that have what was
// measured badly in them too, where something was measured.
func (q Question) answer(replications int) ([]*experiment.RouteResult, error) {
	sure, err := q.replicate(replications)
	if err != nil {
		return nil, err
	}
	var all []*experiment.RouteResult
	for i := range sure[0] {
		all = append(all, meanOf(sure.of(i)))
	}
	if !q.doubtful() {
		return all, nil
	}
	others := make([]Question, max(replications, len(sure)))
	for i := range others {
		others[i] = q.doubted(rand.New(rand.NewPCG(q.Model.Seed, ofDoubt+uint64(i))))
	}
	doubtful, err := q.replicateOf(others)
	if err != nil {
		return nil, err
	}
	for i, r := range all {
		r.Interval = map[string][2]float64{}
		for name, of := range intervals {
			r.Interval[name] = wider(name, sure.of(i), doubtful.of(i), of)
		}
	}
	return all, nil
}

// ofDoubt is of the chance by which inputs are doubted.
const ofDoubt = 1 << 48

// wider is where a figure is, with a probability of 95 %, where inputs were measured. It
// has the chance of what is simulated, in a mean of so many, and what the inputs' doubt
// does: the variance of the differences between predictions that doubt them and those that
// do not, each pair with the same seed, so that most of the chance is in neither. Latencies
// are taken by their logarithms, as they are skewed.
func wider(name string, sure, doubtful []*experiment.RouteResult, of func(*experiment.RouteResult) float64) [2]float64 {
	value, back := of, func(v float64) float64 { return v }
	if name == "latency_s.p50" || name == "latency_s.p99" {
		value = func(r *experiment.RouteResult) float64 { return math.Log(max(of(r), 1e-9)) }
		back = math.Exp
	}
	var values, differences []float64
	for i, r := range doubtful {
		differences = append(differences, value(r)-value(sure[i%len(sure)]))
	}
	for _, r := range sure {
		values = append(values, value(r))
	}
	mean, chance := moments(values)
	_, doubt := moments(differences)
	half := student(len(doubtful)-1) * math.Sqrt(doubt+chance/float64(len(sure)))
	low, high := back(mean-half), back(mean+half)
	if name == "success_ratio" {
		low, high = min(1, low), min(1, high)
	}
	return [2]float64{max(0, low), high}
}

// moments are a mean and a variance.
func moments(values []float64) (mean, variance float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / max(1, n-1)
}
