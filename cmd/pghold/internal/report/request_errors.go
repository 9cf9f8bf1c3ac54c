package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

// seenError is an error's text, and how often all routes together saw it.
type seenError struct {
	text  string
	count int
}

const (
	mostErrors   = 5   // that a report shows
	longestError = 240 // characters of a text that are shown
)

// commonErrors returns the commonest errors, and how many other texts there are.
func commonErrors(r *experiment.Result) (shown []seenError, others int) {
	counts := map[string]int{}
	for _, rr := range r.Routes {
		if r.Service != nil && rr.Name == experiment.Together { // those of the others, again
			continue
		}
		for text, n := range rr.Errors {
			counts[shorten(printable.Line(text), longestError)] += n
		}
	}
	for _, text := range slices.Sorted(maps.Keys(counts)) {
		shown = append(shown, seenError{text, counts[text]})
	}
	slices.SortStableFunc(shown, func(a, b seenError) int { return cmp.Compare(b.count, a.count) })
	if len(shown) > mostErrors {
		others = len(shown) - mostErrors
		shown = shown[:mostErrors]
	}
	return shown, others
}
