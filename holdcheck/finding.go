package holdcheck

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdcheck/internal/catalog"
)

// Place is a line of source.
type Place struct {
	File string `json:"file"` // relative to the folder that was asked from, with slashes
	Line int    `json:"line"`
	What string `json:"what"` // the call there, as people write it: http.Client.Do
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Step is one call of the chain from the hold to the slow call.
type Step struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Func string `json:"func"` // the function that the line is in, as runtime.Func names it
}

// SlowCall is one slow call that a finding leads to.
type SlowCall struct {
	// ID is made of the function that takes the connection and the function that
	// makes the slow call, so that it stays when lines move. Two places between the
	// same two functions have the same.
	ID       pghold.PlaceID `json:"id"`
	Severity Severity       `json:"severity"`
	Kind     Kind           `json:"kind"`
	// Place is the slow call itself.
	Place Place `json:"slow"`
	// Chain is the calls from the function that holds to the slow call, both
	// included, in the order in which they are made.
	Chain []Step `json:"chain"`

	// library is the function of a library that the call ends in. Place.What is another
	// where it is a call of a dependency, whose inside is not shown.
	library string
}

// Finding is a call that leads to something slow while a connection is held.
//
// In JSON it is one object with the fields of its worst slow call (id, severity, kind,
// slow, chain), and the others in also.
type Finding struct {
	// Message is one sentence: what is held, and what is waited for.
	Message string
	// Advice is one sentence: what to do instead.
	Advice string
	// Hold is where the connection is taken, or, where a helper takes it and runs a
	// function meanwhile, where the helper is given the function.
	Hold Place
	// Calls are the slow calls that the same call can lead to, the worst first: the
	// finding is about that. There is at least one.
	Calls []SlowCall
	// Held is what a recorder measured at this place, in seconds: the time that the
	// slow calls took inside holds, all added up. Nil without a snapshot, and where
	// the snapshot knows nothing of it.
	Held *float64

	handle  catalog.Handle // what is held; empty where that is not known any more
	openers []string       // functions that take the connection, as the recorder may name them
}

// Worst is the slow call that the finding is about.
func (f Finding) Worst() SlowCall {
	if len(f.Calls) == 0 {
		return SlowCall{}
	}
	return f.Calls[0]
}

// split takes slow calls out of a finding: those that drop is true for are in
// dropped, the rest are in kept. One of the two is nil where the other is all of it.
func split(f Finding, drop func(SlowCall) bool) (kept, dropped *Finding) {
	var keep, gone []SlowCall
	for _, c := range f.Calls {
		if drop(c) {
			gone = append(gone, c)
		} else {
			keep = append(keep, c)
		}
	}
	return f.with(keep), f.with(gone)
}

// with is the finding with only these of its slow calls; nil where there are none.
func (f Finding) with(calls []SlowCall) *Finding {
	if len(calls) == 0 {
		return nil
	}
	was := f.Worst()
	f.Calls = calls
	slices.SortStableFunc(f.Calls, func(a, b SlowCall) int { return compareSeverities(a.Severity, b.Severity) })
	if now := f.Worst(); now.ID != was.ID || now.Place != was.Place {
		f.say()
	}
	return &f
}

// compareSeverities puts the worst first.
func compareSeverities(a, b Severity) int {
	return cmp.Compare(slices.Index(Severities(), a), slices.Index(Severities(), b))
}

// Result is what a check found.
type Result struct {
	// Findings are sorted: by what a recorder measured where there is a snapshot,
	// else the worst first, then by file and line.
	Findings []Finding `json:"findings"`
	// Ignored are the findings under a pghold:ignore, with its reason.
	Ignored []Ignored `json:"ignored,omitempty"`
	// Errors are the compiler's messages about packages of the repository that do not
	// compile. What of them could be read was.
	Errors []string `json:"errors,omitempty"`
	// Unread are sentences about what could not be read, and why: functions that do
	// not compile, packages that are not there.
	Unread []string `json:"unread,omitempty"`
	// LeftOut are sentences about slow calls in functions for tests that are not in
	// test files: which packages have how many, and where. Options.Tests makes them
	// findings.
	LeftOut []string `json:"left_out,omitempty"`

	// Complaints are about pghold:ignore comments that give no reason. They ignore
	// nothing.
	Complaints []Remark `json:"complaints,omitempty"`
	// Unused are pghold:ignore comments that ignore nothing, though they say why.
	Unused []Remark `json:"unused_ignores,omitempty"`

	// Hidden is how many findings are not told of because a baseline has them.
	Hidden int `json:"hidden_by_baseline,omitempty"`
	// OutOfDate are entries of the baseline that match nothing any more, or less
	// than they did: Count is by how much.
	OutOfDate []BaselineEntry `json:"baseline_out_of_date,omitempty"`

	// Shared are measured slow calls that more than one finding may be about. Each of
	// these findings has all of the time.
	Shared []Measured `json:"shared,omitempty"`
	// Unexplained are measured slow calls that no finding is about: what only a
	// recorder can see.
	Unexplained []Measured `json:"unexplained,omitempty"`
}

// Ignored is a finding that the source says is meant.
type Ignored struct {
	Finding
	Reason string `json:"reason"`
}

// sortFindings puts the worst first.
func sortFindings(fs []Finding) {
	slices.SortStableFunc(fs, func(f, g Finding) int {
		a, b := f.Worst(), g.Worst()
		return cmp.Or(
			cmp.Compare(measured(g), measured(f)),
			compareSeverities(a.Severity, b.Severity),
			cmp.Compare(f.Hold.File, g.Hold.File), cmp.Compare(f.Hold.Line, g.Hold.Line),
			cmp.Compare(a.Chain[0].File, b.Chain[0].File), cmp.Compare(a.Chain[0].Line, b.Chain[0].Line),
			cmp.Compare(a.Place.File, b.Place.File), cmp.Compare(a.Place.Line, b.Place.Line),
		)
	})
}

func measured(f Finding) float64 {
	if f.Held == nil {
		return -1
	}
	return *f.Held
}
