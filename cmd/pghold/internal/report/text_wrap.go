package report

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// glue is a space at which a line is not broken, until wrap has done its work.
const glue = "\u00a0"

// widestProse is the longest line that is read with ease. Tables may be wider.
const widestProse = 100

// wrap breaks text between words into lines of at most width columns and never
// more than widestProse, and inside a word only where the word alone is longer. Lines after the first are indented.
func wrap(text string, width int, indent string) string {
	width = min(width, widestProse)
	var lines []string
	line := ""
	flush := func() {
		lines = append(lines, line)
		line = indent
	}
	for word := range strings.SplitSeq(text, " ") {
		gap := " "
		if strings.TrimSpace(line) == "" {
			gap = ""
		}
		if gap != "" && lipgloss.Width(line+gap+word) > width {
			flush()
			gap = ""
		}
		for lipgloss.Width(line+gap+word) > width {
			head, tail := cut(word, width-lipgloss.Width(line))
			line += head
			flush()
			word = tail
		}
		line += gap + word
	}
	lines = append(lines, line)
	return strings.ReplaceAll(strings.Join(lines, "\n"), glue, " ")
}

// cut splits a word so that its head fills at most width columns, and at least
// one character.
func cut(word string, width int) (head, tail string) {
	runes := []rune(word)
	n := 1
	for n < len(runes) && lipgloss.Width(string(runes[:n+1])) <= width {
		n++
	}
	return string(runes[:n]), string(runes[n:])
}
