package chart_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/report/chart"
)

func TestCurve(t *testing.T) {
	points := []experiment.RatePoint{{Rate: 5, SuccessRatio: 1, P99: 2 * time.Second}, {Rate: 15, SuccessRatio: 0.02, P99: 30 * time.Second}}
	for _, c := range []struct {
		curve  experiment.Curve
		want   string
		marked bool
	}{
		{experiment.Curve{Points: points, Knee: 7.5}, "It breaks at 7.5 requests per second. At 5 per second 100 % are answered, with a p99 of 2 s. At 15 per second 2 % are answered", true},
		{experiment.Curve{Points: points, Knee: 0}, "It breaks at any rate.", false},
		{experiment.Curve{Points: points, Knee: math.Inf(1)}, "It breaks at no rate shown.", false},
		{experiment.Curve{}, "There are no rates.", false},
		{experiment.Curve{Points: []experiment.RatePoint{{Rate: math.Inf(1), SuccessRatio: math.NaN(), P99: -1}}, Knee: 1}, "It breaks", false},
	} {
		for _, o := range []chart.Options{{Name: "a <route>"}, {Name: "r", Width: 640, Standalone: true}} {
			svg := chart.Curve(c.curve, o)
			if !strings.Contains(svg, c.want) || strings.Contains(svg, "breaks at 7.5/s") != c.marked {
				t.Errorf("want %q, marked %v, in\n%s", c.want, c.marked, svg)
			}
			if bad := regexp.MustCompile(` (d|x|y|width|height)="[^"]*(NaN|Inf)`); bad.MatchString(svg) {
				t.Errorf("a coordinate is none: %s", svg)
			}
			for d := xml.NewDecoder(strings.NewReader(svg)); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("no XML: %v in %s", err, svg)
				}
			}
		}
	}
}
