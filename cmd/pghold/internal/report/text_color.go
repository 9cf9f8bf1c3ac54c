package report

import (
	"strings"

	"charm.land/lipgloss/v2"
)

// tone is what a piece of text is for; the palette knows how that looks.
type tone int

const (
	tonePlain tone = iota
	toneTitle      // a table's title, the meaning
	toneHead       // a table's header
	toneQuiet      // what the eye may skip
	toneGood
	toneBad
)

// palette colours text, or leaves it as it is.
type palette struct{ color bool }

var styles = map[tone]lipgloss.Style{
	toneTitle: lipgloss.NewStyle().Bold(true),
	toneHead:  lipgloss.NewStyle().Bold(true),
	toneQuiet: lipgloss.NewStyle().Faint(true),
	toneGood:  lipgloss.NewStyle().Foreground(lipgloss.Green),
	toneBad:   lipgloss.NewStyle().Foreground(lipgloss.Red),
}

// paint gives text its tone line by line, so that no line is padded to another's
// length.
func (p palette) paint(t tone, text string) string {
	if !p.color || t == tonePlain {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = styles[t].Render(l)
		}
	}
	return strings.Join(lines, "\n")
}
