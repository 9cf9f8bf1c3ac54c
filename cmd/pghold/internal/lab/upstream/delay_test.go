package upstream_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
)

func draw(t *testing.T, cfg upstream.Config, n int) []time.Duration {
	t.Helper()
	d, err := upstream.Draw(cfg, n)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// spread is the mean and the standard deviation.
func spread(values []float64) (mean, sd float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		sd += (v - mean) * (v - mean) / float64(len(values))
	}
	return mean, math.Sqrt(sd)
}

func TestDelay_LognormalHasTheMeanAndVariesByIt(t *testing.T) {
	cfg := upstream.Config{Delay: 2 * time.Second, Shape: upstream.Lognormal, Seed: 1}
	drawn := draw(t, cfg, 20_000)
	seconds, logs := make([]float64, len(drawn)), make([]float64, len(drawn))
	for i, d := range drawn {
		seconds[i], logs[i] = d.Seconds(), math.Log(d.Seconds())
	}
	mean, sd := spread(seconds)
	_, sigma := spread(logs)
	// Of 20,000 draws the standard errors are 0.7 %, 2.2 % and 0.5 %.
	for _, c := range []struct {
		what                 string
		got, want, tolerance float64
	}{{"mean, in s", mean, 2, 0.02}, {"coefficient of variation", sd / mean, 1, 0.06}, {"sigma", sigma, math.Sqrt(math.Ln2), 0.015}} {
		if math.Abs(c.got/c.want-1) > c.tolerance {
			t.Errorf("the %s is %.4f, want %.4f", c.what, c.got, c.want)
		}
	}
	if !slices.Equal(drawn[:100], draw(t, cfg, 100)) {
		t.Error("the same seed gives other delays")
	}
	cfg.Seed = 2
	if slices.Equal(drawn[:100], draw(t, cfg, 100)) {
		t.Error("another seed gives the same delays")
	}
}

func TestDelay_FixedAndStalls(t *testing.T) {
	for shape, stalled := range map[string][]int{"": nil, upstream.Fixed: nil, upstream.Stalls: {19, 39}} {
		want := slices.Repeat([]time.Duration{time.Second}, 50)
		for _, i := range stalled {
			want[i] = -1
		}
		if got := draw(t, upstream.Config{Delay: time.Second, Shape: shape}, 50); !slices.Equal(got, want) {
			t.Errorf("shape %q: got %v, want %v", shape, got, want)
		}
	}
	if got := draw(t, upstream.Config{Shape: upstream.Lognormal}, 1); got[0] != 0 {
		t.Errorf("lognormal with the mean 0 is %v", got)
	}
}

func TestStart_RefusesWhatIsNoDelay(t *testing.T) {
	for _, cfg := range []upstream.Config{{Shape: "normal"}, {Delay: -1}} {
		if s, err := upstream.Start(cfg); err == nil {
			s.Close()
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
