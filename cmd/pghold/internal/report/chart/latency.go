package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

const latencyHeight = 150

// Latencies draws each request as a dot: when it was sent, and how long it took.
// Every outcome has a colour and a shape. Where there are more than o.MaxDots, of
// dots of the same outcome that are near each other only the worst is drawn.
func Latencies(requests []experiment.Request, o Options) string {
	top := 8.0
	c := newCanvas(o.width(), top+latencyHeight+24)
	if o.Standalone {
		c.h += 44
		top += 22
		c.text(10, 18, atStart, "b", o.Name)
	}
	bottom := top + latencyHeight
	t := timeAxis(latestSent(requests, o), left, c.w-10)
	l := latencyAxis(requests, o, bottom, top)
	l.beside(c, c.w-10)
	t.below(c, bottom)
	if timeout := o.ClientTimeout.Seconds(); timeout > 0 && timeout <= l.end {
		y := l.at(timeout)
		c.line(left, y, c.w-10, y, "dash")
	}
	drawDots(c, requests, t, l, o)
	if now := o.Now.Seconds(); now > 0 && now < t.end {
		c.line(t.at(now), top, t.at(now), bottom, "dash")
	}
	if o.Standalone {
		legend(c, 10, c.h-22, Outcomes())
	}
	return c.picture("Latency of each request: "+o.Name, latencyDesc(requests, o), o)
}

func latestSent(requests []experiment.Request, o Options) float64 {
	end := o.Now.Seconds()
	if o.Time > 0 {
		return o.Time.Seconds()
	}
	for _, r := range requests {
		end = max(end, r.Sent.Seconds())
	}
	return end
}

// LatencyEnd is where an axis of latencies ends that shows all requests: at the worst,
// or a little beyond the client timeout where the worst comes near that.
func LatencyEnd(requests []experiment.Request, o Options) float64 {
	worst := 0.0
	for _, r := range requests {
		worst = max(worst, r.Latency.Seconds())
	}
	if timeout := o.ClientTimeout.Seconds(); timeout > 0 && worst >= timeout/3 {
		worst = max(worst, timeout)
	}
	return worst * 1.04
}

func latencyAxis(requests []experiment.Request, o Options, from, to float64) axis {
	if o.Latency > 0 {
		return timeAxis(o.Latency.Seconds(), from, to)
	}
	return timeAxis(LatencyEnd(requests, o), from, to)
}

func countOutcomes(requests []experiment.Request) map[experiment.Outcome]int {
	n := map[experiment.Outcome]int{}
	for _, r := range requests {
		n[known(r.Outcome)]++
	}
	return n
}

func latencyDesc(requests []experiment.Request, o Options) string {
	if len(requests) == 0 {
		return "No request has ended."
	}
	n := countOutcomes(requests)
	var all []string
	for _, outcome := range outcomeOrder {
		if n[outcome] == 0 {
			continue
		}
		least, most := math.Inf(1), 0.0
		for _, r := range requests {
			if known(r.Outcome) == outcome {
				s := max(r.Latency.Seconds(), 0)
				least, most = min(least, s), max(most, s)
			}
		}
		between := "in " + wordsOf(least) + " to " + wordsOf(most)
		if wordsOf(least) == wordsOf(most) {
			between = "in " + wordsOf(least)
		}
		all = append(all, countOutcome(n[outcome], outcome)+" "+between)
	}
	s := fmt.Sprintf("%s: %s.", words.Count(len(requests), "request"), strings.Join(all, ", "))
	if o.ClientTimeout > 0 {
		s += " The client timeout is " + inWords(o.ClientTimeout) + "."
	}
	return s
}

// dots is a path of dots of one outcome.
type dots struct {
	mark Mark
	b    strings.Builder
}

// size is how far a dot reaches from its middle.
const size = 2.6

func (d *dots) add(c *canvas, x, y float64) {
	x, y = min(max(x, size), c.w-size), min(max(y, size), c.h-size)
	at := func(dx, dy float64) string { return "M" + num(x+dx) + " " + num(y+dy) }
	switch d.mark.shape {
	case "round":
		d.b.WriteString(at(0, 0) + "h0")
	case "cross":
		d.b.WriteString(at(-2, -2) + "l4 4m0-4l-4 4")
	case "triangle":
		d.b.WriteString(at(-2.5, 2) + "h5l-2.5-4.5z")
	case "square":
		d.b.WriteString(at(-2, -2) + "h4v4h-4z")
	default: // plus
		d.b.WriteString(at(-2.5, 0) + "h5m-2.5-2.5v5")
	}
}

func (d *dots) String() string {
	if d.b.Len() == 0 {
		return ""
	}
	class := "dot"
	if d.mark.shape == "round" {
		class = "round"
	}
	return `<path class="` + class + ` s ` + d.mark.Class + `" d="` + d.b.String() + `"/>`
}

func drawDots(c *canvas, requests []experiment.Request, t, l axis, o Options) {
	of := map[experiment.Outcome]*dots{}
	for _, r := range thin(requests, t, l, o.MaxDots) {
		outcome := known(r.Outcome)
		if of[outcome] == nil {
			of[outcome] = &dots{mark: outcomes[outcome]}
		}
		of[outcome].add(c, t.at(r.Sent.Seconds()), l.at(r.Latency.Seconds()))
	}
	for _, outcome := range outcomeOrder { // what failed is on top
		if d := of[outcome]; d != nil {
			c.raw(d.String())
		}
	}
}

// thin leaves out dots until there are no more than most: of those of one outcome in
// one cell of a grid it keeps the worst. The grid gets coarser until that is enough.
func thin(requests []experiment.Request, t, l axis, most int) []experiment.Request {
	if most <= 0 {
		most = 2000
	}
	if len(requests) <= most {
		return requests
	}
	type place struct {
		outcome experiment.Outcome
		x, y    int
	}
	for cell := 1.0; ; cell *= 1.5 {
		worst := make(map[place]int, most)
		for i, r := range requests {
			p := place{known(r.Outcome), int(t.at(r.Sent.Seconds()) / cell), int(l.at(r.Latency.Seconds()) / cell)}
			if was, ok := worst[p]; !ok || r.Latency > requests[was].Latency {
				worst[p] = i
			}
			if len(worst) > most && cell < 1000 {
				break
			}
		}
		if len(worst) > most && cell < 1000 {
			continue
		}
		kept := make([]int, 0, len(worst))
		for _, i := range worst {
			kept = append(kept, i)
		}
		slices.SortFunc(kept, cmp.Compare)
		thinned := make([]experiment.Request, len(kept))
		for k, i := range kept {
			thinned[k] = requests[i]
		}
		return thinned
	}
}
