package plan

import (
	"fmt"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// A machine that does nothing else sends a request about 1 ms after its time at the
// latest, of the clock: that is how exact the runtime's timers are. Where the latest
// hundredth of the requests of a gentle load are later than lateGently, or of another
// than lateAtAll, something else has had the processors. Other loads open many
// connections at once, and have themselves to blame for some of it.
const (
	lateGently = 3 * time.Millisecond
	lateAtAll  = 10 * time.Millisecond
)

// lateness is how late, of the clock, the latest hundredth of a route's requests was sent.
func lateness(rr *experiment.RouteResult, s experiment.Settings) time.Duration {
	return time.Duration(float64(rr.SentLate.P99) / s.Speed)
}

// Busy says what shows that the machine was doing something else while a run was
// measured, so that the overheads that it tells are those of the moment; or nothing. It
// shows where a quarter of its routes were disturbed.
func Busy(r *experiment.Result) string {
	busy, worst := 0, time.Duration(0)
	for i := range r.Routes {
		rr := &r.Routes[i]
		if d := lateness(rr, r.SettingsOf(rr)); d > lateAtAll {
			busy++
			worst = max(worst, d)
		}
	}
	if busy == 0 || 4*busy < len(r.Routes) {
		return ""
	}
	return fmt.Sprintf("of %d of %s a hundredth of the requests was sent late, by up to %s or more of the clock",
		busy, words.Count(len(r.Routes), "route"), words.Short(worst))
}
