package experiment

import "time"

// Stretch is a time of the clock in the own time of an experiment that runs so many times
// as fast.
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
