package plan

import (
	"fmt"
	"time"

	"github.com/pghold/pghold/experiment"
)

// Timeouts is whether who has waited for a connection as long as it may can still be
// answered in time.
type Timeouts struct {
	Case string
	// PoolTimeout and ClientTimeout are those that the settings have.
	PoolTimeout, ClientTimeout time.Duration
	// Rest is what a request takes from its first checkout to its answer; where slow
	// calls differ, of the slowest 5 % the fastest.
	Rest time.Duration
	// Most is the longest pool timeout that is sound: the client's, less Rest, less a
	// margin of a twentieth of it. Not above zero where none is.
	Most time.Duration
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

// Sound reports whether the pool timeout is below the client's, less what a request
// takes once it has a connection, less a margin.
func (t Timeouts) Sound() bool { return t.PoolTimeout <= t.Most }

// Budget checks the timeouts of a question.
func Budget(q Question) (Timeouts, error) {
	rest := q.demand(q.slowest()).rest + q.Model.Overheads.Request
	t := Timeouts{
		Case: q.Name, PoolTimeout: q.Settings.PoolTimeout, ClientTimeout: q.Settings.ClientTimeout, Rest: rest,
		Most: q.longestPatience(), Load: q.Settings.Rate, Capacity: q.capacity(),
		sync: q.Route.Sync,
	}
	if t.Sound() || t.Most <= 0 || t.Load <= t.Capacity {
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

// longestPatience is the longest pool timeout that is sound, to the millisecond.
func (q Question) longestPatience() time.Duration {
	rest := q.demand(q.slowest()).rest + q.Model.Overheads.Request
	return (q.Settings.ClientTimeout - rest - max(rest/20, time.Millisecond)).Truncate(time.Millisecond)
}

// patiences are sound pool timeouts to try, the longest first.
func (q Question) patiences() (all []time.Duration) {
	most := min(q.longestPatience(), q.Settings.PoolTimeout)
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
	if t.Most <= 0 {
		c.Sentence = fmt.Sprintf("No answer can be in time: once it has a connection a request takes %s, and its client leaves after %s.", words(t.Rest), words(t.ClientTimeout))
		return c
	}
	c.Figures["sound_pool_timeout_s"] = t.Most.Seconds()
	if t.Sound() {
		c.Sentence = fmt.Sprintf("The timeouts are sound: who gets a connection after %s, the pool timeout, needs %s more, and its client waits for %s.",
			words(t.PoolTimeout), words(t.Rest), words(t.ClientTimeout))
		return c
	}
	text := fmt.Sprintf("The pool timeout is too long: who gets a connection after %s needs %s more, but its client leaves after %s.",
		words(t.PoolTimeout), words(t.Rest), words(t.ClientTimeout))
	switch {
	case t.Load <= t.Capacity:
		text += fmt.Sprintf(" It does not matter at this load, which can be carried; a pool timeout of %s or less would be sound.", words(t.Most))
	default:
		c.Figures["lasting_s"], c.Figures["sent"], c.Figures["answered"] = t.Lasting.Seconds(), float64(t.Sent), float64(t.Answered)
		text += fmt.Sprintf(" The load is more than the %s carry: where it lasts, for %s, %d of %d are answered", t.first, words(t.Lasting), t.Answered, t.Sent)
		switch {
		case t.Repair > 0:
			c.Figures["repair_pool_timeout_s"], c.Figures["repaired"] = t.Repair.Seconds(), float64(t.Repaired)
			text += fmt.Sprintf("; with a pool timeout of %s, %d.", words(t.Repair), t.Repaired)
		case t.sync:
			text += ", and no pool timeout repairs that: requests wait for a thread as well, and for that there is no timeout."
		default:
			text += ", and no pool timeout repairs that."
		}
	}
	c.Sentence = text
	return c
}
