package upstream

import "time"

// New makes a server that does not listen, for tests with a clock of their own.
var New = newServer

// Draw is the delays of the first n calls; one that stalls is -1.
func Draw(cfg Config, n int) ([]time.Duration, error) {
	d, err := newDelays(cfg)
	if err != nil {
		return nil, err
	}
	drawn := make([]time.Duration, n)
	for i := range drawn {
		var stalls bool
		if drawn[i], stalls = d.next(); stalls {
			drawn[i] = -1
		}
	}
	return drawn, nil
}
