package plan

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestHeld_GoesThroughBothQuantiles(t *testing.T) {
	h := Held{P50: 6 * time.Second, P99: 40 * time.Second, SQL: 50 * time.Millisecond}
	s := Service{Settings: experiment.Defaults(), Held: h, Arrivals: Poisson}
	s.Settings.Rate, s.Settings.PoolSize, s.Settings.ClientTimeout = 10, 2000, time.Hour
	r, err := s.Question().predict(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what      string
		got, want time.Duration
	}{{"p50", r.Holds.Held.P50, h.P50}, {"p99", r.Holds.Held.P99, h.P99}, {"mean", r.Holds.Held.Mean, h.mean()}, {"p99 of mean and shape", h.p99(), h.P99}} {
		if d := math.Abs(float64(c.got-c.want)) / float64(c.want); d > 0.03 {
			t.Errorf("%s of the holds is %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestHeld_SlowerIsAllButSQL(t *testing.T) {
	second := time.Second
	for _, c := range []struct{ held, want Held }{
		{Held{Mean: second, SQL: second / 4}, Held{Mean: second + 3*second/4, SQL: second / 4}},
		{Held{Mean: second, SQL: second}, Held{Mean: 2 * second, SQL: 2 * second}},
		{Held{P50: 2 * second, P99: 5 * second, SQL: second}, Held{P50: 3 * second, P99: 9 * second, SQL: second}},
	} {
		if got := c.held.slower(); got != c.want {
			t.Errorf("%+v twice as slow is %+v, want %+v", c.held, got, c.want)
		}
	}
}

func TestService_CountsProcessesAndDeploys(t *testing.T) {
	s := Service{Settings: experiment.Defaults(), Replicas: 3, Workers: 4}
	if all, surging := s.places(10, 0.25); all != 120 || surging != 160 { // a replica more is four workers more
		t.Errorf("3 replicas of 4 workers of 10 are %d and %d", all, surging)
	}
	if all, surging := (Service{Lambdas: 200}).places(200, 0.25); all != 200 || surging != 250 {
		t.Errorf("200 lambdas are %d and %d", all, surging)
	}
}

func TestService_DefaultTargetCanBeReached(t *testing.T) {
	for _, c := range []struct {
		held, timeout time.Duration
		want          string
	}{
		{20 * time.Millisecond, 30 * time.Second, "p99<=1s"},
		{2 * time.Second, 30 * time.Second, "p99<=4s"},
		{8 * time.Second, 30 * time.Second, "p99<=16s"},
		{40 * time.Second, 60 * time.Second, "p99<=50s"},
		{20 * time.Millisecond, 500 * time.Millisecond, "p99<=260ms"},
		{40 * time.Second, 30 * time.Second, "p99<=30s"},
	} {
		s := Service{Settings: experiment.Defaults(), Held: Held{Mean: c.held}}
		s.Settings.ClientTimeout = c.timeout
		targets := s.DefaultTargets()
		if again, err := ParseTarget(targets[0].String()); err != nil || namesOf(targets) != c.want || again != targets[0] {
			t.Errorf("held %v, clients of %v: %s, want %s (%v)", c.held, c.timeout, namesOf(targets), c.want, err)
		}
	}
}

func TestBreaks_WhereATargetIsNotMet(t *testing.T) {
	q := ask(t, inside, func(q *Question) { q.Model.Arrivals = Poisson })
	var rates []float64
	for _, targets := range [][]Target{nil, targetsOf(t, "p99<=10s"), targetsOf(t, "p99<=5s")} {
		b, err := Breaks(q, targets...)
		if err != nil {
			t.Fatal(err)
		}
		rates = append(rates, b.Rate)
		if text := b.Conclusion().Sentence; strings.Contains(text, "is not met") != (targets != nil) {
			t.Errorf("%s: %s", namesOf(targets), text)
		}
	}
	if !(rates[0] > rates[1] && rates[1] > rates[2] && rates[2] > 3) {
		t.Errorf("it breaks at %v: the stricter the target, the sooner", rates)
	}
}

// Where it breaks at any rate, there is a reason.
func TestBreaks_SaysWhyAtAnyRate(t *testing.T) {
	for _, c := range []struct {
		route, target, want string
		change              func(*Question)
	}{
		{inside, "p99<=1s", "It breaks at any rate (p99<=1s is not met, however few requests come): the slow call alone takes 2 s.", nil},
		{inside, "success>=0.999", "It breaks at any rate, by the client's deadline: a request takes 60 s, and its client leaves after 30 s.", func(q *Question) { q.Settings.Slow = time.Minute }},
		{inside, "success>=0.999", "one slow call in twenty is never answered", func(q *Question) { q.Model.Shape = experiment.Stalls }},
		{outside, "p99<=1s", "the slow call alone takes 2 s", nil}, // whose statements take no time: nothing limits it
	} {
		q := ask(t, c.route, c.change)
		b, err := Breaks(q, targetsOf(t, c.target)...)
		if err != nil {
			t.Fatal(err)
		}
		if b.Rate != 0 || b.Why == "" {
			t.Errorf("%s: breaks at %v because %q", c.want, b.Rate, b.Why)
		}
		says(t, b.Conclusion(), c.want)
	}
	curve, err := Curve(ask(t, inside, nil), 2, targetsOf(t, "p99<=1s")...)
	if err != nil || curve.Knee != 0 || curve.Why != "the slow call alone takes 2 s" {
		t.Errorf("the curve has its knee at %v because %q, %v", curve.Knee, curve.Why, err)
	}
}

// The load of a service lasts, and there is no other number.
func TestHowMany_OfAServiceIsWhereItsLoadLasts(t *testing.T) {
	q := ask(t, inside, func(q *Question) { q.Model.Service = true })
	s, err := HowMany(q, targetsOf(t, "success>=0.999"), Database{MaxConnections: 500})
	if err != nil {
		t.Fatal(err)
	}
	if s.Connections != 200 || s.Lasting != 200 || strings.Contains(s.Conclusion().Sentence, "for this load") {
		t.Errorf("%d connections, lasting %d: %s", s.Connections, s.Lasting, s.Conclusion().Sentence)
	}
}
