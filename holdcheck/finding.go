package holdcheck

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pghold/pghold"
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

// Finding is a slow call that is made while a connection is held.
type Finding struct {
	// ID is made of the function that takes the connection and the function that
	// makes the slow call, so that it stays when lines move. Two places between the
	// same two functions have the same.
	ID       pghold.PlaceID `json:"id"`
	Severity Severity       `json:"severity"`
	Kind     Kind           `json:"kind"`
	// Message is one sentence: what is held, and what is waited for.
	Message string `json:"message"`
	// Advice is one sentence: what to do instead.
	Advice string `json:"advice"`
	// Hold is where the connection is taken, or, where a helper takes it and runs a
	// function meanwhile, where the helper is given the function.
	Hold Place `json:"hold"`
	// Slow is the slow call itself.
	Slow Place `json:"slow"`
	// Chain is the calls from the function that holds to the slow call, both
	// included, in the order in which they are made.
	Chain []Step `json:"chain"`
	// Also are other slow calls that the same call can lead to, by other chains.
	Also []Other `json:"also,omitempty"`
	// Held is what a recorder measured at this place, in seconds: the time that the
	// slow call took inside holds, all added up. Nil without a snapshot, and where
	// the snapshot knows nothing of it.
	Held *float64 `json:"held_s,omitempty"`

	openers []string // functions that take the connection, as the recorder may name them
}

// Other is a slow call beside the one that a finding is about.
type Other struct {
	ID       pghold.PlaceID `json:"id"`
	Severity Severity       `json:"severity"`
	Kind     Kind           `json:"kind"`
	Slow     Place          `json:"slow"`
	Chain    []Step         `json:"chain"`
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
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(measured(b), measured(a)),
			cmp.Compare(slices.Index(Severities(), a.Severity), slices.Index(Severities(), b.Severity)),
			cmp.Compare(a.Hold.File, b.Hold.File), cmp.Compare(a.Hold.Line, b.Hold.Line),
			cmp.Compare(a.Chain[0].File, b.Chain[0].File), cmp.Compare(a.Chain[0].Line, b.Chain[0].Line),
			cmp.Compare(a.Slow.File, b.Slow.File), cmp.Compare(a.Slow.Line, b.Slow.Line),
		)
	})
}

func measured(f Finding) float64 {
	if f.Held == nil {
		return -1
	}
	return *f.Held
}
