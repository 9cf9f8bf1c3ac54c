package experiment

import "time"

// Stretch turns a time of the clock into the experiment's own time, where it runs at so
// many times the speed.
func Stretch(d time.Duration, speed float64) time.Duration {
	return time.Duration(float64(d) * speed)
}

// StretchAll is Stretch for many.
func StretchAll(ds []time.Duration, speed float64) []time.Duration {
	out := make([]time.Duration, len(ds))
	for i, d := range ds {
		out[i] = Stretch(d, speed)
	}
	return out
}
