package plan

import (
	"math"
	"strings"
	"testing"
	"time"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.6g, want %.6g ± %.2g", what, got, want, tolerance)
	}
}

func TestErlangB_agreesWithItsTables(t *testing.T) {
	for _, c := range []struct {
		load   float64
		places int
		want   float64
	}{{1, 1, 0.5}, {10, 10, 0.21458}, {5, 10, 0.018385}} {
		got, err := Queue{Rate: c.load, Hold: time.Second, Places: c.places}.ErlangB()
		if err != nil {
			t.Fatal(err)
		}
		near(t, "blocking", got, c.want, 1e-5)
	}
}

func TestErlangC_isMM1OfOnePlace(t *testing.T) {
	w, err := Queue{Rate: 7, Hold: 100 * time.Millisecond, Places: 1}.ErlangC()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "P(wait)", w.Probability, 0.7, 1e-12)
	near(t, "mean wait", w.Mean.Seconds(), 0.7/(10-7), 1e-8)
	near(t, "P(W>1 s)", w.Longer(time.Second), 0.7*math.Exp(-3), 1e-12)
}

func TestErlangC_ofTwoPlaces(t *testing.T) {
	const rho = 0.8
	w, err := Queue{Rate: 2 * rho, Hold: time.Second, Places: 2}.ErlangC()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "P(wait)", w.Probability, 2*rho*rho/(1+rho), 1e-12)
}

func TestAllenCunneenAndCosmetatos_againstASimulationOfOthers(t *testing.T) {
	// 15 places, holds of 2 s.
	for _, c := range []struct{ rate, half, cosmetatos float64 }{{6, .1064, .1171}, {7, .722, .743}} {
		q := Queue{Rate: c.rate, Hold: 2 * time.Second, Places: 15}
		half, err := q.AllenCunneen(1, 0)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "Allen–Cunneen", half.Seconds(), c.half, 1e-3)
		md, err := q.Cosmetatos()
		if err != nil {
			t.Fatal(err)
		}
		near(t, "Cosmetatos", md.Seconds(), c.cosmetatos, 1e-3)
	}
}

func TestAllenCunneen_isExactForMMc(t *testing.T) {
	q := Queue{Rate: 6, Hold: 2 * time.Second, Places: 15}
	w, _ := q.ErlangC()
	if got, err := q.AllenCunneen(1, 1); err != nil || got != w.Mean {
		t.Errorf("got %v, %v, want Erlang's %v", got, err, w.Mean)
	}
}

func TestPatience_agreesWithItsLimits(t *testing.T) {
	q := Queue{Rate: 6, Hold: 2 * time.Second, Places: 15}
	b, _ := q.ErlangB()
	c, _ := q.ErlangC()
	none, err := q.Patience(0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "time-outs without patience", none.TimedOut, b, 1e-12)
	near(t, "mean wait without patience", none.Mean.Seconds(), 0, 1e-12)
	long, err := q.Patience(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "time-outs with much patience", long.TimedOut, 0, 1e-12)
	near(t, "P(wait) with much patience", long.Probability, c.Probability, 1e-9)
	near(t, "mean wait with much patience", long.Mean.Seconds(), c.Mean.Seconds(), 1e-8)
	near(t, "P(W>1 s) with much patience", long.Longer(time.Second), c.Longer(time.Second), 1e-9)
}

func TestPatience_agreesWithASimulationOfOthers(t *testing.T) {
	// 15 places, exponential holds of 2 s.
	for _, c := range []struct {
		rate, want float64
		patience   time.Duration
	}{{10, .2501, 3 * time.Second}, {10, .2560, time.Second}, {7.5, .0352, 3 * time.Second}} {
		w, err := Queue{Rate: c.rate, Hold: 2 * time.Second, Places: 15}.Patience(c.patience)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "time-outs", w.TimedOut, c.want, 2e-3)
	}
}

func TestPatience_agreesWithItself(t *testing.T) {
	for _, rate := range []float64{1, 6, 7.4999, 7.5, 7.5001, 7.501, 10, 100} {
		for _, d := range []time.Duration{time.Millisecond, time.Second, 30 * time.Second} {
			q := Queue{Rate: rate, Hold: 2 * time.Second, Places: 15}
			w, err := q.Patience(d)
			if err != nil {
				t.Fatal(err)
			}
			const n = 20000
			sum, step := 0.0, d.Seconds()/n
			for i := range n {
				sum += w.Longer(time.Duration((float64(i)+.5)*step*1e9)) * step
			}
			near(t, "mean, by P(W>t),", w.Mean.Seconds(), sum, 1e-5*sum+2e-9)
			near(t, "P(W>0)", w.Longer(0), w.Probability, 1e-9)
			near(t, "P(W>just before the time-out)", w.Longer(d-1), w.TimedOut, 1e-6)
			if w.Longer(d) != 0 {
				t.Errorf("somebody waits longer than %v", d)
			}
			if served := rate * (1 - w.TimedOut); served > q.Capacity()*(1+1e-12) {
				t.Errorf("serves %v/s of a capacity of %v/s", served, q.Capacity())
			}
		}
	}
}

// Near a load of the capacity, where formulas lose their digits.
func TestLimitedWait_moment(t *testing.T) {
	for _, x := range []float64{-2e-3, -1.1e-3, -0.9e-3, -1e-9, 0, 1e-9, 0.9e-3, 1.1e-3, 2e-3} {
		w := LimitedWait{theta: x / 3, longest: 3, capacity: 1}
		f := func(u float64) float64 { return u * math.Exp(w.theta*u-max(0, x)) } // less than all of e^{θD} where θ > 0
		const n = 1000
		sum, step := f(0)+f(w.longest), w.longest/n
		for i := 1; i < n; i++ { // Simpson
			sum += f(float64(i)*step) * float64(2+2*(i%2))
		}
		want := sum * step / 3
		near(t, "the moment", w.moment(), want, 1e-9*want)
	}
}

func TestPatience_doesNotOverflow(t *testing.T) {
	w, err := Queue{Rate: 100, Hold: 2 * time.Second, Places: 15}.Patience(30 * time.Second) // e^2775
	if err != nil {
		t.Fatal(err)
	}
	near(t, "time-outs of the seed's load for ever", w.TimedOut, 1-7.5/100, 1e-9)
	near(t, "mean wait", w.Mean.Seconds(), 30, 0.02)
}

func TestLittle(t *testing.T) {
	n, err := Little(100, 2*time.Second)
	if err != nil || n != 200 {
		t.Errorf("100/s for 2 s keep %v busy (%v), want 200", n, err)
	}
}

func TestBurst_isTheSeed(t *testing.T) {
	inside := Burst{Rate: 100, Duration: 5 * time.Second, Hold: 2 * time.Second, Places: 15, Patience: 30 * time.Second}
	if n, err := inside.Served(30 * time.Second); err != nil || n != 240 {
		t.Errorf("inside: %d served (%v), want 240", n, err)
	}
	lasting := inside
	lasting.Duration = 120 * time.Second
	if n, err := lasting.Served(30 * time.Second); err != nil || n != 240 {
		t.Errorf("inside for 2 minutes: %d served (%v), want 240", n, err)
	}
	outside := Burst{Rate: 100, Duration: 5 * time.Second, Hold: 2 * time.Second, Places: 40}
	if n, err := outside.Served(30 * time.Second); err != nil || n != 500 {
		t.Errorf("sync outside: %d served (%v), want 500", n, err)
	}
	last, err := outside.LastLatency()
	if err != nil || last != 21200*time.Millisecond {
		t.Errorf("sync outside: the last after %v (%v), want 21.2 s", last, err)
	}
	if d, err := outside.Drain(); err != nil || d != 26190*time.Millisecond {
		t.Errorf("sync outside: done after %v (%v), want 26.19 s", d, err)
	}
	async := Burst{Rate: 100, Duration: 5 * time.Second, Hold: 2 * time.Second, Places: 200}
	if last, err := async.LastLatency(); err != nil || last != 2*time.Second {
		t.Errorf("where nobody waits: the last after %v (%v), want 2 s", last, err)
	}
}

func TestPlacesFor_agreesWithOthers(t *testing.T) {
	// Loads of 200.4 and 0.4 Erlangs.
	for _, c := range []struct {
		hold    time.Duration
		epsilon float64
		want    int
	}{{2004 * time.Millisecond, .05, 226}, {2004 * time.Millisecond, .01, 236}, {4 * time.Millisecond, .05, 3}, {4 * time.Millisecond, .01, 3}} {
		got, err := PlacesFor(100, c.hold, 0, c.epsilon)
		if err != nil || got != c.want {
			t.Errorf("%v, %v: %d places (%v), want %d", c.hold, c.epsilon, got, err, c.want)
		}
	}
}

func TestPlacesFor_isTheLeast(t *testing.T) {
	const epsilon = 0.02
	c, err := PlacesFor(50, time.Second, 100*time.Millisecond, epsilon)
	if err != nil {
		t.Fatal(err)
	}
	for places, enough := range map[int]bool{c: true, c - 1: false} {
		w, err := Queue{Rate: 50, Hold: time.Second, Places: places}.ErlangC()
		if err != nil {
			t.Fatal(err)
		}
		if (w.Longer(100*time.Millisecond) <= epsilon) != enough {
			t.Errorf("with %d places a share of %v waits longer; %d are said to be the least", places, w.Longer(100*time.Millisecond), c)
		}
	}
}

func TestSquareRootStaffing_isAGoodGuess(t *testing.T) {
	for _, load := range []float64{10, 100, 1000} {
		for beta, wait := range map[float64]float64{1: 0.223, 2: 0.027} {
			c, err := SquareRootStaffing(load, beta)
			if err != nil {
				t.Fatal(err)
			}
			w, err := Queue{Rate: load, Hold: time.Second, Places: c}.ErlangC()
			if err != nil {
				t.Fatal(err)
			}
			near(t, "P(wait)", w.Probability, wait, 0.06)
		}
	}
}

func TestFormulas_sayWhatIsWrong(t *testing.T) {
	ok := Queue{Rate: 6, Hold: 2 * time.Second, Places: 15}
	overloaded := Queue{Rate: 100, Hold: 2 * time.Second, Places: 15}
	burst := Burst{Rate: 100, Duration: 5 * time.Second, Hold: 2 * time.Second, Places: 15}
	impatient := burst
	impatient.Patience = 5 * time.Second
	for _, c := range []struct {
		want string
		err  error
	}{
		{"grow as long as the load lasts", second(overloaded.ErlangC())},
		{"grow as long as the load lasts", second(overloaded.Cosmetatos())},
		{"grow as long as the load lasts", second(overloaded.AllenCunneen(1, 1))},
		{"cannot be less than zero", second(ok.AllenCunneen(-1, 0))},
		{"0 places", second(Queue{Rate: 1, Hold: 1}.ErlangB())},
		{"rate of 0", second(Queue{Hold: 1, Places: 1}.ErlangB())},
		{"rate of NaN", second(Queue{Rate: math.NaN(), Hold: 1, Places: 1}.ErlangB())},
		{"rate of -1", second(Little(-1, time.Second))},
		{"hold of -1s", second(Queue{Rate: 1, Hold: -time.Second, Places: 1}.Patience(1))},
		{"patience of -1s", second(ok.Patience(-time.Second))},
		{"between 0 and 1", second(PlacesFor(1, time.Second, 0, 0))},
		{"wait of -1s", second(PlacesFor(1, time.Second, -time.Second, .1))},
		{"load of 0 Erlangs", second(SquareRootStaffing(0, 1))},
		{"β of -1", second(SquareRootStaffing(1, -1))},
		{"others are served in their place", second(impatient.Served(30 * time.Second))},
		{"goes away after 5s", second(impatient.LastLatency())},
		{"goes away after 5s", second(impatient.Drain())},
		{"before the first request", second(Burst{Rate: 1, Hold: 1, Places: 1}.Served(1))},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got the error %v, want one with %q", c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }
