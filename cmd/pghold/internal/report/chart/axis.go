package chart

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// units of time, the largest last.
var units = []struct {
	name string
	size float64 // in seconds
}{
	{"ns", 1e-9}, {"µs", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"y", 365.25 * 86400},
}

// unitOf is the unit in which a duration is shown. Seconds serve for quarters of
// an hour, so that the figures are those of the settings.
func unitOf(seconds float64) (name string, size float64) {
	u := units[0]
	for _, next := range units[1:] {
		least := next.size
		switch next.name {
		case "min":
			least = 1000
		case "h", "d", "y":
			least = 3 * next.size
		}
		if seconds < least {
			break
		}
		u = next
	}
	return u.name, u.size
}

// inWords shows a duration in three digits.
func inWords(d time.Duration) string { return wordsOf(d.Seconds()) }

func wordsOf(seconds float64) string {
	if seconds == 0 || math.IsNaN(seconds) {
		return "0 s"
	}
	name, size := unitOf(math.Abs(seconds))
	return figure(seconds/size) + " " + name
}

// figure shows three digits of a number, and its whole part.
func figure(v float64) string {
	decimals := 2
	if abs := math.Abs(v); abs >= 99.95 {
		decimals = 0
	} else if abs >= 9.995 {
		decimals = 1
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// axis is a line of values from 0 to end, from one place to another.
type axis struct {
	end      float64 // in seconds, or how many
	from, to float64 // in pixels
	unit     string
	size     float64 // of the unit
}

// timeAxis is an axis of seconds.
func timeAxis(seconds, from, to float64) axis {
	if !(seconds > 0) || math.IsInf(seconds, 0) {
		seconds = 1
	}
	a := axis{end: seconds, from: from, to: to}
	a.unit, a.size = unitOf(seconds)
	return a
}

// at is where a value is, on the axis.
func (a axis) at(v float64) float64 {
	share := v / a.end
	if !(share > 0) {
		share = 0
	}
	return a.from + min(share, 1)*(a.to-a.from)
}

// ticks are at most so many round values, 0 among them.
func (a axis) ticks(most int) (values []float64) {
	end := a.end / a.size
	step := math.Pow(10, math.Floor(math.Log10(end/float64(most))))
	for _, times := range []float64{1, 2, 5, 10, 20} {
		if end/(step*times) <= float64(most) {
			step *= times
			break
		}
	}
	for i := 0; i <= most && float64(i)*step <= end*1.0001; i++ {
		values = append(values, float64(i)*step*a.size)
	}
	return values
}

// label shows the value of a tick.
func (a axis) label(v float64) string {
	s := strconv.FormatFloat(v/a.size, 'g', 6, 64)
	if a.unit == "" {
		return s
	}
	return s + " " + a.unit
}

// below draws an axis under a picture.
func (a axis) below(c *canvas, y float64) {
	c.line(a.from, y, a.to, y, "line")
	most := max(1, int((a.to-a.from)/64))
	for _, v := range a.ticks(most) {
		x := a.at(v)
		c.line(x, y, x, y+4, "line")
		c.text(x, y+16, atMiddle, "q", a.label(v))
	}
}

// beside draws an axis left of a picture, and lines as far as right.
func (a axis) beside(c *canvas, right float64) {
	for _, v := range a.ticks(max(1, int((a.from-a.to)/28))) {
		y := a.at(v)
		class := "grid"
		if v == 0 {
			class = "line"
		}
		c.line(left, y, right, y, class)
		c.text(left-6, y+4, atEnd, "q", a.label(v))
	}
}

// left is the room for the labels of an axis beside a picture.
const left = 52
