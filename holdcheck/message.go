package holdcheck

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdcheck/internal/catalog"
	"github.com/pghold/pghold/holdcheck/internal/flow"
)

// findingOf makes the finding that users see. rel makes files relative.
func findingOf(found flow.Found, rel func(string) string) Finding {
	f := Finding{
		Hold:    Place{rel(found.Place.File), found.Place.Line, found.Place.What},
		handle:  found.What,
		openers: append([]string{found.By}, found.Openers...),
	}
	for _, l := range found.Leaves {
		f.Calls = append(f.Calls, SlowCall{
			ID: pghold.NewPlaceID(found.By, l.Func), Severity: l.Severity, Kind: l.Kind,
			Place: Place{rel(l.Slow.File), l.Slow.Line, l.Slow.What}, Chain: relative(l.Chain, rel), library: l.What,
		})
	}
	f.say()
	return f
}

func relative(chain []flow.Step, rel func(string) string) []Step {
	steps := make([]Step, len(chain))
	for i, s := range chain {
		steps[i] = Step{rel(s.File), s.Line, s.Func}
	}
	return steps
}

// say makes the sentences about the worst slow call.
func (f *Finding) say() {
	c := f.Worst()
	slow := c.Place.What
	switch {
	case slow == "":
		slow = c.library
	case c.library != "" && c.library != slow:
		slow += " (" + c.library + ")"
	}
	held := fmt.Sprintf("a %s is held", cmp.Or(f.handle, catalog.Connection))
	if f.handle == catalog.Rows {
		held = "rows are held"
	}
	held = fmt.Sprintf("%s since %s:%d", held, path.Base(f.Hold.File), f.Hold.Line)
	switch c.Kind {
	case Checkout:
		f.Message = slow + " takes a second connection from the same pool while " + held
	case Unresolved:
		f.Message = slow + " could not be followed, and " + held
	case Blocked:
		f.Message = slow + " may wait while " + held
	default:
		f.Message = slow + " is called while " + held
	}
	f.Advice = advice(c.Kind)
}

// advice is what to do instead, in one sentence.
func advice(k Kind) string {
	switch k {
	case Checkout:
		return "Use the connection that is held already: when all of the pool's are held by callers at this point, each waits for another for ever."
	case Mail, Broker:
		return "Write it to an outbox table in the transaction and send it after the commit, or send it after the commit."
	case Unresolved:
		return "Look whether it can be slow; if it cannot, say so with pghold:ignore, or name it under fast in the configuration."
	case Sleep:
		return "End the transaction, or give the connection back, before waiting, and begin anew to try again."
	case Blocked:
		return "Wait before the connection is taken, or after it is given back."
	case Client:
		return "Read the rows into memory first, close them, and write the answer then: a slow client keeps the connection otherwise."
	case File, Compute:
		return "Do it before the connection is taken, or after it is given back."
	}
	return "Read what it needs, commit or release, make the call without a connection, and write the result in a second transaction."
}

// leftOutSentences say what was left out, a package in each.
func leftOutSentences(all []flow.LeftOut) []string {
	const most = 5 // functions that a sentence names
	var sentences []string
	for _, l := range all {
		in := strings.Join(l.Functions, ", ")
		if more := len(l.Functions) - most; more > 0 {
			in = fmt.Sprintf("%s and %d more", strings.Join(l.Functions[:most], ", "), more)
		}
		what := "1 slow call in a hold is"
		if l.Calls > 1 {
			what = fmt.Sprintf("%d slow calls in holds are", l.Calls)
		}
		sentences = append(sentences, fmt.Sprintf("%s: %s left out, in functions for tests: %s", l.Package, what, in))
	}
	slices.Sort(sentences)
	return sentences
}
