package words

import (
	"math"
	"testing"
	"time"
)

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                 "0 s",
		1:                                 "0.00100 µs",
		912345 * time.Nanosecond:          "912 µs",
		999499 * time.Nanosecond:          "999 µs",
		999600 * time.Nanosecond:          "1.00 ms",
		9996 * time.Microsecond:           "10.0 ms",
		350 * time.Millisecond:            "350 ms",
		999499 * time.Microsecond:         "999 ms",
		999600 * time.Microsecond:         "0.9996 s",
		2004 * time.Millisecond:           "2.004 s",
		9999600 * time.Microsecond:        "10.00 s",
		21254 * time.Millisecond:          "21.25 s",
		30001 * time.Millisecond:          "30.00 s",
		99996 * time.Millisecond:          "100.0 s",
		3 * time.Hour:                     "10800 s",
		-2 * time.Second:                  "-2.000 s",
		time.Duration(math.MaxInt64):      "9223372037 s",
		time.Duration(math.MinInt64):      "-9223372037 s",
		-time.Duration(math.MaxInt64 - 1): "-9223372037 s",
	} {
		if got := Seconds(d); got != want {
			t.Errorf("seconds(%v): got %q, want %q", d, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 5 * time.Second: "5 s", 27500 * time.Millisecond: "27.5 s", 250 * time.Millisecond: "250 ms",
		1500 * time.Microsecond: "1.5 ms", 90 * time.Second: "90 s",
	} {
		if got := Plain(d); got != want {
			t.Errorf("plain(%v): got %q, want %q", d, got, want)
		}
	}
}

// A ratio is rounded to all or nothing only where it is.
func TestRatio(t *testing.T) {
	for r, want := range map[float64]string{
		0: "0.0 %", 1: "100.0 %", 0.476: "47.6 %", 0.99999: "99.9 %", 0.00001: "<0.1 %", 0.0015: "0.1 %",
		math.NaN(): None, math.Inf(1): None, 1.5: "150.0 %",
	} {
		if got := Ratio(r); got != want {
			t.Errorf("ratio(%v): got %q, want %q", r, got, want)
		}
	}
	for r, want := range map[float64]string{
		0: "0.0 %", 0.000445: "0.044 %", 0.0005: "0.050 %", 0.00999: "1.0 %", 0.612: "61.2 %", 0.000001: "<0.001 %", math.NaN(): None,
	} {
		if got := SmallRatio(r); got != want {
			t.Errorf("smallRatio(%v): got %q, want %q", r, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 900: "0.9 µs", 1234 * time.Microsecond: "1.23 ms", time.Millisecond: "1 ms", 999400 * time.Microsecond: "999 ms",
		999499: "999 µs", 999600: "1 ms", 999600 * time.Microsecond: "1 s",
		time.Second: "1 s", 1500 * time.Millisecond: "1.5 s", 12345 * time.Second: "12345 s",
	} {
		if got := Short(d); got != want {
			t.Errorf("Short(%v): got %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"1 error": Count(1, "error"), "2 errors": Count(2, "error"), "0 errors": Count(0, "error"),
		"1 entry": Count(1, "entry", "entries"), "3 entries": Count(3, "entry", "entries"),
		"once": Times(1), "4 times": Times(4),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
