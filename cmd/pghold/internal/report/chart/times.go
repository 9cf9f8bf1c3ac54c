package chart

import (
	"fmt"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// TimeRow is where the time of a route's requests went, as means.
type TimeRow struct {
	Name string
	experiment.TimeSplit
}

// Times draws where the time of requests went as a bar for each route, all on the
// same axis.
func Times(rows []TimeRow, o Options) string {
	const above, bar, gap = 18, 14, 8
	end := o.Latency.Seconds()
	for _, r := range rows {
		if o.Latency == 0 {
			end = max(end, total(r))
		}
	}
	top := 0.0
	c := newCanvas(o.width(), float64(len(rows))*(above+bar+gap)+26)
	if o.Standalone {
		c.h += 22
	}
	a := timeAxis(end, 10, c.w-12)
	y := top
	for _, r := range rows {
		words := wordsOf(total(r))
		c.text(a.from, y+above-6, atStart, "", cut(r.Name, a.to-a.from-textWidth(words)-8))
		c.text(a.to, y+above-6, atEnd, "q", words)
		from, before, x := 0.0, 0.0, a.from
		c.rect(a.from, y+above, a.to-a.from, bar, "f free")
		for i, m := range Waits() {
			d := splits(r)[i]
			if d <= 0 {
				continue
			}
			width := max(a.at(from+d)-x, 1)
			c.rect(x, y+above, width, bar, "f "+m.Class)
			if from > 0 {
				separator(c, x, y+above, bar, before, width)
			}
			from, before, x = from+d, width, x+width
		}
		y += above + bar + gap
	}
	a.below(c, y)
	if o.Standalone {
		legend(c, 10, c.h-18, Waits())
	}
	return c.picture("Where each request's time went, on average", timesDesc(rows), o)
}

// separator draws the edge of two parts of a bar, on the first that has room for it, so
// that where a part ends hangs on no colour.
func separator(c *canvas, x, y, height, before, after float64) {
	const room = 3
	switch {
	case before >= room:
		c.rect(x-1, y, 1, height, "paper")
	case after >= room:
		c.rect(x, y, 1, height, "paper")
	}
}

func splits(r TimeRow) [4]float64 {
	return [4]float64{max(r.ThreadWait.Seconds(), 0), max(r.PoolWait.Seconds(), 0), max(r.Busy.Seconds(), 0), max(r.Slow.Seconds(), 0)}
}

func total(r TimeRow) (sum float64) {
	for _, d := range splits(r) {
		sum += d
	}
	return sum
}

func timesDesc(rows []TimeRow) string {
	var all []string
	for _, r := range rows {
		var parts []string
		for i, m := range Waits() {
			if d := splits(r)[i]; d > 0 {
				parts = append(parts, fmt.Sprintf("%s %s", m.Words, wordsOf(d)))
			}
		}
		if len(parts) == 0 {
			parts = []string{"nothing was counted"}
		}
		all = append(all, fmt.Sprintf("%s: %s.", printable(r.Name), strings.Join(parts, ", ")))
	}
	if len(all) == 0 {
		return "There are no routes."
	}
	return strings.Join(all, " ")
}
