package experiment

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

// Command is the command line that asks a result's question again. It has the flags
// that differ from the defaults, and the group or the routes where they are not the
// seed's.
func (r *Result) Command() string {
	if r.Service != nil {
		words := r.Settings.flags()
		if r.Repeat > 1 {
			words = append(words, "--repeat", strconv.Itoa(r.Repeat))
		}
		return r.Service.command(words)
	}
	words := []string{"pghold", "lab"}
	if r.Kind == Predicted {
		words[1] = "plan"
	}
	for _, w := range r.Settings.flags() {
		words = append(words, shellQuote(w))
	}
	if slices.ContainsFunc(r.Routes, RouteResult.BesidePredicted) {
		words = append(words, "--predict")
	}
	if slices.ContainsFunc(r.Routes, func(rr RouteResult) bool { return rr.Sides != nil }) {
		words = append(words, "--tap")
	}
	if r.Repeat > 1 {
		words = append(words, "--repeat", strconv.Itoa(r.Repeat))
	}

	switch g := groupOf(r); g {
	case "":
	case "seed":
		return strings.Join(words, " ")
	default:
		return strings.Join(append(words, "--group", g), " ")
	}
	var named []string
	for i := range r.Routes {
		named = append(named, r.Routes[i].routeName())
	}
	if named = uniq(named); len(named) > 0 {
		if slices.ContainsFunc(named, func(n string) bool { return strings.HasPrefix(n, "-") }) {
			words = append(words, "--") // the names are from a file: none may be a flag
		}
		for _, n := range named {
			words = append(words, shellQuote(n))
		}
	}
	return strings.Join(words, " ")
}

// CommandFor is the command line that runs one of its cases again.
func (r *Result) CommandFor(rr *RouteResult) string {
	if rr.Route != "" || r.Service != nil { // a variant is run only with its group
		return r.Command()
	}
	return "pghold lab " + shellQuote(rr.Name)
}

// routeName is the route that a result is of, without a variant.
func (rr *RouteResult) routeName() string {
	if rr.Route != "" {
		return rr.Route
	}
	return rr.Name
}

// groupOf is the group that the result is of, or nothing: its cases are the group's,
// all of them and in order. Where some have settings of their own, which only a group
// gives them, some cases may be missing: the run was interrupted, or the server could
// not do them.
func groupOf(r *Result) string {
	var names []string
	own := false
	for _, rr := range r.Routes {
		names = append(names, rr.Name)
		own = own || rr.Route != "" || rr.Settings != nil
	}
	for _, g := range Groups {
		var all []string
		for _, c := range g.Cases(r.Settings) {
			all = append(all, c.Name)
		}
		if slices.Equal(names, all) || own && g.Name != "seed" && within(names, all) {
			return g.Name
		}
	}
	return ""
}

// within reports whether all names are among others, in the same order.
func within(names, others []string) bool {
	for _, o := range others {
		if len(names) > 0 && names[0] == o {
			names = names[1:]
		}
	}
	return len(names) == 0
}

// uniq leaves out what was there before.
func uniq(names []string) (kept []string) {
	for _, n := range names {
		if !slices.Contains(kept, n) {
			kept = append(kept, n)
		}
	}
	return kept
}

// shellQuote quotes a word for a POSIX shell where it needs it.
func shellQuote(word string) string {
	word = printable.Line(word)
	harmless := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=,+", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !harmless(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// BesidePredicted reports whether what the model says of the route is beside what was
// measured.
func (rr RouteResult) BesidePredicted() bool {
	return rr.Predicted != nil || rr.NotPredicted != ""
}
