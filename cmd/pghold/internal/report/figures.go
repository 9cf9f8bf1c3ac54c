package report

import (
	"math"
	"strconv"
	"time"
)

// none stands where a figure does not apply or cannot be said.
const none = "–"

// seconds shows a duration in four digits from a second up, and in three below:
// 21.25 s, 2.004 s, 350 ms, 912 µs.
func seconds(d time.Duration) string {
	switch abs := d.Abs(); {
	case abs == 0:
		return "0 s"
	// What would round up to 1000 is shown in the next unit.
	case abs >= 999500*time.Microsecond:
		return digits(d.Seconds(), 4) + " s"
	case abs >= 999500*time.Nanosecond:
		return digits(d.Seconds()*1e3, 3) + " ms"
	default:
		return digits(d.Seconds()*1e6, 3) + " µs"
	}
}

// plain shows a setting's duration in full: 5 s, 27.5 s, 250 ms.
func plain(d time.Duration) string {
	if d != 0 && d < time.Second && d > -time.Second {
		return number(d.Seconds()*1e3) + " ms"
	}
	return number(d.Seconds()) + " s"
}

// ratio shows a ratio as a percentage. It rounds to 0 and to 100 only what is.
func ratio(r float64) string {
	p := r * 100
	switch {
	case !finite(p):
		return none
	case p > 0 && p < 0.1:
		return "<0.1 %"
	case p < 100 && p > 99.9:
		p = 99.9
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// smallRatio shows a ratio that may be a small one: 0.045 %.
func smallRatio(r float64) string {
	p := r * 100
	switch {
	case !finite(p):
		return none
	case p == 0 || p >= 1:
		return ratio(r)
	case p > 0 && p < 0.001:
		return "<0.001 %"
	}
	return digits(p, 2) + " %"
}

// change shows by how much more a figure is, of a ratio, in per cent or in percentage
// points. What rounds to nothing is no change, in either direction.
func change(ratio float64, unit string) string {
	if !finite(100 * ratio) {
		return none
	}
	text := strconv.FormatFloat(100*ratio, 'f', 1, 64)
	switch {
	case text == "0.0" || text == "-0.0":
		text = "0.0"
	case ratio > 0:
		text = "+" + text
	}
	return text + " " + unit
}

// perSecond shows a rate.
func perSecond(v float64) string {
	if !finite(v) {
		return none
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + "/s"
}

// digits shows n significant digits of v, and never fewer than its whole part.
func digits(v float64, n int) string {
	decimals := n - 1 - magnitude(v)
	s := strconv.FormatFloat(v, 'f', max(decimals, 0), 64)
	// Rounding may have made the number longer: 9.9996 is 10.00, not 10.000.
	if rounded, err := strconv.ParseFloat(s, 64); err == nil && magnitude(rounded) > magnitude(v) {
		s = strconv.FormatFloat(v, 'f', max(decimals-1, 0), 64)
	}
	return s
}

// magnitude is the power of ten of v's first digit.
func magnitude(v float64) int {
	if v == 0 {
		return 0
	}
	return int(math.Floor(math.Log10(math.Abs(v))))
}

// number shows a float without what it does not need: 100, 0.5.
func number(v float64) string {
	if !finite(v) {
		return none
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// plural counts things: 1 error, 2 errors.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}
