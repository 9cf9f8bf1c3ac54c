package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// failOver is what a ledger must not have.
type failOver struct {
	class string
	over  time.Duration
}

// failClasses are what may be asked, and where a report has it.
var failClasses = []struct {
	name, what string
	of         func(*watch.Report) watch.Seconds
}{
	{"silent", "a transaction was idle", func(r *watch.Report) watch.Seconds { return r.LongestSilent }},
	{"aborted", "a failed transaction was idle", func(r *watch.Report) watch.Seconds { return r.LongestAborted }},
	{"transaction", "a transaction lasted", func(r *watch.Report) watch.Seconds { return r.LongestTransaction }},
}

func parseFailOver(text string) (f failOver, err error) {
	if text == "" {
		return f, nil
	}
	class, limit, ok := strings.Cut(text, ">")
	f.class = strings.TrimSpace(class)
	if f.over, err = time.ParseDuration(strings.TrimSpace(limit)); err != nil || !ok || f.over < 0 {
		return f, fmt.Errorf("--fail-over %q: write a class and a duration, as in 'silent>2s'", text)
	}
	for _, known := range failClasses {
		if known.name == f.class {
			return f, nil
		}
	}
	return f, fmt.Errorf("--fail-over %q: the classes are silent, aborted and transaction", text)
}

// found says what was found, if anything.
func (f failOver) found(r *watch.Report) string {
	for _, known := range failClasses {
		if longest := time.Duration(known.of(r)); known.name == f.class && longest > f.over {
			what := fmt.Sprintf("%s for %s, more than %s", known.what, longest.Round(time.Millisecond), f.over)
			for _, g := range r.Groups {
				if known.name != "transaction" && time.Duration(g.Longest) == longest {
					what += ", after " + printable.Line(g.After) + " (" + printable.Line(cmp.Or(g.Route, g.Application, g.User)) + ")"
					break
				}
			}
			return what
		}
	}
	return ""
}
