package report

import (
	"io"
	"regexp"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

// Section is a list of sentences with a title.
type Section struct {
	Title string
	Lines []string
}

// answerWidth is how wide an answer is where nobody says how much room there is.
const answerWidth = 80

// quantity is a number and what is to stay in its line with it.
var quantity = regexp.MustCompile(`([0-9]) (s|ms|µs|%|\+|×|requests/s|replicas|workers)( [0-9])?`)

// TextAnswer writes an answer for a terminal or a pipe: its sentences, a paragraph each,
// and the sections below them. Width is 80 by default.
func TextAnswer(w io.Writer, answer []string, sections []Section, o TextOptions) error {
	width := answerWidth
	if o.Width != 0 {
		width = max(o.Width, 30)
	}
	p := palette{o.Color}
	line := func(s, indent string) string {
		s = quantity.ReplaceAllStringFunc(shorten(printable.Line(s), 1000), func(m string) string { return strings.ReplaceAll(m, " ", glue) })
		return wrap(strings.ReplaceAll(indent, " ", glue)+s, width, strings.Repeat(" ", len(indent)))
	}
	var parts []string
	for i, s := range answer {
		tone := tonePlain
		if i == 0 {
			tone = toneTitle
		}
		parts = append(parts, p.paint(tone, line(s, "")))
	}
	for _, s := range sections {
		if len(s.Lines) == 0 {
			continue
		}
		lines := []string{p.paint(toneHead, s.Title)}
		for _, l := range s.Lines {
			lines = append(lines, line(l, "- "))
		}
		parts = append(parts, strings.Join(lines, "\n"))
	}
	_, err := io.WriteString(w, strings.Join(parts, "\n\n")+"\n")
	return err
}
