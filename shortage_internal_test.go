package pghold

import (
	"testing"
	"time"
)

// What a pool that only counts its waits has to say, look by look.
func TestCounts(t *testing.T) {
	type look struct {
		waits     uint64
		waitTime  time.Duration
		checkouts uint64
		want      time.Duration // looks are a second apart
		pending   int64
	}
	for name, looks := range map[string][]look{
		"a wait of a microsecond":        {{1, time.Microsecond, 1, time.Microsecond, 0}, {1, time.Microsecond, 1, 0, 0}, {1, time.Microsecond, 1, 0, 0}},
		"a wait without an end":          {{1, 0, 0, 0, 1}, {1, 0, 0, time.Second, 1}, {3, 0, 0, time.Second, 3}},
		"many short waits":               {{100, time.Second, 100, 10 * time.Millisecond, 0}, {200, 2 * time.Second, 200, 10 * time.Millisecond, 0}, {301, 3 * time.Second, 300, 10 * time.Millisecond, 1}, {400, 4 * time.Second, 400, 10 * time.Millisecond, 0}},
		"long waits":                     {{3, 0, 0, 0, 3}, {3, 5 * time.Second, 2, time.Second, 1}, {3, 8 * time.Second, 3, 3 * time.Second, 0}},
		"one of two was served":          {{2, time.Millisecond, 1, time.Millisecond, 1}, {2, time.Millisecond, 1, time.Second, 1}},
		"one gave up before a free one":  {{1, 300 * time.Millisecond, 0, 300 * time.Millisecond, 0}, {1, 300 * time.Millisecond, 0, 0, 0}},
		"a free one was taken since":     {{3, 0, 0, 0, 3}, {3, 0, 2, 0, 0}, {4, 0, 5, 0, 1}, {4, 0, 5, time.Second, 1}},
		"another pool of the same name":  {{5, time.Second, 5, 200 * time.Millisecond, 0}, {1, 0, 6, 0, 0}},
		"a queue that is served in turn": {{40, 0, 0, 0, 40}, {40, 9 * time.Second, 10, time.Second, 30}, {60, 30 * time.Second, 20, time.Second, 40}},
	} {
		var last counts
		for i, l := range looks {
			now := counts{at: last.at + time.Second, waits: l.waits, waitTime: l.waitTime, checkouts: l.checkouts}
			if got := now.since(last); got != l.want || now.pending != l.pending {
				t.Errorf("%s, look %d: waited %v, %d pending; want %v, %d", name, i, got, now.pending, l.want, l.pending)
			}
			last = now
		}
	}
}
