package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Markdown writes a result as GitHub-flavoured Markdown: what Text shows, and
// the command that repeats it.
func Markdown(w io.Writer, r *experiment.Result) error {
	var b strings.Builder
	b.WriteString("# pghold: what holding a connection costs\n\n")
	if s := endedEarly(r); s != "" {
		fmt.Fprintf(&b, "> [!CAUTION]\n> %s\n\n", escape(s))
	}
	if s := notValid(r); s != "" {
		fmt.Fprintf(&b, "> [!CAUTION]\n> %s\n\n", escape(s))
	}
	fmt.Fprintf(&b, "%s: %s.\n\n", escape(origin(r)), escape(strings.Join(settingsParts(r), ", ")))

	if r.Service != nil {
		markdownList(&b, conclusionsTitle, conclusions(r))
	}
	if len(r.Routes) == 0 {
		b.WriteString(noRoutesText + "\n\n")
	}
	m := Meaning(r)
	for i, t := range tables(r) {
		if len(r.Routes) == 0 {
			break
		}
		t.title = firstOf(t.title, "Result")
		markdownTable(&b, t.withoutEmptyColumns())
		if i == 0 && m != "" {
			fmt.Fprintf(&b, "**%s**\n\n", m)
		}
	}
	markdownList(&b, predictionsTitle, predictionNotes(r))
	markdownDifferences(&b, r)
	markdownErrors(&b, r)
	markdownList(&b, intervalsTitle, intervalsOf(r))
	if r.Service == nil {
		markdownList(&b, conclusionsTitle, conclusions(r))
	}
	if ws := warnings(r); len(ws) > 0 {
		b.WriteString("## Warnings\n\n")
		for _, s := range ws {
			fmt.Fprintf(&b, "- %s\n", escape(s))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "## Repeat it\n\n```sh\n%s\n```\n", r.Command())
	_, err := io.WriteString(w, b.String())
	return err
}

func firstOf(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func markdownTable(b *strings.Builder, t table) {
	fmt.Fprintf(b, "## %s\n\n", t.title)
	head, rule := "| "+t.heading()+" |", "|:--|"
	for _, c := range t.columns {
		head += " " + c.title() + " |"
		rule += "--:|"
	}
	b.WriteString(head + "\n" + rule + "\n")
	for _, r := range t.rows {
		label := code(shorten(r.route, longestError))
		if t.rowsOf != "" {
			label = escape(r.route)
		}
		if r.beside != "" {
			label = "*" + r.beside + "*"
		}
		b.WriteString("| " + label + " |")
		for _, c := range r.cells {
			// Every cell is made of figures and our own words.
			b.WriteString(strings.TrimRight(" "+strings.ReplaceAll(c.text, "<", "&lt;"), " ") + " |")
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
	if t.note != "" {
		b.WriteString(t.note + "\n\n")
	}
}

func markdownDifferences(b *strings.Builder, r *experiment.Result) {
	all, each := differences(r)
	if all == "" && len(each) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", differsTitle)
	if all != "" {
		fmt.Fprintf(b, "- %s: %s\n", differsForAll, escape(all))
	}
	for _, d := range each {
		fmt.Fprintf(b, "- %s: %s\n", code(shorten(d.route, longestError)), escape(d.words))
	}
	b.WriteString("\n")
}

func markdownErrors(b *strings.Builder, r *experiment.Result) {
	shown, others := commonErrors(r)
	if len(shown) == 0 {
		return
	}
	b.WriteString("## Errors\n\n")
	for _, e := range shown {
		fmt.Fprintf(b, "- %d × %s\n", e.count, escape(e.text))
	}
	if others > 0 {
		fmt.Fprintf(b, "- and %s\n", words.Count(others, "other text"))
	}
	b.WriteString("\n")
}

// code sets a name as code. A name with other than the usual characters is
// escaped text: inside of code, escaping works differently from place to place.
func code(name string) string {
	usual := func(r rune) bool {
		return r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./: @{}", r))
	}
	if name != "" && strings.IndexFunc(name, func(r rune) bool { return !usual(r) }) < 0 {
		return "`" + name + "`"
	}
	return escape(name)
}

// escape makes clean text from outside Markdown that shows it and does nothing:
// no HTML, no code, no link, no table cell, no list.
func escape(s string) string {
	var b strings.Builder
	runes := []rune(s)
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
	}
	for i, r := range runes {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`|*[]#~!", r),
			r == '_' && !(word(i-1) && word(i+1)), // a_b is no emphasis
			i == 0 && (r == '-' || r == '+'),
			(r == '.' || r == ')') && ordinal(runes[:i]):
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// ordinal reports whether a text that begins so, and goes on with a stop, is
// taken for an item of a numbered list.
func ordinal(start []rune) bool {
	for _, r := range start {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(start) > 0
}
