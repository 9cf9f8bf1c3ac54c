package chart

import (
	"fmt"
	"math"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

const curveHeight = 110

// Curve draws what a route does over a range of rates: above how many requests are
// answered, below the latency that 99 % do not exceed, both over the same axis, on which
// a line marks where the route breaks.
func Curve(curve experiment.Curve, o Options) string {
	top := 26.0
	if o.Standalone {
		top += 22
	}
	c := newCanvas(o.width(), top+2*curveHeight+26+42)
	if o.Standalone {
		c.text(10, 18, atStart, "b", o.Name)
	}
	rates := rateAxis(curve, left, c.w-14)
	success := axis{end: 1, from: top + curveHeight, to: top, size: 0.01, unit: "%"}
	drawCurve(c, curve, rates, success, "answered, where the load lasts", "dot s "+outcomes[experiment.OK].Class, func(p experiment.RatePoint) float64 { return p.SuccessRatio })

	second := success.from + 26
	worst := 0.0
	for _, p := range curve.Points {
		worst = max(worst, p.P99.Seconds())
	}
	latency := timeAxis(worst*1.04, second+curveHeight, second)
	drawCurve(c, curve, rates, latency, "p99 of the latency", "plain", func(p experiment.RatePoint) float64 { return p.P99.Seconds() })
	rates.below(c, latency.from)
	c.text(rates.to, latency.from+30, atEnd, "q", "requests per second")
	if knee := curve.Knee; knee > 0 && knee < rates.end {
		c.text(rates.at(knee)+4, latency.to-8, atStart, "", "breaks at "+figure(knee)+"/s")
	}
	return c.picture("What "+o.Name+" does over the rate", curveDesc(curve), o)
}

// rateAxis is an axis of requests per second, from 0 to the last point.
func rateAxis(curve experiment.Curve, from, to float64) axis {
	a := axis{from: from, to: to, size: 1, end: 1}
	if n := len(curve.Points); n > 0 && curve.Points[n-1].Rate > 0 && !math.IsInf(curve.Points[n-1].Rate, 1) {
		a.end = curve.Points[n-1].Rate
	}
	return a
}

func drawCurve(c *canvas, curve experiment.Curve, x, y axis, title, class string, of func(experiment.RatePoint) float64) {
	y.beside(c, x.to)
	c.text(left, y.to-8, atStart, "q", title)
	if knee := curve.Knee; knee > 0 && knee < x.end {
		c.line(x.at(knee), y.to, x.at(knee), y.from, "dash")
	}
	var b strings.Builder
	for i, p := range curve.Points {
		b.WriteString(map[bool]string{true: "M", false: "L"}[i == 0])
		b.WriteString(num(c.x(x.at(p.Rate))) + " " + num(c.y(y.at(of(p)))))
	}
	if b.Len() > 0 {
		c.raw(`<path class="` + class + `" d="` + b.String() + `"/>`)
	}
}

func curveDesc(curve experiment.Curve) string {
	n := len(curve.Points)
	if n == 0 {
		return "There are no rates."
	}
	var s string
	switch {
	case math.IsInf(curve.Knee, 1):
		s = "It breaks at no rate shown."
	case curve.Knee == 0:
		s = "It breaks at any rate."
		if curve.Why != "" {
			s = "It breaks at any rate: " + strings.TrimPrefix(curve.Why, "by ") + "."
		}
	default:
		s = fmt.Sprintf("It breaks at %s requests per second.", figure(curve.Knee))
	}
	for _, p := range []experiment.RatePoint{curve.Points[0], curve.Points[n-1]} {
		s += fmt.Sprintf(" At %s per second %s %% are answered, with a p99 of %s.", figure(p.Rate), figure(100*p.SuccessRatio), inWords(p.P99))
	}
	return s
}
