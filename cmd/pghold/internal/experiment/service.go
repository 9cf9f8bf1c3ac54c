package experiment

import "strings"

// Service says what was attacked, where that is somebody's service and not the lab's app.
type Service struct {
	// Command is what was started, without passwords; empty for a service that ran
	// already.
	Command []string `json:"command,omitempty"`
	// Attacks are what was sent, in order.
	Attacks []Attacked `json:"attacks"`
	// Together is true where all were sent at once, after each alone. What the database saw
	// is then of all of them: the route that is called Together has it.
	Together bool `json:"together,omitempty"`
	// Flags are those of the command line that are neither settings nor Attacks, in order,
	// without passwords.
	Flags []string `json:"flags,omitempty"`
	// Database says in words which one it was.
	Database string `json:"database"`
	// Sampled is true where the sessions were sampled; else a tap saw each message.
	Sampled bool `json:"sampled,omitempty"`
	// Upstream is true where the service was given the lab's slow API, for which
	// Settings.Slow and Settings.SlowShape are.
	Upstream bool `json:"upstream,omitempty"`
	// SilentInTransaction is how long all sessions together were silent in transaction from
	// the start to the end of the service, as far as was seen, and CountedByServer the same by
	// the server's own counter. It is nil where that was not asked: of sessions that go on it
	// does not have all yet, and of a database of the user's it has other sessions' too.
	SilentInTransaction Seconds  `json:"silent_in_transaction_s"`
	CountedByServer     *Seconds `json:"counted_by_server_s,omitempty"`
}

// Together is the name of a route that stands for all that were attacked at once.
const Together = "all together"

// Alone is the name of what became of a route that was attacked alone, before it was attacked
// together with the others.
func Alone(name string) string { return name + " alone" }

// Beside reports whether a result is that of a route while others were attacked at once.
func (r *Result) Beside(rr *RouteResult) bool {
	return r.Service != nil && r.Service.Together && rr.Wire == nil && rr.Name != Together
}

// Attacked is one kind of request.
type Attacked struct {
	Name   string `json:"name"` // of the route; several may have the same
	Method string `json:"method"`
	URL    string `json:"url"` // without passwords, and without the values of its query
	Body   int    `json:"body_bytes,omitempty"`
}

// Wire is what the wire showed of a service's route, or samples of its sessions.
type Wire struct {
	// Transactions is how many there were, Holds.Held how long they took.
	Transactions int `json:"transactions"`
	// SilentPerRequest is how long transactions were silent, for each request.
	SilentPerRequest Seconds `json:"silent_per_request_s"`
	// MaxInTransaction is the most that were open at a time.
	MaxInTransaction int `json:"max_in_transaction"`
	// MaxInFlight is the most requests that were under way at once.
	MaxInFlight int `json:"max_in_flight"`
	// Statements is how many answers the server gave to what clients asked for.
	Statements int `json:"statements"`
	// Busy is how long statements ran in a transaction, as a mean.
	Busy Seconds `json:"busy_s"`
	// Costliest are the transactions that have the costliest gap; nil where none has one.
	Costliest *Costliest `json:"costliest,omitempty"`
	// Gaps are what transactions waited for their clients after, the costliest first, at
	// most MaxGapGroups.
	Gaps []GapGroup `json:"gaps"`
	// Filled are the slow calls that the service's own recorder has seen inside holds
	// meanwhile, the costliest first.
	Filled []Filled `json:"filled,omitempty"`
	// ExhaustedAt is how many connections there were for transactions, where they were all
	// in use while requests waited, or were refused; else 0.
	ExhaustedAt int `json:"exhausted_at"`
	// Refused is how many requests failed at once while all connections were in transactions,
	// of a service whose pool lets nobody wait; else 0.
	Refused int `json:"refused"`
	// Stuck are transactions that stayed open; nil where all ended.
	Stuck *Stuck `json:"stuck,omitempty"`
	// PossiblyHeld is true where connections may have been held outside of transactions,
	// which the wire does not show.
	PossiblyHeld bool `json:"possibly_held_outside_transactions,omitempty"`
}

// Stuck are transactions that never end.
type Stuck struct {
	Transactions int `json:"transactions"`
	// For is for how long after the last client had its answer, or had left, they were waited
	// for. In the end all were idle, and hardly a statement ran.
	For Seconds `json:"for_s"`
}

// Costliest describes the transactions that have the costliest of a route's gaps (the first
// of Wire.Gaps), as means.
type Costliest struct {
	Transactions int     `json:"transactions"`
	Held         Seconds `json:"held_s"` // from their beginning to their end
	// Busy is how long statements ran in them, and BusyInterval where the mean of that is with
	// a probability of 95 %, as far as the transactions are alike.
	Busy         Seconds    `json:"busy_s"`
	BusyInterval [2]Seconds `json:"busy_interval_s"`
	// Others is how long all other transactions were open, for each of these: those of the
	// same requests, and those that the service runs by itself.
	Others Seconds `json:"others_s"`
}

// MaxGapGroups is how many groups of gaps a Wire has.
const MaxGapGroups = 10

// GapGroup is the gaps in transactions after statements of one shape.
type GapGroup struct {
	Route   string  `json:"route,omitempty"` // from a comment in the statement
	After   string  `json:"after"`           // the statement, without its values
	Count   int     `json:"count"`
	Silent  Seconds `json:"silent_s"` // all together
	P50     Seconds `json:"p50_s"`
	Longest Seconds `json:"longest_s"`
}

// Filled is the slow calls of one name and place inside holds.
type Filled struct {
	What  string  `json:"what"`
	Where string  `json:"where"`
	Count int     `json:"count"`
	S     Seconds `json:"s"` // all together
}

// Seconds is a duration that JSON has in seconds.
type Seconds = seconds

// command is the command line that attacks the service again.
func (s *Service) command(settings []string) string {
	words := []string{"pghold", "prove"}
	quote := func(all ...string) {
		for _, w := range all {
			words = append(words, shellQuote(w))
		}
	}
	quote(settings...)
	for _, a := range s.Attacks {
		quote("--attack", a.Method+" "+a.URL)
	}
	if s.Together {
		quote("--together")
	}
	quote(s.Flags...)
	if len(s.Command) > 0 {
		words = append(words, "--")
		quote(s.Command...)
	}
	return strings.Join(words, " ")
}
