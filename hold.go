package pghold

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Hold describes one hold, finished or still open.
type Hold struct {
	Pool  string
	Route string // "" where no route was named
	// Intended is that the connection is held on purpose, by Intend, and Route why.
	Intended bool
	Site     Site // where the connection was taken
	// Callers are the application's functions above Site, the nearest first, for a
	// helper may have taken the connection for them. Closures count as the function
	// that they are written in. They are those within the few frames that a checkout
	// looks at, and often none.
	Callers []string
	Began   time.Time
	Open    bool
	// Running is true while a statement runs.
	Running bool
	// Panicked is true where the handler panicked, in Do, and left the hold open or
	// had released no other after it.
	Panicked bool

	Wait time.Duration // queued before the checkout
	Held time.Duration
	Busy time.Duration // of Held, in statements
	// SilentInTransaction is the part of Held in which no statement was running
	// and a transaction was open.
	SilentInTransaction time.Duration
	Statements          int

	LongestGap Gap
	// SlowCalls are the longest of the slow calls seen inside the hold, the longest
	// first: at most maxSlowCalls that have ended, and as many that have not.
	// SlowCallsLeftOut is how many more there were, and SlowCallsLeftOutTime how long
	// those lasted in all.
	SlowCalls            []SlowCall
	SlowCallsLeftOut     int
	SlowCallsLeftOutTime time.Duration

	// Stack is where the goroutine that has the hold is now, or was a moment ago;
	// nil where nobody looked. Only OpenHolds and SnapshotWithStacks look.
	Stack *Stack

	// Last is the line of the last statement, or of the checkout.
	Last Site

	// OwnWait is that the hold's own request waits for another connection of the same
	// pool; nil where it does not.
	OwnWait *OwnWait

	of *Checkout // where the hold was open when it was described
}

// Silent is the part of the hold in which no statement was running.
func (h *Hold) Silent() time.Duration { return max(0, h.Held-h.Busy) }

// Gap is one uninterrupted stretch of a hold in which no statement was running.
type Gap struct {
	Duration      time.Duration
	InTransaction bool
	// After is the line of the statement before the gap, or of the checkout.
	After Site
	// Before is the line of the statement that ended it; of none, with no file,
	// where the release did.
	Before Site
	// Mostly is where the goroutine was when it was looked at, or most often was, as in
	// Stack: "redis.(*Client).Get ← cart.go:51". It is "" where nobody looked: gaps that
	// last half as long as Config.StuckAfter are looked at, and later again, as often as
	// 1 % of a core allows.
	Mostly string
}

// SlowCall is something that a handler waited for and that is not the database.
type SlowCall struct {
	// What is what was called: "GET api.example.com/v1/charges", "sleep". It must
	// hold nothing that is secret or different every time.
	What string
	Site Site
	// Duration is how long the call lasted while the hold did and no statement was
	// running: not before the checkout, and not beside a statement.
	Duration time.Duration
	Open     bool // it has not ended yet
}

type holdJSON struct {
	Pool                string     `json:"pool"`
	Route               string     `json:"route"`
	Site                Site       `json:"site"`
	Callers             []string   `json:"callers,omitempty"`
	Intended            bool       `json:"intended,omitempty"`
	Began               time.Time  `json:"began_at"`
	Open                bool       `json:"open,omitempty"`
	Running             bool       `json:"running,omitempty"`
	Panicked            bool       `json:"panicked,omitempty"`
	Wait                seconds    `json:"wait_s"`
	Held                seconds    `json:"held_s"`
	Busy                seconds    `json:"busy_s"`
	Silent              seconds    `json:"silent_s"`
	SilentInTransaction seconds    `json:"silent_in_transaction_s"`
	Statements          int        `json:"statements"`
	LongestGap          Gap        `json:"longest_gap"`
	SlowCalls           []SlowCall `json:"slow_calls,omitempty"`
	SlowCallsLeftOut    int        `json:"slow_calls_left_out,omitempty"`
	SlowCallsLeftOutS   seconds    `json:"slow_calls_left_out_s,omitempty"`
	Last                Site       `json:"last"`
	Stack               *Stack     `json:"stack,omitempty"`
	OwnWait             *OwnWait   `json:"own_wait,omitempty"`
}

// MarshalJSON writes durations as seconds.
func (h Hold) MarshalJSON() ([]byte, error) {
	return json.Marshal(holdJSON{h.Pool, h.Route, h.Site, h.Callers, h.Intended, h.Began, h.Open, h.Running, h.Panicked,
		seconds(h.Wait), seconds(h.Held), seconds(h.Busy), seconds(h.Silent()), seconds(h.SilentInTransaction),
		h.Statements, h.LongestGap, h.SlowCalls, h.SlowCallsLeftOut, seconds(h.SlowCallsLeftOutTime), h.Last, h.Stack, h.OwnWait})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Hold) UnmarshalJSON(b []byte) error {
	var j holdJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*h = Hold{
		Pool: j.Pool, Route: j.Route, Site: j.Site, Callers: j.Callers, Intended: j.Intended, Began: j.Began, Open: j.Open, Running: j.Running, Panicked: j.Panicked,
		Wait: time.Duration(j.Wait), Held: time.Duration(j.Held), Busy: time.Duration(j.Busy),
		SilentInTransaction: time.Duration(j.SilentInTransaction), Statements: j.Statements,
		LongestGap: j.LongestGap, SlowCalls: j.SlowCalls, SlowCallsLeftOut: j.SlowCallsLeftOut,
		SlowCallsLeftOutTime: time.Duration(j.SlowCallsLeftOutS), Last: j.Last, Stack: j.Stack, OwnWait: j.OwnWait,
	}
	return nil
}

type gapJSON struct {
	Duration      seconds `json:"duration_s"`
	InTransaction bool    `json:"in_transaction"`
	After         Site    `json:"after"`
	Before        *Site   `json:"before,omitempty"` // none: the release
	Mostly        string  `json:"mostly,omitempty"`
}

// MarshalJSON writes the duration as seconds.
func (g Gap) MarshalJSON() ([]byte, error) {
	j := gapJSON{Duration: seconds(g.Duration), InTransaction: g.InTransaction, After: g.After, Mostly: g.Mostly}
	if g.Before != (Site{}) {
		j.Before = &g.Before
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (g *Gap) UnmarshalJSON(b []byte) error {
	var j gapJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*g = Gap{Duration: time.Duration(j.Duration), InTransaction: j.InTransaction, After: j.After, Mostly: j.Mostly}
	if j.Before != nil {
		g.Before = *j.Before
	}
	return nil
}

type slowCallJSON struct {
	What     string  `json:"what"`
	Site     Site    `json:"site"`
	Duration seconds `json:"duration_s"`
	Open     bool    `json:"open,omitempty"`
}

// MarshalJSON writes the duration as seconds.
func (c SlowCall) MarshalJSON() ([]byte, error) {
	return json.Marshal(slowCallJSON{c.What, c.Site, seconds(c.Duration), c.Open})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *SlowCall) UnmarshalJSON(b []byte) error {
	var j slowCallJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*c = SlowCall{j.What, j.Site, time.Duration(j.Duration), j.Open}
	return nil
}

func sortHolds(holds []Hold) {
	slices.SortFunc(holds, func(a, b Hold) int { return cmp.Compare(b.Held, a.Held) })
}

// Doing says in a phrase what the hold is doing: "in a statement", "in POST
// api.example.com/v1/charges at charge.go:41", "in net/http.(*Client).Do ←
// charge.go:41", "silent since app.go:88".
func (h *Hold) Doing() string {
	switch {
	case h.Running:
		return "in a statement"
	case h.OwnWait != nil:
		return h.OwnWait.String()
	}
	// What is open now may have begun a moment ago, when another has taken most of the time.
	var past string
	for _, c := range h.SlowCalls {
		if !c.Open && 2*c.Duration > h.Held {
			past = ", after " + c.What + " for " + inSeconds(c.Duration)
		}
	}
	stack := h.Stack
	var call string
	for _, c := range h.SlowCalls {
		if c.Open {
			call = "in " + c.What
			if stack == nil || h.Began.Add(h.Held).Sub(stack.Taken) > c.Duration { // it is older than the call
				return call + " at " + c.Site.String() + past
			}
			break
		}
	}
	if stack == nil {
		return "silent since " + h.Last.String() + past
	}
	where := "in " + stack.Where
	if call != "" {
		where = call + ", " + where
	}
	if age := h.Began.Add(h.Held).Sub(stack.Taken); age >= time.Second { // profiles are rare
		where += " (" + inSeconds(age) + " ago)"
	}
	return where + past
}
