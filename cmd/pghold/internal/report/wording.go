package report

import (
	"strconv"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

// The sentences that every form of report has.
const (
	interruptedText = "INTERRUPTED before the last route was done. The routes shown are whole; the others are missing."
	noRoutesText    = "No route was done: there is nothing to show."

	// How the settings of routes differ from those of the run.
	differsTitle  = "What differs from the run's settings"
	differsForAll = "for all routes"
)

func plainInt(n int) string { return strconv.Itoa(n) }

// endedEarly says that routes are missing, and why where it was an error; or nothing.
func endedEarly(r *experiment.Result) string {
	switch why := shorten(printable.Line(r.Failed), 600); {
	case why != "":
		return "FAILED before the last route was done: " + strings.TrimSuffix(why, ".") + ". The routes shown are whole; the others are missing."
	case r.Interrupted:
		return interruptedText
	}
	return ""
}

// notValid says that nothing follows from a result, and why, fit to print; or nothing.
func notValid(r *experiment.Result) string {
	why := shorten(printable.Line(r.NotValid()), 600)
	if why != "" && r.Service != nil && len(r.Conclusions) > 0 { // something follows of its other routes
		return "NOT VALID in part: " + why
	}
	if why != "" {
		return "NOT VALID, so nothing follows from these figures. " + why
	}
	return ""
}

// origin says where a result is from: its kind, its time and pghold's version.
func origin(r *experiment.Result) string {
	kind := shorten(printable.Line(r.Kind), 40)
	if kind == "" {
		kind = "of unknown origin"
	}
	first := []rune(kind)[:1]
	s := strings.ToUpper(string(first)) + kind[len(string(first)):]
	if r.StartedAt != nil {
		s += " " + r.StartedAt.UTC().Format("2006-01-02 15:04 UTC")
	}
	if r.Version != "" {
		s += " by pghold " + shorten(printable.Line(r.Version), 60)
	}
	return s
}

// warnings are the result's, fit to print.
func warnings(r *experiment.Result) []string {
	var ws []string
	for _, w := range r.Warnings {
		if w = shorten(printable.Line(w), 600); w != "" {
			ws = append(ws, w)
		}
	}
	return ws
}
