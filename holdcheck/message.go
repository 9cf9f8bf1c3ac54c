package holdcheck

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdcheck/internal/catalog"
	"github.com/pghold/pghold/holdcheck/internal/flow"
)

// findingOf makes the finding that users see. rel makes files relative.
func findingOf(r flow.Found, rel func(string) string) Finding {
	l := r.Leaves[0]
	f := Finding{
		ID: pghold.NewPlaceID(r.By, l.Func), Severity: l.Severity, Kind: l.Kind,
		Message: message(r), Advice: advice(l.Kind),
		Hold:    Place{rel(r.Place.File), r.Place.Line, r.Place.What},
		Slow:    Place{rel(l.Slow.File), l.Slow.Line, l.Slow.What},
		Chain:   relative(l.Chain, rel),
		openers: append([]string{r.By}, r.Openers...),
	}
	for _, o := range r.Leaves[1:] {
		f.Also = append(f.Also, Other{
			ID: pghold.NewPlaceID(r.By, o.Func), Severity: o.Severity, Kind: o.Kind,
			Slow: Place{rel(o.Slow.File), o.Slow.Line, o.Slow.What}, Chain: relative(o.Chain, rel),
		})
	}
	return f
}

func relative(chain []flow.Step, rel func(string) string) []Step {
	steps := make([]Step, len(chain))
	for i, s := range chain {
		steps[i] = Step{rel(s.File), s.Line, s.Func}
	}
	return steps
}

func message(r flow.Found) string {
	l := r.Leaves[0]
	held := fmt.Sprintf("a %s is held", r.Handle)
	if r.Handle == catalog.Rows {
		held = "rows are held"
	}
	where := fmt.Sprintf("%s since %s:%d", held, filepath.Base(r.Place.File), r.Place.Line)
	slow := l.What
	if l.Slow.What != l.What && l.Slow.What != "" {
		slow = l.Slow.What + " (" + l.What + ")"
	}
	switch l.Kind {
	case Checkout:
		return fmt.Sprintf("%s takes a second connection from the same pool while %s", slow, where)
	case Unresolved:
		return fmt.Sprintf("%s could not be followed, and %s", slow, where)
	case Blocked:
		return fmt.Sprintf("%s may wait while %s", slow, where)
	}
	return fmt.Sprintf("%s is called while %s", slow, where)
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
