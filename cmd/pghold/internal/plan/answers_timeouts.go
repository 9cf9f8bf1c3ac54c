package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Timeouts is whether who has waited for a connection as long as it may can still be
// answered in time.
type Timeouts struct {
	Case string
	// Timeouts are those that the settings have. Where slow calls differ, Rest is with
	// the fastest of the slowest 5 %.
	experiment.Timeouts
	// Load and Capacity are requests per second.
	Load, Capacity float64
	// Sent and Answered are how many requests are sent and answered in Lasting, where
	// the timeouts are unsound and the load is more than can be carried. Repaired is
	// how many would be with a pool timeout of Repair, the longest with which most
	// are; 0 where with none the route serves half of what it can.
	Lasting                  time.Duration
	Sent, Answered, Repaired int
	Repair                   time.Duration

	sync  bool
	first string // of what there is too little
}

// Budget checks the timeouts of a question.
func Budget(q Question) (Timeouts, error) {
	t := Timeouts{
		Case: q.Name, Timeouts: q.timeouts(), Load: q.Settings.Rate, Capacity: q.capacity(),
		sync: q.Route.Sync,
	}
	if t.Sound() || t.Most() <= 0 || t.Load <= t.Capacity {
		return t, nil
	}
	t.first = q.stations()[0].Name
	long := q.lasting()
	t.Lasting = long.Settings.Duration
	before, err := long.look()
	if err != nil {
		return t, err
	}
	t.Sent, t.Answered = before.Requests, before.Outcomes.OK
	best := 0
	for _, d := range long.patiences() {
		long.Settings.PoolTimeout = d
		r, err := long.look()
		if err != nil {
			return t, err
		}
		// A longer one that answers nearly as many is better: it serves who can wait.
		if ok := r.Outcomes.OK; float64(ok) > 1.03*float64(best) {
			best, t.Repair = ok, d
		}
	}
	if could := t.Capacity * t.Lasting.Seconds(); float64(best) < max(could/2, 1.05*float64(t.Answered)) {
		t.Repair = 0
		return t, nil
	}
	t.Repaired = best
	return t, nil
}

func (q Question) timeouts() experiment.Timeouts {
	t := experiment.TimeoutsOf(q.Settings, q.longestRest())
	if q.Model.AnyPool {
		t.Pool = ""
	}
	return t
}

// longestRest is what a request takes at most once it has its connection, of 95 in a
// hundred.
func (q Question) longestRest() time.Duration {
	if !q.Together() {
		return q.demandOf(q.slowest()).rest + q.Model.Overheads.Request
	}
	cs := q.classes()
	slices.SortFunc(cs, func(a, b Question) int { return cmp.Compare(a.longestRest(), b.longestRest()) })
	share := 0.0
	for _, c := range cs {
		if share += c.Settings.Rate / q.Settings.Rate; share >= 0.95 {
			return c.longestRest()
		}
	}
	return cs[len(cs)-1].longestRest()
}

// patiences are sound pool timeouts to try, the longest first.
func (q Question) patiences() (all []time.Duration) {
	most := min(q.timeouts().Most(), q.Settings.PoolTimeout)
	for _, part := range []float64{1, 0.9, 0.75, 0.5, 0.25, 0.1, 0.03} {
		if d := time.Duration(part * float64(most)).Truncate(time.Millisecond); d > 0 {
			all = append(all, d)
		}
	}
	return all
}

// patience finds the longest pool timeout of those to try with which a prediction is
// good enough; 0 where none is.
func patience(q Question, enough func(*experiment.RouteResult) bool) (time.Duration, error) {
	for _, d := range q.patiences() {
		q.Settings.PoolTimeout = d
		r, err := q.look()
		if err != nil || enough(r) {
			return d, err
		}
	}
	return 0, nil
}

// Conclusion is the answer in words.
func (t Timeouts) Conclusion() experiment.Conclusion {
	c := experiment.Conclusion{About: "timeouts", Cases: []string{t.Case}, Figures: map[string]float64{
		"pool_timeout_s": t.PoolTimeout.Seconds(), "client_timeout_s": t.ClientTimeout.Seconds(), "rest_s": t.Rest.Seconds(),
	}}
	c.Sentence = t.Sentence()
	if t.Most() <= 0 {
		return c
	}
	c.Figures["sound_pool_timeout_s"] = t.Most().Seconds()
	if t.Sound() {
		return c
	}
	if t.Load <= t.Capacity {
		c.Sentence += " It does not matter at this load, which can be carried. " + t.Advice()
		return c
	}
	c.Figures["lasting_s"], c.Figures["sent"], c.Figures["answered"] = t.Lasting.Seconds(), float64(t.Sent), float64(t.Answered)
	c.Sentence += fmt.Sprintf(" The load is more than the %s carry: where it lasts, for %s, %d of %d are answered", t.first, words.Short(t.Lasting), t.Answered, t.Sent)
	if t.Repair == 0 {
		c.Sentence += ", and " + t.NoRepair(t.sync) + "."
		return c
	}
	c.Figures["repair_pool_timeout_s"], c.Figures["repaired"] = t.Repair.Seconds(), float64(t.Repaired)
	c.Sentence += fmt.Sprintf("; with %s%s, %d.", t.Limit(), words.Short(t.Repair), t.Repaired)
	return c
}
