// Package holdtest fails a test that makes a slow call inside a hold: one that waits
// for something that is not the database while it has a connection.
//
//	func TestService(t *testing.T) {
//		handler, recorder := service(t) // as in production, with pgxhold or sqlhold, and httphold
//		// … requests …
//		holdtest.Fail(t, recorder, holdtest.Rules{})
//	}
//
// It finds what happened while the recorder looked on, whatever the slow call took: a
// test's slow API is a fast one. A call counts where it overlaps the hold's silence, from
// the checkout on, also if it began before. One that ran beside statements, with less
// than 1 ms and less than half of its time in silence, is not found. What no test runs it does not find; holdcheck reads
// the source instead. It makes no request and sets nothing up.
//
// # The test's own transaction
//
// A hold without a route that was taken in a _test.go file is the test's, and does not
// count: a fixture, or a transaction that is rolled back at the end. Handlers that run
// within such a transaction take no connection of their own, so nothing can be found
// of them: give them a pool.
package holdtest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold"
)

// Rules say what is found. The zero value is good to begin with.
type Rules struct {
	// MaxGap is how long a hold may be without a statement where no slow call is
	// known that took more than half of that time. Default 100 ms: less is also a busy
	// machine's. Gaps of less than 1 ms are not recorded one by one, and so not found.
	MaxGap time.Duration
	// Accepted are places that may stay as they are, with a reason each.
	Accepted []Place
	// ToMend are places that are known and should go. They are logged.
	ToMend []Place
}

// Place is where a slow call or a gap is: not its line, which the next change moves.
// In both names * stands for anything, as for the port in "GET 127.0.0.1:*/slow".
type Place struct {
	// Func is the function that makes the slow call, or that sent the statement
	// before the gap: "example.com/app.(*Server).charge", or from its last element
	// on, "app.(*Server).charge". It is pghold.Folded for those that a recorder has
	// added up because there were too many.
	Func string
	// Call is the slow call's name, as in pghold.SlowCall. "" is a gap of which none
	// is known.
	Call string
	// Reason is why it may stay. One that is accepted must have it.
	Reason string
}

// Finding is something that a test should fail on.
type Finding struct {
	Pool, Route string
	Held        pghold.Site // where the connection was taken
	// Call is the slow call's name, "" for a gap; At is its line, or that of the
	// statement before the gap. Of those that a recorder has added up because there
	// were too many, At is the function pghold.Folded, without a file.
	Call string
	At   pghold.Site
	// Before is the line of the statement after the gap, none where the release
	// ended it, and none for a slow call.
	Before  pghold.Site
	Count   uint64
	Longest time.Duration
	// Mostly is where the goroutine was in the gap when it was looked at, as in
	// pghold.Gaps; "" where it was not.
	Mostly string
	// Open is true for a hold that was not released.
	Open bool
}

// String is the finding in a sentence, with routes, lines, functions and duration.
func (f Finding) String() string {
	route := f.Route
	if route == "" {
		route = "no route"
	}
	s := fmt.Sprintf("%s holds a connection of %s, taken at %s, ", route, f.Pool, place(f.Held))
	switch {
	case f.Open:
		return s + fmt.Sprintf("and has not given it back after %v; its last statement was sent at %s", f.Longest.Round(time.Millisecond), place(f.At))
	case f.At.Func == pghold.Folded && f.Call != "":
		s += "while it makes slow calls that were too many to be kept apart"
	case f.At.Func == pghold.Folded:
		s += "and sends no statement for a while, at places that were too many to be kept apart"
	case f.Call != "":
		s += fmt.Sprintf("while it calls %s at %s", f.Call, place(f.At))
	case f.Before == (pghold.Site{}):
		s += fmt.Sprintf("and sends no statement after %s until it gives it back", place(f.At))
	default:
		s += fmt.Sprintf("and sends no statement between %s and %s", place(f.At), place(f.Before))
	}
	times := "once"
	if f.Count > 1 {
		times = fmt.Sprintf("%d times", f.Count)
	}
	s += fmt.Sprintf(": %s, for %v", times, f.Longest.Round(10*time.Microsecond))
	if f.Mostly != "" {
		s += ", mostly in " + f.Mostly
	}
	return s
}

func place(s pghold.Site) string {
	if s == (pghold.Site{}) {
		return "an unknown line"
	}
	return s.String() + " (" + short(s.Func) + ")"
}

// short is a function's name from its last path element on.
func short(function string) string { return function[strings.LastIndexByte(function, '/')+1:] }

// settle is how long Fail waits for holds to be released: an answer is there before
// its handler has returned.
const settle = 5 * time.Second

// Fail fails the test, which goes on, for each thing that is found in what the
// recorder has seen so far. It waits for up to 5 s for holds that are still open.
func Fail(t testing.TB, recorder *pghold.Recorder, rules Rules) {
	if t == nil {
		panic("holdtest: Fail needs a test, and got nil")
	}
	t.Helper()
	if recorder == nil {
		t.Error("holdtest: no recorder: pass that of the service which is tested")
		return
	}
	for _, p := range rules.Accepted {
		if p.Reason == "" {
			t.Errorf("holdtest: %s is accepted without a reason", p)
		}
	}
	s := recorder.Snapshot()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); open(s) && time.Since(start) < settle; s = recorder.Snapshot() {
		<-tick.C
	}
	for _, f := range Find(s, rules) {
		if f.among(rules.ToMend) {
			t.Logf("still to be mended: %s", f)
			continue
		}
		t.Errorf("%s\n\tGive the connection back first. Where it has to be so: holdtest.%s", f, f.place())
	}
}

// Find returns what there is in a snapshot, without what is accepted, but with what
// is to be mended. It is for those who have no testing.TB, as in TestMain.
func Find(s *pghold.Snapshot, rules Rules) []Finding {
	if s == nil {
		panic("holdtest: Find needs a snapshot, and got nil")
	}
	limit := rules.MaxGap
	if limit <= 0 {
		limit = 100 * time.Millisecond
	}
	var found []Finding
	find := func(f Finding) {
		if !f.among(rules.Accepted) {
			found = append(found, f)
		}
	}
	for _, series := range s.Series {
		if own(series.Route, series.Site) || series.Intended {
			continue
		}
		f := Finding{Pool: series.Pool, Route: series.Route, Held: series.Site}
		for _, c := range series.SlowCalls {
			f.Call, f.At, f.Count, f.Longest = c.What, at(c.Site), c.Count, c.Longest
			find(f)
		}
		f.Call = ""
		for _, g := range series.Gaps {
			if g.SlowCall == "" && g.Longest > limit {
				f.At, f.Before, f.Count, f.Longest = at(g.After), g.Before, g.Count, g.Longest
				f.Mostly, _ = g.Mostly()
				find(f)
			}
		}
	}
	for _, h := range s.Open {
		if !own(h.Route, h.Site) && !h.Intended {
			find(Finding{Pool: h.Pool, Route: h.Route, Held: h.Site, At: h.Last, Count: 1, Longest: h.Held, Open: true})
		}
	}
	return found
}

// at is the line of what was found: none where several places were added up.
func at(s pghold.Site) pghold.Site {
	if s == (pghold.Site{}) {
		s.Func = pghold.Folded
	}
	return s
}

// own reports whether a hold is the test's.
func own(route string, site pghold.Site) bool {
	return route == "" && strings.HasSuffix(site.File, "_test.go")
}

func open(s *pghold.Snapshot) bool {
	for _, h := range s.Open {
		if !own(h.Route, h.Site) && !h.Intended {
			return true
		}
	}
	return false
}

// place is what would accept the finding. A port in a name is a test's, and
// different each time.
func (f Finding) place() Place {
	return Place{Func: short(f.At.Func), Call: port.ReplaceAllString(f.Call, ":*/"), Reason: "…"}
}

var port = regexp.MustCompile(`:\d+/`)

// String is the place as Go writes it.
func (p Place) String() string {
	return fmt.Sprintf("Place{Func: %q, Call: %q, Reason: %q}", p.Func, p.Call, p.Reason)
}

func (f Finding) among(places []Place) bool {
	for _, p := range places {
		if like(p.Call, f.Call) && (like(p.Func, f.At.Func) || like(p.Func, short(f.At.Func))) {
			return true
		}
	}
	return false
}

// like reports whether a name is the pattern's, in which * stands for anything.
func like(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	for name = name[len(head):]; ; name = name[1:] {
		if like(rest, name) {
			return true
		}
		if name == "" {
			return false
		}
	}
}
