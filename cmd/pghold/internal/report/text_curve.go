package report

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// eighths fill a cell from below.
var eighths = []rune(" ▁▂▃▄▅▆▇█")

const curveRows = 5

// TextCurve draws what a route does over a range of rates with block characters, a
// column for each rate: how many requests are answered, and below it the latency that
// 99 % do not exceed.
func TextCurve(w io.Writer, c experiment.Curve, o TextOptions) error {
	width := 100
	if o.Width != 0 {
		width = max(o.Width, 30)
	}
	p := palette{o.Color}
	if len(c.Points) == 0 {
		return nil
	}
	const margin = 9 // of the labels
	points := c.Points
	if most := width - margin - 2; len(points) > most {
		points = points[:most]
	}
	worst := 0.0
	for _, pt := range points {
		worst = max(worst, pt.P99.Seconds())
	}
	var b strings.Builder
	b.WriteString(p.paint(toneTitle, fit(printable.Line(c.Name)+" over the rate, where the load lasts", width)) + "\n")
	bars(&b, p, "success", "100 %", points, func(pt experiment.RatePoint) float64 { return pt.SuccessRatio })
	if worst > 0 {
		bars(&b, p, "p99", words.Short(time.Duration(worst*float64(time.Second))), points, func(pt experiment.RatePoint) float64 { return pt.P99.Seconds() / worst })
	}
	knee, at := kneeOf(c), -1
	for i, pt := range points {
		if pt.Rate <= c.Knee && !math.IsInf(c.Knee, 1) {
			at = i
		}
	}
	if at >= 0 {
		b.WriteString(strings.Repeat(" ", margin+at) + "▲\n")
	}
	ends := fmt.Sprintf("from %s to %s requests/s; ", words.Rounded(points[0].Rate), words.Rounded(points[len(points)-1].Rate))
	b.WriteString(p.paint(toneQuiet, wrap(ends+knee, width, "")) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func kneeOf(c experiment.Curve) string {
	switch {
	case math.IsInf(c.Knee, 1):
		return "it breaks at none of them."
	case c.Knee == 0:
		return "it breaks at any rate" + because(c) + "."
	}
	return "it breaks at " + words.Rounded(c.Knee) + "."
}

// because says why a curve breaks at any rate.
func because(c experiment.Curve) string {
	switch why := printable.Line(c.Why); {
	case why == "":
		return ""
	case strings.HasPrefix(why, "by "):
		return ", " + why
	default:
		return ": " + why
	}
}

// bars draws a value from 0 to 1 for each point.
func bars(b *strings.Builder, p palette, name, top string, points []experiment.RatePoint, of func(experiment.RatePoint) float64) {
	for row := curveRows - 1; row >= 0; row-- {
		label := ""
		switch row {
		case curveRows - 1:
			label = top
		case curveRows - 2:
			label = name
		case 0:
			label = "0"
		}
		line := p.paint(toneQuiet, pad(label, 7, false)) + " ┤"
		for _, pt := range points {
			filled := int(math.Round(of(pt)*curveRows*8)) - 8*row
			line += string(eighths[min(max(filled, 0), 8)])
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
