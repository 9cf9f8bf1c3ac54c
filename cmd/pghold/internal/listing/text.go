package listing

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
	"github.com/pghold/pghold/holdcheck"
)

// TextOptions are how Text writes.
type TextOptions struct {
	// Color allows escape sequences that colour. Without it there is no escape byte
	// in the output. Default off.
	Color bool
	// Width is how many columns sentences may use, at least 40; lines of code use
	// what they need. Default 100.
	Width int
	// Left is how many findings the caller has left out, and Leave what it was told
	// to leave out. Default none.
	Left  int
	Leave string
}

var (
	bold  = lipgloss.NewStyle().Bold(true)
	faint = lipgloss.NewStyle().Faint(true)
	tones = map[holdcheck.Severity]lipgloss.Style{
		holdcheck.High:   lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red),
		holdcheck.Medium: lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Yellow),
		holdcheck.Low:    lipgloss.NewStyle().Bold(true),
	}
)

// text collects lines.
type text struct {
	strings.Builder
	o TextOptions
}

// Text writes a result for people: the findings of each file together, then the
// calls that could not be followed, what else there is to say, and the counts.
func Text(w io.Writer, r *holdcheck.Result, o TextOptions) error {
	o.Width = min(max(cmp.Or(o.Width, 100), 40), 100)
	t := &text{o: o}
	var files []string // as they come: those with the worst first
	of := map[string][]holdcheck.Finding{}
	var unresolved []holdcheck.Finding
	for _, f := range r.Findings {
		if f.Worst().Kind == holdcheck.Unresolved {
			unresolved = append(unresolved, f)
			continue
		}
		if of[f.Hold.File] == nil {
			files = append(files, f.Hold.File)
		}
		of[f.Hold.File] = append(of[f.Hold.File], f)
	}
	for _, file := range files {
		t.line(bold, "", printable.Line(file))
		for _, f := range of[file] {
			t.finding(f)
			t.WriteByte('\n')
		}
	}
	t.unresolved(unresolved)
	t.measured(r)
	t.remarks(r)
	t.sum(r, unresolved)
	_, err := io.WriteString(w, t.String())
	return err
}

// paint colours a text where that is allowed.
func (t *text) paint(s lipgloss.Style, text string) string {
	if !t.o.Color || text == "" {
		return text
	}
	return s.Render(text)
}

// line writes one line in one style.
func (t *text) line(s lipgloss.Style, indent, line string) {
	fmt.Fprintf(t, "%s%s\n", indent, t.paint(s, line))
}

// sentence writes text broken between words, each line after the first indented.
func (t *text) sentence(s lipgloss.Style, indent, rest, sentence string) {
	line, width := "", t.o.Width-lipgloss.Width(indent)
	for _, word := range strings.Fields(printable.Line(sentence)) {
		if line != "" && lipgloss.Width(line+" "+word) > width {
			t.line(s, indent, line)
			line, indent, width = "", rest, t.o.Width-lipgloss.Width(rest)
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	t.line(s, indent, line)
}

func (t *text) finding(f holdcheck.Finding) {
	const indent = "          "
	worst := f.Worst()
	head := fmt.Sprintf("  %-6s  ", worst.Severity)
	before := t.Len()
	t.sentence(lipgloss.NewStyle(), head, indent, f.Message)
	if t.o.Color { // the severity in its own colour: it is the head of the first line
		all := t.String()
		t.Reset()
		t.WriteString(all[:before] + strings.Replace(all[before:], string(worst.Severity), t.paint(tones[worst.Severity], string(worst.Severity)), 1))
	}
	var rows [][3]string
	rows = append(rows, [3]string{"held", f.Hold.String(), f.Hold.What})
	for i, s := range worst.Chain {
		at := fmt.Sprintf("%s:%d", s.File, s.Line)
		if i == len(worst.Chain)-1 && at == worst.Place.String() {
			break // the slow call's own line says so
		}
		word := "via"
		if i > 0 {
			word = ""
		}
		rows = append(rows, [3]string{word, at, "in " + shortFunc(s.Func)})
	}
	slow := worst.Place.What
	if n := len(worst.Chain); n > 0 && worst.Chain[n-1].Func != "" {
		slow += " in " + shortFunc(worst.Chain[n-1].Func)
	}
	rows = append(rows, [3]string{"slow", worst.Place.String(), slow})
	widest := 0
	for i := range rows {
		for j := range rows[i] {
			rows[i][j] = printable.Line(rows[i][j])
		}
		widest = max(widest, lipgloss.Width(rows[i][1]))
	}
	for _, row := range rows {
		pad := strings.Repeat(" ", widest-lipgloss.Width(row[1]))
		fmt.Fprintf(t, "%s%s %s%s  %s\n", indent, t.paint(faint, fmt.Sprintf("%-4s", row[0])), row[1], pad, row[2])
	}
	if f.Held != nil {
		t.line(bold, indent, "measured: "+seconds(*f.Held)+" inside holds")
	}
	if also := alsoLine(f); also != "" {
		t.sentence(lipgloss.NewStyle(), indent, indent, also)
	}
	if f.Advice != "" {
		t.sentence(faint, indent, indent, f.Advice)
	}
}

// unresolved writes the calls that could not be followed, a line for each function
// that holds.
func (t *text) unresolved(fs []holdcheck.Finding) {
	if len(fs) == 0 {
		return
	}
	t.sentence(bold, "", "", "Calls made while a connection is held, and that could not be followed:")
	var holders []string
	of := map[string][]holdcheck.Finding{}
	for _, f := range fs {
		name := holder(f)
		if of[name] == nil {
			holders = append(holders, name)
		}
		of[name] = append(of[name], f)
	}
	for _, name := range holders {
		const most = 3
		var calls []string
		for i, f := range of[name] {
			if i == most {
				calls = append(calls, fmt.Sprintf("%d more", len(of[name])-most))
				break
			}
			at := f.Worst().Place
			calls = append(calls, at.What+" at "+at.String())
		}
		t.line(lipgloss.NewStyle(), "  ", printable.Line(name+": "+strings.Join(calls, ", ")))
	}
	t.WriteByte('\n')
}

// holder is the function that holds in a finding.
func holder(f holdcheck.Finding) string {
	if chain := f.Worst().Chain; len(chain) > 0 && chain[0].Func != "" {
		return shortFunc(chain[0].Func)
	}
	return f.Hold.String()
}

// measured writes what a recorder saw and the findings do not say.
func (t *text) measured(r *holdcheck.Result) {
	if len(r.Shared) > 0 {
		t.sentence(bold, "", "", "Measured once for several findings, each of which shows all of it:")
		for _, m := range r.Shared {
			t.line(lipgloss.NewStyle(), "  ", printable.Line(fmt.Sprintf("%s: %s, %s", seconds(m.Held), m, words.Count(len(m.Findings), "finding", "findings"))))
		}
		t.WriteByte('\n')
	}
	if len(r.Unexplained) > 0 {
		t.sentence(bold, "", "", "Measured inside holds, and found by no check of the source:")
		for _, m := range r.Unexplained {
			route := cmp.Or(m.Route, "no route")
			t.line(lipgloss.NewStyle(), "  ", printable.Line(fmt.Sprintf("%s in %s: %s, held by %s, %s", seconds(m.Held), words.Count(int(m.Count), "call", "calls"), m, shortFunc(m.Hold), route)))
		}
		t.WriteByte('\n')
	}
}

// remarks writes what is neither a finding nor a count.
func (t *text) remarks(r *holdcheck.Result) {
	var lines []string
	for _, c := range r.Complaints {
		lines = append(lines, c.String())
	}
	for _, u := range r.Unused {
		lines = append(lines, "note: "+u.String())
	}
	for _, s := range r.Unread {
		lines = append(lines, "note: "+s)
	}
	for _, s := range r.LeftOut {
		lines = append(lines, "note: "+s+"; --tests shows them.")
	}
	if s := outOfDate(r); s != "" {
		lines = append(lines, "note: "+s)
	}
	for _, line := range lines {
		t.sentence(lipgloss.NewStyle(), "", "  ", line)
	}
	if len(lines) > 0 {
		t.WriteByte('\n')
	}
}

// sum writes the closing line.
func (t *text) sum(r *holdcheck.Result, unresolved []holdcheck.Finding) {
	var found []holdcheck.Finding
	holders := map[string]bool{}
	for _, f := range r.Findings {
		if f.Worst().Kind != holdcheck.Unresolved {
			found = append(found, f)
		} else {
			holders[holder(f)] = true
		}
	}
	var parts []string
	if len(found) == 0 {
		parts = append(parts, "No slow call found while a connection is held")
	} else {
		parts = append(parts, words.Count(len(found), "slow call", "slow calls")+" found while a connection is held: "+bySeverity(found))
	}
	if n := len(unresolved); n > 0 {
		parts = append(parts, fmt.Sprintf("%s in %s could not be followed", words.Count(n, "call", "calls"), words.Count(len(holders), "function", "functions")))
	}
	if n := len(r.Ignored); n > 0 {
		parts = append(parts, fmt.Sprintf("%d ignored", n))
	}
	if r.Hidden > 0 {
		parts = append(parts, fmt.Sprintf("%d in the baseline", r.Hidden))
	}
	if t.o.Left > 0 {
		parts = append(parts, fmt.Sprintf("%d left out (%s)", t.o.Left, t.o.Leave))
	}
	style := bold
	t.sentence(style, "", "", strings.Join(parts, "; ")+".")
}
