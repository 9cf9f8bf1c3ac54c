// Package words says durations, numbers, ratios and counts, in one way for all that
// pghold shows. It makes no sentences.
package words

import (
	"math"
	"strconv"
	"time"
)

// None stands where a figure does not apply or cannot be said.
const None = "–"

// Seconds shows a duration in four digits from a second up, and in three below:
// 21.25 s, 2.004 s, 350 ms, 912 µs.
func Seconds(d time.Duration) string {
	switch abs := d.Abs(); {
	case abs == 0:
		return "0 s"
	// What would round up to 1000 is shown in the next unit.
	case abs >= 999500*time.Microsecond:
		return Digits(d.Seconds(), 4) + " s"
	case abs >= 999500*time.Nanosecond:
		return Digits(d.Seconds()*1e3, 3) + " ms"
	default:
		return Digits(d.Seconds()*1e6, 3) + " µs"
	}
}

// Plain shows a setting's duration in full: 5 s, 27.5 s, 250 ms.
func Plain(d time.Duration) string {
	if d != 0 && d < time.Second && d > -time.Second {
		return Number(d.Seconds()*1e3) + " ms"
	}
	return Number(d.Seconds()) + " s"
}

// Short shows a duration in three digits, as a sentence has it: 2 s, 1.23 ms.
func Short(d time.Duration) string {
	switch {
	case d == 0:
		return "0 s"
	// As in Seconds, what would round up to 1000 is shown in the next unit.
	case d < 999500*time.Nanosecond:
		return Rounded(d.Seconds()*1e6) + " µs"
	case d < 999500*time.Microsecond:
		return Rounded(d.Seconds()*1e3) + " ms"
	}
	return Rounded(d.Seconds()) + " s"
}

// Rounded shows three digits of a number, and all before its point.
func Rounded(v float64) string {
	if v == 0 || !Finite(v) {
		return Number(v)
	}
	scale := math.Pow(10, max(0, 2-math.Floor(math.Log10(math.Abs(v)))))
	return strconv.FormatFloat(math.Round(v*scale)/scale, 'f', -1, 64)
}

// Ratio shows a ratio as a percentage. It rounds to 0 and to 100 only what is.
func Ratio(r float64) string {
	p := r * 100
	switch {
	case !Finite(p):
		return None
	case p > 0 && p < 0.1:
		return "<0.1 %"
	case p < 100 && p > 99.9:
		p = 99.9
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// SmallRatio shows a ratio that may be a small one: 0.045 %.
func SmallRatio(r float64) string {
	p := r * 100
	switch {
	case !Finite(p):
		return None
	case p == 0 || p >= 1:
		return Ratio(r)
	case p > 0 && p < 0.001:
		return "<0.001 %"
	}
	return Digits(p, 2) + " %"
}

// Change shows by how much more a figure is, of a ratio, in per cent or in percentage
// points. What rounds to nothing is no change, in either direction.
func Change(ratio float64, unit string) string {
	if !Finite(100 * ratio) {
		return None
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

// PerSecond shows a rate.
func PerSecond(v float64) string {
	if !Finite(v) {
		return None
	}
	return strconv.FormatFloat(v, 'f', 2, 64) + "/s"
}

// Digits shows n significant digits of v, and never fewer than its whole part.
func Digits(v float64, n int) string {
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

// Number shows a float without what it does not need: 100, 0.5.
func Number(v float64) string {
	if !Finite(v) {
		return None
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64)
}

// Finite reports whether a number is one.
func Finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Count counts things: 1 error, 2 errors, and where more is given, 2 entries.
func Count(n int, thing string, more ...string) string {
	if n == 1 {
		return "1 " + thing
	}
	if len(more) > 0 {
		return strconv.Itoa(n) + " " + more[0]
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// Times says how often: once, 2 times.
func Times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}
