package plan

import (
	"math"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// The replications of a comparison with theory: each has its own seed, and the interval
// is that of 99 %, by Student's t. Seeds are fixed, so that a test that passes will pass
// again.
const (
	replications = 16
	studentT     = 2.947 // of 15 degrees of freedom, for 99 %
	sent         = 20000 // requests in each
)

const never = 1e6 * time.Second

// seen are the waits that a replication saw, of requests that were served and of those
// that were not, in order. Those of the first tenth are left out, when nobody had to wait
// yet.
type seen []int64

func (s seen) mean() float64 {
	var sum float64
	for _, w := range s {
		sum += float64(w)
	}
	return sum / float64(len(s)) / 1e9
}

// longer is the share of the waits that are longer than a time.
func (s seen) longer(t time.Duration) float64 {
	n := 0
	for _, w := range s {
		if w > int64(t) {
			n++
		}
	}
	return float64(n) / float64(len(s))
}

// waited is the share of the waits that have lasted so long: of those who went away then.
func (s seen) waited(d time.Duration) float64 { return s.longer(d - 1) }

// pooled replicates requests that hold one of the pool's connections.
func pooled(t *testing.T, q Queue, patience time.Duration, m Model, change func(*experiment.Settings)) []seen {
	t.Helper()
	s := experiment.Defaults()
	s.Rate, s.Slow, s.Duration = q.Rate, q.Hold, time.Duration(sent/q.Rate*1e9)
	s.PoolSize, s.MaxOverflow = q.Places, 0
	s.PoolTimeout, s.ClientTimeout = patience, never
	if change != nil {
		change(&s)
	}
	c := experiment.Case{Route: route(t, "async_session_sleep_inside_session"), Settings: s}
	m.Arrivals = Poisson
	var all []seen
	for seed := range uint64(replications) {
		m.Seed = seed + 1
		st, err := simulate(Question{Case: c, Model: m})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, seen(st.classes[0].waits.exact[len(st.classes[0].waits.exact)/10:]))
	}
	return all
}

// within checks that theory is in the interval of what the replications saw, which a
// formula that is itself not exact may miss by a share of its value.
func within[R any](t *testing.T, what string, all []R, of func(R) float64, theory, share float64) {
	t.Helper()
	var sum, squares float64
	for _, r := range all {
		sum += of(r)
	}
	n := float64(len(all))
	mean := sum / n
	for _, r := range all {
		squares += (of(r) - mean) * (of(r) - mean)
	}
	half := studentT * math.Sqrt(squares/(n-1)/n)
	t.Logf("%s: simulated %.5g ± %.2g, theory %.5g", what, mean, half, theory)
	if math.Abs(mean-theory) > half+share*theory {
		t.Errorf("%s: simulated %.5g ± %.2g, theory says %.5g", what, mean, half, theory)
	}
	if theory > 0 && half > 0.2*theory {
		t.Errorf("%s: an interval of ± %.2g says nothing about %.5g", what, half, theory)
	}
}

func TestSimulation_isMM1(t *testing.T) {
	t.Parallel()
	q := Queue{Rate: 7, Hold: 100 * time.Millisecond, Places: 1}
	all := pooled(t, q, never, Model{Shape: Exponential}, nil)
	w, _ := q.ErlangC()
	within(t, "P(wait)", all, func(s seen) float64 { return s.longer(0) }, 0.7, 0)
	within(t, "mean wait", all, seen.mean, w.Mean.Seconds(), 0)
	within(t, "P(W>500 ms)", all, func(s seen) float64 { return s.longer(500 * time.Millisecond) }, w.Longer(500*time.Millisecond), 0)
}

// Who waits a nanosecond has as good as not waited. The shape of the holds must not
// matter.
func TestSimulation_isErlangB(t *testing.T) {
	t.Parallel()
	q := Queue{Rate: 7, Hold: 2 * time.Second, Places: 15}
	b, _ := q.ErlangB()
	for _, shape := range []string{Exponential, experiment.Fixed, experiment.Lognormal} {
		all := pooled(t, q, 1, Model{Shape: shape}, nil)
		within(t, "lost, with holds that are "+shape, all, func(s seen) float64 { return s.waited(1) }, b, 0)
	}
}

func TestSimulation_isErlangC(t *testing.T) {
	t.Parallel()
	q := Queue{Rate: 6, Hold: 2 * time.Second, Places: 15}
	w, _ := q.ErlangC()
	queue := func(s *experiment.Settings) { s.PoolSize, s.MaxOverflow = 5, 10 } // overflow is places too
	all := pooled(t, q, never, Model{Shape: Exponential}, queue)
	within(t, "P(wait)", all, func(s seen) float64 { return s.longer(0) }, w.Probability, 0)
	within(t, "mean wait", all, seen.mean, w.Mean.Seconds(), 0)
	within(t, "P(W>500 ms)", all, func(s seen) float64 { return s.longer(500 * time.Millisecond) }, w.Longer(500*time.Millisecond), 0)

	// The order of those who wait does not matter to their mean.
	all = pooled(t, q, never, Model{Shape: Exponential}, func(s *experiment.Settings) { s.Pool = experiment.SQLPool })
	within(t, "in any order: P(wait)", all, func(s seen) float64 { return s.longer(0) }, w.Probability, 0)
	within(t, "in any order: mean wait", all, seen.mean, w.Mean.Seconds(), 0)
}

func TestSimulation_isMMcWithPatience(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate     float64
		patience time.Duration
	}{{6, time.Second}, {7.5, time.Second}, {7.5, 3 * time.Second}, {10, time.Second}, {10, 3 * time.Second}} {
		q := Queue{Rate: c.rate, Hold: 2 * time.Second, Places: 15}
		w, _ := q.Patience(c.patience)
		all := pooled(t, q, c.patience, Model{Shape: Exponential}, nil)
		within(t, "timed out", all, func(s seen) float64 { return s.waited(c.patience) }, w.TimedOut, 0)
		if w.Probability < 0.99 { // few do not wait, so few that Student's interval does not hold
			within(t, "P(wait)", all, func(s seen) float64 { return s.longer(0) }, w.Probability, 0)
		}
		within(t, "mean wait", all, seen.mean, w.Mean.Seconds(), 0)
		within(t, "P(W>D/2)", all, func(s seen) float64 { return s.longer(c.patience / 2) }, w.Longer(c.patience/2), 0)
	}
}

func TestSimulation_isNearCosmetatos(t *testing.T) {
	t.Parallel()
	for _, q := range []Queue{{6, 2 * time.Second, 15}, {2.4, time.Second, 3}} {
		cosmetatos, _ := q.Cosmetatos()
		all := pooled(t, q, never, Model{}, nil)
		within(t, "mean wait", all, seen.mean, cosmetatos.Seconds(), 0.02)
	}
}

func TestSimulation_isNearAllenCunneen(t *testing.T) {
	t.Parallel()
	q := Queue{Rate: 0.9, Hold: time.Second, Places: 1} // M/G/1, where it is exact (Pollaczek–Khinchine)
	pk, _ := q.AllenCunneen(1, 0)
	all := pooled(t, q, never, Model{}, nil)
	within(t, "mean wait", all, seen.mean, pk.Seconds(), 0)
}

// The other stations are the same queue.
func TestSimulation_isErlangC_atEveryStation(t *testing.T) {
	t.Parallel()
	q := Queue{Rate: 6, Hold: 500 * time.Millisecond, Places: 4}
	w, _ := q.ErlangC()
	fixed, _ := q.Cosmetatos()
	for _, c := range []struct {
		station, route string
		model          Model
		change         func(*experiment.Settings)
		wait           func(*stats) float64 // per request
		theory, share  float64
	}{
		{"threads", "sync_session_sleep_outside_session", Model{Shape: Exponential},
			func(s *experiment.Settings) { s.Threads = q.Places },
			func(st *stats) float64 { return st.threadWait }, w.Mean.Seconds(), 0},
		{"PgBouncer", "async_session_sleep_inside_session", Model{Shape: Exponential},
			func(s *experiment.Settings) { s.PgBouncer = q.Places },
			func(st *stats) float64 { return st.busy }, w.Mean.Seconds(), 0},
		{"cores", "read_autocommit", Model{Cores: q.Places, Overheads: Overheads{Statement: q.Hold}},
			func(*experiment.Settings) {},
			func(st *stats) float64 { return st.busy - float64(q.Hold)*float64(st.requests) }, fixed.Seconds(), 0.02},
		{"rows", "update_in_one_transaction", Model{Shape: Exponential}, // 4 rows in turn: E4/M/1
			func(s *experiment.Settings) { s.Accounts = 4 },
			func(st *stats) float64 { return st.busy }, erlangArrivals(q), 0},
	} {
		t.Run(c.station, func(t *testing.T) {
			s := experiment.Defaults()
			s.Rate, s.Slow, s.Duration = q.Rate, q.Hold, time.Duration(sent/q.Rate*1e9)
			s.PoolSize, s.MaxOverflow, s.PoolTimeout, s.ClientTimeout, s.Threads = 1e6, 0, never, never, 1e6
			c.change(&s)
			var all []*stats
			c.model.Arrivals = Poisson
			for seed := range uint64(replications) {
				c.model.Seed = seed + 1
				st, err := simulate(Question{Case: experiment.Case{Route: route(t, c.route), Settings: s}, Model: c.model})
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, st.of(0))
			}
			within(t, "mean wait", all, func(st *stats) float64 { return c.wait(st) / float64(st.requests) / 1e9 }, c.theory, c.share)
		})
	}
}

// erlangArrivals is the mean wait of one place that gets every c-th request, whose gaps
// are sums of c exponential ones (GI/M/1): σ/(μ(1-σ)), where σ = A*(μ(1-σ)).
func erlangArrivals(q Queue) float64 {
	mu, sigma := 1/q.Hold.Seconds(), 0.5
	for range 1000 {
		sigma = math.Pow(q.Rate/(q.Rate+mu*(1-sigma)), float64(q.Places))
	}
	return sigma / (mu * (1 - sigma))
}

// Replicas that get requests in turn are queues with Erlang arrivals as well, and those
// that get them at random are M/M/c, with the rate divided.
func TestSimulation_ofReplicas(t *testing.T) {
	t.Parallel()
	q := Queue{Rate: 6, Hold: 500 * time.Millisecond, Places: 4}
	inTurn := pooled(t, q, never, Model{Shape: Exponential, Replicas: 4}, func(s *experiment.Settings) { s.PoolSize = 1 })
	within(t, "in turn: mean wait", inTurn, seen.mean, erlangArrivals(q), 0)
	random := pooled(t, q, never, Model{Shape: Exponential, Replicas: 2, RandomReplica: true}, func(s *experiment.Settings) { s.PoolSize = 2 })
	w, _ := Queue{Rate: 3, Hold: 500 * time.Millisecond, Places: 2}.ErlangC()
	within(t, "at random: mean wait", random, seen.mean, w.Mean.Seconds(), 0)
}

func TestGamma_isASumOfExponentials(t *testing.T) {
	rng := Model{Seed: 1}.chance(0)
	for _, shape := range []float64{1, 2, 1000} {
		const n = 200000
		var sum, squares float64
		for range n {
			x := gamma(shape, rng)
			sum += x
			squares += x * x
		}
		mean := sum / n
		near(t, "mean", mean/shape, 1, 3*math.Sqrt(1/shape/n))
		near(t, "variance", (squares/n-mean*mean)/shape, 1, 0.03)
	}
}
