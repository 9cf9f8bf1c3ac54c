package report

import (
	"io"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// TextOptions are how Text writes.
type TextOptions struct {
	// Color allows escape sequences that colour. Without it there is no escape
	// byte in the output. Default off.
	Color bool
	// Width is how many columns there are; fewer than 30 count as 30, and
	// sentences use 100 at most. Default 100.
	Width int
}

// Text writes a result for a terminal or a pipe: what contradicts it, the figures of
// each route, with the seed's below them where the settings ask the seed's question, then
// what they mean, the other warnings and the settings.
func Text(w io.Writer, r *experiment.Result, o TextOptions) error {
	width := 100
	if o.Width != 0 {
		width = max(o.Width, 30)
	}
	p := palette{o.Color}
	var parts []string
	add := func(t tone, s string) { parts = append(parts, p.paint(t, s)+"\n") }

	ws := warnings(r)
	first := ws[:min(len(ws), len(r.ContradictedBy))]
	textWarnings := func(t tone, ws []string) {
		var lines []string
		for _, s := range ws {
			lines = append(lines, wrap("Warning: "+s, width, "  "))
		}
		if len(lines) > 0 {
			add(t, strings.Join(lines, "\n"))
		}
	}
	textWarnings(toneBad, first)
	if s := endedEarly(r); s != "" {
		add(toneBad, wrap(s, width, ""))
	}
	if s := notValid(r); s != "" {
		add(toneBad, wrap(s, width, ""))
	}
	follows := textList(conclusionsTitle, conclusions(r), width, p)
	if r.Service != nil && follows != "" {
		parts = append(parts, follows)
		follows = ""
	}
	if len(r.Routes) == 0 {
		add(tonePlain, wrap(noRoutesText, width, ""))
	} else {
		for _, t := range tables(r) {
			parts = append(parts, t.draw(width, p))
		}
	}
	if s := textList(predictionsTitle, predictionNotes(r), width, p); s != "" {
		parts = append(parts, s)
	}
	if s := textDifferences(r, width, p); s != "" {
		parts = append(parts, s)
	}
	if s := textErrors(r, width, p); s != "" {
		parts = append(parts, s)
	}
	if m := Meaning(r); m != "" {
		add(toneTitle, wrap(m, width, ""))
	}
	for _, l := range []string{textList(intervalsTitle, intervalsOf(r), width, p), follows} {
		if l != "" {
			parts = append(parts, l)
		}
	}
	textWarnings(tonePlain, ws[len(first):])
	add(toneQuiet, textSettings(r, width))

	_, err := io.WriteString(w, strings.Join(parts, "\n"))
	return err
}

func textDifferences(r *experiment.Result, width int, p palette) string {
	all, each := differences(r)
	if all == "" && len(each) == 0 {
		return ""
	}
	lines := []string{p.paint(toneTitle, wrap(differsTitle, width, ""))}
	if all != "" {
		lines = append(lines, wrap(glue+glue+differsForAll+": "+together(all), width, "    "))
	}
	for _, d := range each {
		lines = append(lines, wrap(glue+glue+d.route+": "+together(d.words), width, "    "))
	}
	return strings.Join(lines, "\n") + "\n"
}

func textErrors(r *experiment.Result, width int, p palette) string {
	shown, others := commonErrors(r)
	if len(shown) == 0 {
		return ""
	}
	lines := []string{p.paint(toneTitle, "Errors")}
	for _, e := range shown {
		lines = append(lines, wrap(glue+glue+plainInt(e.count)+glue+"× "+e.text, width, "    "))
	}
	if others > 0 {
		lines = append(lines, "  and "+words.Count(others, "other text"))
	}
	return strings.Join(lines, "\n") + "\n"
}

func textSettings(r *experiment.Result, width int) string {
	return wrap(origin(r)+": "+together(strings.Join(settingsParts(r), ", "))+".", width, "")
}

// together keeps each part of a list in one line where it is short.
func together(list string) string {
	parts := strings.Split(list, ", ")
	for i, s := range parts {
		if len(s) < 30 {
			parts[i] = strings.ReplaceAll(s, " ", glue)
		}
	}
	return strings.Join(parts, ", ")
}
