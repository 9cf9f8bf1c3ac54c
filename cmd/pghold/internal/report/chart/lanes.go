package chart

import (
	"fmt"
	"math"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// mostLanes is how many connections are drawn as lanes. More are drawn as the number
// of connections in each state.
const mostLanes = 40

// Lanes draws a lane for each connection over time, with those who waited for one as
// an area above it. A lane is a place among those in use, the lowest that was free
// (experiment.Checkout.Connection), and may be another connection later on; where more
// were used than there are lanes, they take turns in them too. Where more than 40 would
// be needed, the lanes are replaced by areas: how many connections were in each state.
//
// Of a route that still runs (Options.Now), who has no connection at the latest moment
// of checkouts has not waited in vain but waits.
//
// In what order a hold was busy and silent is not known: it is drawn busy, then silent
// in transaction, then silent. What is shorter than a pixel is drawn as one, and lower
// where the connection was held for less than half of the pixel's time.
func Lanes(checkouts []experiment.Checkout, o Options) string {
	l := newHolds(checkouts, o)
	c := newCanvas(o.width(), lanesTop+l.height()+lanesBottom)
	y := 0.0
	if o.Standalone {
		c.h += 44
		y = 22
		c.text(10, 18, atStart, "b", o.Name)
	}
	l.draw(c, 8, y, c.w-16, timeEnd(l.end, o))
	if o.Standalone {
		legend(c, 10, c.h-22, Connections())
	}
	return c.picture(l.title(), l.desc(), o)
}

func timeEnd(data float64, o Options) float64 {
	if o.Time > 0 {
		return o.Time.Seconds()
	}
	return data
}

// Where the parts of lanes are.
const (
	waitersHeight = 44
	lanesTop      = 18 + waitersHeight + 24
	lanesBottom   = 24
)

// draw draws waiters and lanes with their axis, from a place on.
func (l *holds) draw(c *canvas, x, y, w, seconds float64) {
	a := timeAxis(seconds, x, x+w)
	l.drawWaiters(c, a, y)
	top := y + lanesTop
	bottom := top + l.height()
	l.heading(c, a, top)
	if l.asLanes() {
		l.drawLanes(c, a, top)
	} else {
		l.drawAreas(c, a, top, bottom)
	}
	if l.drawsGone(a) {
		gone := a.at(l.o.ClientsGone.Seconds())
		l.moment(c, gone, y, top, bottom)
		label, at, anchor := "last client gone", gone+5, atStart
		if at+textWidth(label) > a.to {
			at, anchor = gone-5, atEnd
		}
		c.text(at, y+42, anchor, "q over", label)
	}
	if now := l.o.Now.Seconds(); now > 0 && now < a.end {
		l.moment(c, a.at(now), y, top, bottom)
	}
	a.below(c, bottom+4)
}

// moment draws a line at a moment through waiters and lanes, but not through the words
// between them.
func (l *holds) moment(c *canvas, x, y, top, bottom float64) {
	c.line(x, y+18, x, y+18+waitersHeight, "dash")
	c.line(x, top, x, bottom+4, "dash")
}

// drawsGone reports whether connections were held noticeably longer than clients
// were there.
func (l *holds) drawsGone(a axis) bool {
	gone := l.o.ClientsGone.Seconds()
	return gone > 0 && l.end > gone+a.end/12 && gone < a.end
}

func (l *holds) heading(c *canvas, a axis, top float64) {
	what := "connections in use"
	if l.o.InFlight != nil {
		what = "connections in a transaction"
	}
	words := fmt.Sprintf("%s: at most %d of %d", what, l.maxHeld, l.lanes)
	if l.maxHeld == 0 {
		words = fmt.Sprintf("%s: none of %d", what, l.lanes)
	}
	c.text(a.from, top-7, atStart, "", cut(words, a.to-a.from))
}

// state is what a lane shows in a column.
type state int

const (
	isFree state = iota
	isBusy
	isSilentTx
	isSilent
	isBusyLow // held for less than half of the column
	isSilentTxLow
	isSilentLow
)

var stateClasses = []struct {
	state state
	mark  Mark
	low   bool
}{
	{isSilent, silent, false}, {isSilentTx, silentTx, false}, {isBusy, busy, false},
	{isSilentLow, silent, true}, {isSilentTxLow, silentTx, true}, {isBusyLow, busy, true},
}

func (l *holds) drawLanes(c *canvas, a axis, top float64) {
	n := columns(a)
	perColumn := a.end / float64(n)
	times := make([][3][]float64, l.lanes)
	ticks := make([][]bool, l.lanes)
	for i := range times {
		times[i] = [3][]float64{make([]float64, n), make([]float64, n), make([]float64, n)}
		ticks[i] = make([]bool, n)
	}
	for _, ck := range l.checkouts {
		at := ck.At.Seconds()
		if ck.Connection <= 0 || at >= a.end {
			continue
		}
		lane := l.lane[ck.Connection]
		for i, d := range parts(ck) {
			if i == 0 && d > 0 {
				ticks[lane][clampIndex(at/perColumn, n)] = true
			}
			spread(times[lane][i], perColumn, at, at+d)
			at += d
		}
	}

	pitch := l.pitch()
	height := pitch - max(1, math.Floor(pitch/5))
	var track strings.Builder
	paths := make([]strings.Builder, isSilentLow+1)
	for lane := range times {
		y := num(c.y(top + pitch*float64(lane) + pitch/2))
		track.WriteString("M" + num(a.from) + " " + y + "h" + num(c.x(a.to)-a.from))
		pens := [isSilentLow + 1]int{} // where each path stands, in columns from its first
		for i := range pens {
			pens[i] = -1
		}
		for i := 0; i < n; {
			s := show(times[lane], ticks[lane][i], i, perColumn)
			j := i + 1
			for j < n && show(times[lane], ticks[lane][j], j, perColumn) == s {
				j++
			}
			if s != isFree {
				p := &paths[s]
				if pens[s] < 0 {
					p.WriteString("M" + num(a.from+float64(i)) + " " + y)
				} else {
					fmt.Fprintf(p, "m%d 0", i-pens[s])
				}
				fmt.Fprintf(p, "h%d", j-i)
				pens[s] = j
			}
			i = j
		}
	}
	stroke := func(class string, width float64, d string) {
		if d != "" {
			c.raw(`<path class="edge s ` + class + `" stroke-width="` + num(width) + `" d="` + d + `"/>`)
		}
	}
	stroke(free.Class, height, track.String())
	for _, s := range stateClasses {
		width := height
		if s.low {
			width = max(math.Round(height*0.45), 1)
		}
		stroke(s.mark.Class, width, paths[s.state].String())
	}
}

// show decides what a column of a lane shows. A beginning of a statement is always
// shown, else what there is most of.
func show(times [3][]float64, tick bool, i int, perColumn float64) state {
	b, tx, s := times[0][i], times[1][i], times[2][i]
	held := b + tx + s
	st := isFree
	switch {
	case tick || b > 0 && b >= tx && b >= s:
		st = isBusy
	case held == 0:
		return isFree
	case tx >= s:
		st = isSilentTx
	default:
		st = isSilent
	}
	if held < perColumn/2 {
		st += isBusyLow - isBusy
	}
	return st
}
