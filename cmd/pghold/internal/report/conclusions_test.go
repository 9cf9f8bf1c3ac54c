package report

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// aPrediction is a result with conclusions, two of them in the same words.
func aPrediction() *experiment.Result {
	return &experiment.Result{
		Kind: experiment.Predicted, Settings: experiment.Defaults(),
		Routes: []experiment.RouteResult{{
			Name: "r", Requests: 500, Interval: map[string][2]float64{
				"success_ratio": {0.47, 0.49}, "throughput_per_s": {6.8, 6.9}, "latency_s.p50": {0.2, 0.2}, "latency_s.p99": {29.5, 30},
			},
			Holds:       experiment.Holds{Count: 240, SilentInTransaction: 480 * time.Second},
			Connections: experiment.Connections{SilentInTransaction: 480 * time.Second},
		}},
		Conclusions: []experiment.Conclusion{
			{About: "breaks", Cases: []string{"r"}, Sentence: "It breaks at 7.5/s."},
			{About: "breaks", Cases: []string{"q\x1b[31m"}, Sentence: "It breaks at 7.5/s."},
		},
	}
}

func TestText_HasWhatFollowsFromAPrediction(t *testing.T) {
	var b bytes.Buffer
	if err := Text(&b, aPrediction(), TextOptions{}); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, want := range []string{
		"What follows", "It breaks at 7.5/s.", "r: success 47.0 % to 49.0 %, throughput 6.80/s to 6.90/s, p50 200 ms, p99 29.5 s to 30 s",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, out)
		}
	}
	if strings.Count(out, "It breaks") != 1 || strings.Contains(out, "\x1b") {
		t.Errorf("the same is said twice, or a name was not cleaned:\n%s", out)
	}
	if strings.Contains(out, "by the server") {
		t.Errorf("a prediction has nothing that the server said:\n%s", out)
	}
	b.Reset()
	if err := Markdown(&b, aPrediction()); err != nil || !strings.Contains(b.String(), "## What follows") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

func TestTextCurve(t *testing.T) {
	c := experiment.Curve{Name: "r", Knee: 7.5}
	for i := range 20 {
		p := experiment.RatePoint{Rate: 0.75 * float64(i+1), SuccessRatio: 1, P99: 2 * time.Second}
		if p.Rate > 7.5 {
			p.SuccessRatio, p.P99 = 0.1, 30*time.Second
		}
		c.Points = append(c.Points, p)
	}
	draw := func(c experiment.Curve, o TextOptions) string {
		var b bytes.Buffer
		if err := TextCurve(&b, c, o); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	out := draw(c, TextOptions{})
	lines := strings.Split(out, "\n")
	if got := []rune(lines[1]); string(got[:9])+strings.Repeat("█", 10) != string(got) {
		t.Errorf("the first line is %q, want ten full columns: all answered up to 7.5/s", lines[1])
	}
	knee := ""
	for _, l := range lines {
		if strings.Contains(l, "▲") {
			knee = l
		}
	}
	if knee != strings.Repeat(" ", 9+9)+"▲" || !strings.Contains(out, "it breaks at 7.5.") {
		t.Errorf("the knee is at %q in\n%s", knee, out)
	}
	quick := experiment.Curve{Points: []experiment.RatePoint{{Rate: 1, SuccessRatio: 1}}}
	if out := draw(quick, TextOptions{}); strings.Contains(out, "p99") {
		t.Errorf("a latency of zero is drawn in\n%s", out)
	}
	c.Knee = 0.75 // at the first
	if out := draw(c, TextOptions{}); !strings.Contains(out, "\n"+strings.Repeat(" ", 9)+"▲\n") {
		t.Errorf("the knee is not at the first column of\n%s", out)
	}
	for knee, want := range map[float64]string{0: "breaks at any rate", math.Inf(1): "breaks at none of them"} {
		c.Knee = knee
		if out := draw(c, TextOptions{}); !strings.Contains(out, want) || strings.Contains(out, "▲") {
			t.Errorf("want %q and no mark in\n%s", want, out)
		}
	}
	for _, line := range strings.Split(draw(c, TextOptions{Width: 30, Color: true}), "\n") {
		if w := lipgloss.Width(line); w > 30 {
			t.Errorf("%d columns in 30: %q", w, line)
		}
	}
}
