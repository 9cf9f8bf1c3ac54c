package chart

import (
	"fmt"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

const (
	rowHeight = 30
	rowAbove  = 20 // for the words of a row
	bins      = 48
)

// Distribution draws how the latencies of each outcome are distributed: a row for
// each, all on the same axis of latencies. The bars of a row are as high as there are
// requests, relative to the highest of the row.
func Distribution(requests []experiment.Request, o Options) string {
	n := countOutcomes(requests)
	for _, outcome := range o.Outcomes {
		n[known(outcome)] += 0
	}
	if len(n) == 0 {
		n[experiment.OK] = 0
	}
	var rows []experiment.Outcome
	for _, outcome := range outcomeOrder {
		if _, ok := n[outcome]; ok {
			rows = append(rows, outcome)
		}
	}

	top := 0.0
	c := newCanvas(o.width(), float64(len(rows)*(rowAbove+rowHeight))+24)
	if o.Standalone {
		c.h += 24
		top = 24
		c.text(10, 18, atStart, "b", o.Name)
	}
	a := latencyAxis(requests, o, 10, c.w-12)
	counts := map[experiment.Outcome]*[bins]int{}
	for _, r := range requests {
		outcome := known(r.Outcome)
		if counts[outcome] == nil {
			counts[outcome] = new([bins]int)
		}
		counts[outcome][clampIndex(r.Latency.Seconds()/a.end*bins, bins)]++
	}
	medians := mediansOf(requests)
	base := top
	for _, outcome := range rows {
		base += rowAbove + rowHeight
		drawRow(c, a, base, outcome, n[outcome], medians[outcome], counts[outcome])
	}
	a.below(c, base)
	return c.picture("Latency distribution by outcome: "+o.Name, distributionDesc(rows, n, medians), o)
}

// drawRow draws the bars of an outcome, and its words above them.
func drawRow(c *canvas, a axis, base float64, outcome experiment.Outcome, n int, median float64, counts *[bins]int) {
	m := outcomes[outcome]
	m.swatch(c, a.from-2, base-rowHeight-rowAbove+3)
	label := countOutcome(n, outcome)
	most := highest(counts)
	if most > 0 {
		label += ", median " + wordsOf(median)
	}
	c.text(a.from+17, base-rowHeight-rowAbove+14, atStart, "", cut(label, c.w-a.from-19))
	c.line(a.from, base, a.to, base, "line")
	if most == 0 {
		return
	}
	width := (a.to - a.from) / bins
	var b strings.Builder
	for i, k := range counts {
		if k == 0 {
			continue
		}
		height := max(float64(rowHeight)*float64(k)/float64(most), 1.5)
		x, w := num(c.x(a.from+width*float64(i))), num(max(width-1, 1))
		fmt.Fprintf(&b, "M%s %sh%sV%sh-%sz", x, num(base), w, num(c.y(base-height)), w)
	}
	c.raw(`<path class="f ` + m.Class + `" d="` + b.String() + `"/>`)
}

// mediansOf are the medians of the latencies of each outcome, in seconds.
func mediansOf(requests []experiment.Request) map[experiment.Outcome]float64 {
	all := map[experiment.Outcome][]time.Duration{}
	for _, r := range requests {
		all[known(r.Outcome)] = append(all[known(r.Outcome)], r.Latency)
	}
	medians := map[experiment.Outcome]float64{}
	for outcome, ds := range all {
		medians[outcome] = max(experiment.NewQuantiles(ds).P50.Seconds(), 0)
	}
	return medians
}

func highest(counts *[bins]int) (most int) {
	if counts == nil {
		return 0
	}
	for _, k := range counts {
		most = max(most, k)
	}
	return most
}

func distributionDesc(rows []experiment.Outcome, n map[experiment.Outcome]int, medians map[experiment.Outcome]float64) string {
	var all []string
	for _, outcome := range rows {
		s := countOutcome(n[outcome], outcome)
		if n[outcome] > 0 {
			s += ", half of them within " + wordsOf(medians[outcome])
		}
		all = append(all, s)
	}
	return strings.Join(all, "; ") + "."
}
