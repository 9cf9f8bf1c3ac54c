// Package screen says what a ledger has in sentences, for a terminal and for a log. It
// keeps to the width that it is given, and quotes what comes from outside.
package screen

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Options say how.
type Options struct {
	Width  int    // by default 80
	Height int    // lines at most; by default as many as it takes
	Rows   int    // groups at most; by default 5
	Title  string // what is watched
	Note   string // what went wrong, if anything
	// Final has the groups by all of their time, not by that of the last minute.
	Final bool
	// Once is that it is of one sample, which counts nothing.
	Once bool
}

// Write writes a page of a ledger.
func Write(w io.Writer, r *watch.Report, o Options) error {
	o.Width, o.Rows = cmp.Or(o.Width, 80), cmp.Or(o.Rows, 5)
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(wrap(fmt.Sprintf(format, args...), o.Width))
	}
	if o.Title != "" {
		line("%s", o.Title)
	}
	if o.Note != "" {
		line("%s", o.Note)
	}
	line("%s", now(r, o.Once))
	if total := r.Inside.Total(); total > 0 {
		line("Of %s in transactions: %s.", short(watch.Seconds(total)), shares(r.Inside))
	}
	if waited := r.LockWait - r.Inside.LockWait; waited > 0 {
		line("Outside of known transactions, statements waited for locks for %s.", short(waited))
	}
	if r.Unseen != nil && !o.Once {
		line("%s", Seen(r))
	}
	b.WriteString("\n")
	const below = 5 // lines: what is left, an empty one, the note, and the cursor's
	groups := ranked(r, o.Final)
	shown := 0
	for ; shown < min(len(groups), o.Rows); shown++ {
		g := groups[shown]
		if weight(g, o.Final) == 0 && g.Connections == 0 { // long ago
			break
		}
		sentence := wrap(Sentence(g, o.Final), o.Width)
		if o.Height > 0 && strings.Count(b.String()+sentence, "\n") > o.Height-below {
			break
		}
		b.WriteString(sentence)
	}
	if rest := groups[shown:]; len(rest) > 0 || r.Other != nil {
		if r.Other != nil {
			rest = append(slices.Clone(rest), *r.Other)
		}
		var spent watch.Seconds
		for _, g := range rest {
			spent += weight(g, o.Final)
		}
		line("%s more: %s%s.", words.Count(len(rest), "group"), connectionSeconds(spent), when(o.Final))
	}
	if len(groups) == 0 && r.Other == nil {
		switch {
		case r.SessionsAll == 0:
			line("No session was seen.")
		case o.Once:
			line("No transaction is idle.")
		default:
			line("No transaction was idle.")
		}
	}
	b.WriteString("\n")
	line("A connection that is held outside of a transaction is not seen here.")
	_, err := io.WriteString(w, b.String())
	return err
}

// Line says it in one line, for a log.
func Line(r *watch.Report) string {
	s := now(r, false)
	if groups := ranked(r, false); len(groups) > 0 && weight(groups[0], false) > 0 {
		s += " Most: " + Sentence(groups[0], false)
	}
	return s
}

// now says what goes on at the moment.
func now(r *watch.Report, once bool) string {
	s := fmt.Sprintf("%s, %s open, %d idle in transaction", words.Count(r.Sessions, "session"), words.Count(r.Open, "transaction"), r.InTransaction)
	if r.InTransaction > 0 {
		s += fmt.Sprintf(" (the longest for %s)", short(r.LongestOpen))
	}
	if once {
		return s + "."
	}
	s += "; " + words.Count(r.Transactions, "transaction")
	if r.Statements > 0 { // which samples do not count
		s += " and " + words.Count(int(r.Statements), "statement")
	}
	return s + fmt.Sprintf(" ended in %s.", words.Short(r.To.Sub(r.From).Round(time.Second)))
}

// shares says what time was spent on.
func shares(s watch.Sums) string {
	total := float64(s.Total())
	var parts []string
	for _, p := range []struct {
		d    watch.Seconds
		what string
	}{
		{s.Silent, "idle in transaction"}, {s.Busy, "busy"}, {s.LockWait, "waiting for a lock"},
		{s.SlowClient, "waiting for a slow client"}, {s.Aborted, "aborted and idle"},
	} {
		if p.d > 0 {
			parts = append(parts, words.Ratio(float64(p.d)/total)+" "+p.what)
		}
	}
	return strings.Join(parts, ", ")
}

// enough is how much the server has to have counted for a share of it to say something:
// of less, the ends of a few gaps are most, which fall between two samples.
const enough = watch.Seconds(time.Second)

// Seen says how much of the server's own count was seen.
func Seen(r *watch.Report) string {
	switch {
	case *r.Counted <= 0:
		return "The server has counted no time idle in transaction yet."
	case *r.Counted < enough:
		return fmt.Sprintf("The server has counted %s idle in transaction: too little to say what share was seen.", short(*r.Counted))
	}
	return fmt.Sprintf("Saw %s of the %s idle in transaction that the server counted.",
		words.Ratio(1-float64(*r.Unseen)/float64(*r.Counted)), words.Short(time.Duration(*r.Counted)))
}

// Sentence says what a group is: "checkout: idle in transaction for 4.1 s after SELECT …
// FROM carts, on 12 of 15 connections; 37 connection-seconds in the last minute."
func Sentence(g watch.Group, final bool) string {
	state := "idle in transaction"
	if g.Aborted > g.Silent {
		state = "idle in a failed transaction"
	}
	after := "after " + printable.Line(watch.Shorten(g.After, 120))
	switch g.After {
	case watch.ShortGaps:
		after = "between statements, under 1 ms each"
	case watch.Other: // in a recording that has no end
		return fmt.Sprintf("%s: was %s %s more; %s%s.", subject(g), state, words.Times(g.Gaps), connectionSeconds(weight(g, final)), when(final))
	}
	s := subject(g) + ": "
	switch {
	case g.Connections > 0:
		s += fmt.Sprintf("%s for %s %s, on %d of %s", state, short(g.LongestOpen), after, g.Connections, words.Count(g.Sessions, "connection"))
		if g.Longest > g.LongestOpen {
			s += fmt.Sprintf(" (earlier, for up to %s)", short(g.Longest))
		}
	default:
		s += fmt.Sprintf("was %s %s, for up to %s, %s", state, words.Times(g.Gaps), short(g.Longest), after)
	}
	return s + fmt.Sprintf("; %s%s.", connectionSeconds(weight(g, final)), when(final))
}

// subject is who it was: the route, where a comment names it, and the application.
func subject(g watch.Group) string {
	application := printable.Line(cmp.Or(g.Application, g.User+"@"+g.Database))
	if g.Route == "" {
		return application
	}
	return printable.Line(g.Route) + " (" + application + ")"
}

func when(final bool) string {
	if final {
		return " in all"
	}
	return " in the last minute"
}

func connectionSeconds(d watch.Seconds) string {
	if d > 0 && d < watch.Seconds(time.Millisecond) {
		return "less than 0.001 connection-seconds"
	}
	if n := words.Rounded(time.Duration(d).Round(time.Millisecond).Seconds()); n != "1" {
		return n + " connection-seconds"
	}
	return "1 connection-second"
}

// short is a duration as a recording has it too: to the microsecond.
func short(d watch.Seconds) string { return words.Short(time.Duration(d).Round(time.Microsecond)) }

func weight(g watch.Group, final bool) watch.Seconds {
	if final {
		return g.Silent + g.Aborted
	}
	return g.LastMinute
}

// ranked are the groups, the costliest first.
func ranked(r *watch.Report, final bool) []watch.Group {
	groups := slices.Clone(r.Groups)
	slices.SortStableFunc(groups, func(a, b watch.Group) int { return cmp.Compare(weight(b, final), weight(a, final)) })
	return groups
}

// wrap breaks a line between words where it is wider, and indents what follows. A word
// that is wider than a line is broken too.
func wrap(text string, width int) string {
	var b strings.Builder
	room := width
	for i, word := range strings.Split(text, " ") {
		switch need := lipgloss.Width(word); {
		case i == 0:
		case need+1 <= room:
			b.WriteString(" ")
			room--
		default:
			b.WriteString("\n  ")
			room = width - 2
		}
		for lipgloss.Width(word) > room {
			part := ansi.Truncate(word, room, "")
			b.WriteString(part + "\n  ")
			word, room = word[len(part):], width-2
		}
		b.WriteString(word)
		room -= lipgloss.Width(word)
	}
	return b.String() + "\n"
}
