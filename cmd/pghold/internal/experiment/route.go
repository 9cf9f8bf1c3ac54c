package experiment

import (
	"errors"
	"fmt"
	"slices"

	"github.com/agnivade/levenshtein"
)

// Route is one of the app's routes: what its handler does with its session.
type Route struct {
	// Name is the route's name and, behind a slash, its path.
	Name string
	// Group is the name of the Group that the route is explained with.
	Group string
	// Summary says in a line what the handler does.
	Summary string
	// Sync handlers occupy one of Settings.Threads from start to end; the others
	// run without a limit.
	Sync bool
	// Steps are what one request does, in order, where it meets no other.
	Steps []Step
	// Conflict is what the request does where another has changed the row that it read.
	Conflict Conflict
}

// Conflict is what a request does about a row that it read before its slow call and
// writes after it, where another has changed the row meanwhile.
type Conflict string

// The ways there are. Where a route has none it need not care.
const (
	Overwrite Conflict = "overwrite"  // it does not look, and the other's change is lost
	ReadAgain Conflict = "read again" // and write again
	CallAgain Conflict = "call again" // begin again from the first step
	Lease     Conflict = "lease"      // it cannot happen: the row is leased first, or waited for
)

// Step is a part of a request's way through its handler, as far as connections and
// waiting are concerned. A connection is checked out by the first step that runs a
// statement while none is held.
type Step string

// The steps there are.
const (
	Statement  Step = "statement"  // in a transaction, which the first one begins
	Autocommit Step = "autocommit" // a statement without BEGIN: its transaction ends with it
	Lock       Step = "lock"       // a statement that locks a row until the release, and waits for it first
	Begin      Step = "begin"      // BEGIN in a round trip of its own
	SlowCall   Step = "slow call"
	Release    Step = "release" // commit or rollback, and the connection goes back
	Answer     Step = "answer"  // the client has its answer; what follows is done without it
)

// Path is the route's HTTP path.
func (r Route) Path() string { return "/" + r.Name }

// Method is the route's HTTP method.
func (r Route) Method() string {
	if r.Updates() {
		return "POST"
	}
	return "GET"
}

// Updates reports whether the route makes updates, whose fate a result tells.
func (r Route) Updates() bool { return r.Group == "price" }

// AnswersEarly reports whether the route goes on with its work after its answer.
func (r Route) AnswersEarly() bool { return slices.Contains(r.Steps, Answer) }

// HoldsThroughCall reports whether the route has a connection checked out during a
// slow call.
func (r Route) HoldsThroughCall() bool { return r.during(func(held, _ bool) bool { return held }) }

// SilentInTransaction reports whether the route has a transaction open during a
// slow call.
func (r Route) SilentInTransaction() bool { return r.during(func(_, open bool) bool { return open }) }

// Calls reports whether the route makes a slow call.
func (r Route) Calls() bool { return slices.Contains(r.Steps, SlowCall) }

// during reports whether a slow call is made in a state that is asked for.
func (r Route) during(asked func(held, inTransaction bool) bool) bool {
	held, open := false, false
	for _, step := range r.Steps {
		switch step {
		case Statement, Lock, Begin:
			held, open = true, true
		case Autocommit:
			held = true
		case Release:
			held, open = false, false
		case SlowCall:
			if asked(held, open) {
				return true
			}
		}
	}
	return false
}

// Checkouts is how many times a request takes a connection where it meets no other.
func (r Route) Checkouts() int { return r.count(Release) }

// Statements is how many statements a request runs where it meets no other, BEGIN,
// COMMIT and ROLLBACK not counted.
func (r Route) Statements() int { return r.count(Statement) + r.count(Autocommit) + r.count(Lock) }

// RoundTrips is how many round trips to the database a request makes where it meets
// no other: one for each statement, with which BEGIN travels, one for each BEGIN
// that does not, and one for each COMMIT or ROLLBACK.
func (r Route) RoundTrips() int {
	n, open := r.Statements()+r.count(Begin), false
	for _, step := range r.Steps {
		switch step {
		case Statement, Lock, Begin:
			open = true
		case Release:
			if open {
				n++
			}
			open = false
		}
	}
	return n
}

func (r Route) count(step Step) (n int) {
	for _, s := range r.Steps {
		if s == step {
			n++
		}
	}
	return n
}

// FindRoutes returns the routes of these names in the order given. The error for an
// unknown name says which one is nearest.
func FindRoutes(names []string) ([]Route, error) {
	if len(names) == 0 {
		return nil, errors.New("no route is named")
	}
	var found []Route
	for _, name := range names {
		r, err := findRoute(name)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if f.Name == r.Name {
				return nil, fmt.Errorf("route %s is named twice", name)
			}
		}
		found = append(found, r)
	}
	return found, nil
}

func findRoute(name string) (Route, error) {
	nearest, best := "", -1
	for _, r := range Routes {
		if r.Name == name || r.Path() == name {
			return r, nil
		}
		if d := levenshtein.ComputeDistance(name, r.Name); best < 0 || d < best {
			nearest, best = r.Name, d
		}
	}
	return Route{}, fmt.Errorf("there is no route %q: did you mean %s? (\"pghold lab --list\" has them all)", name, nearest)
}
