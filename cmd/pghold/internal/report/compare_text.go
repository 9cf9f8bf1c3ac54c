package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Text writes the comparison for a terminal or a pipe.
func (c *Comparison) Text(w io.Writer, o TextOptions) error {
	width := 100
	if o.Width != 0 {
		width = max(o.Width, 30)
	}
	p := palette{o.Color}
	var parts []string
	add := func(t tone, lines ...string) {
		if len(lines) > 0 {
			parts = append(parts, p.paint(t, strings.Join(lines, "\n"))+"\n")
		}
	}
	add(tonePlain, wrap("A: "+c.A.origin(), width, "   "), wrap("B: "+c.B.origin(), width, "   "))
	if lines := c.sentences(); len(lines) > 0 {
		for i, l := range lines {
			lines[i] = wrap(glue+glue+l, width, "    ")
		}
		add(tonePlain, slices.Insert(lines, 0, p.paint(toneTitle, sentencesTitle))...)
	}
	var changes []string
	for _, ch := range c.ForAll {
		changes = append(changes, wrap(glue+glue+ch.words(), width, "    "))
	}
	if len(changes) > 0 {
		changes = slices.Insert(changes, 0, p.paint(toneTitle, changedTitle))
	} else {
		changes = []string{wrap(c.unchanged(), width, "")}
	}
	add(tonePlain, changes...)

	for i, t := range c.tables() {
		s := t.draw(width, p)
		if text := c.Routes[i].changes(); text != "" {
			s += p.paint(toneQuiet, wrap("Only here: "+text+".", width, "")) + "\n"
		}
		parts = append(parts, s)
	}
	if len(c.Routes) == 0 {
		add(tonePlain, wrap(nothingSharedText, width, ""))
	} else {
		add(toneQuiet, wrap(c.legend(), width, ""))
	}
	for _, only := range c.only() {
		lines := []string{p.paint(toneTitle, only.title)}
		for _, name := range only.names {
			lines = append(lines, fit("  "+name, width))
		}
		add(tonePlain, lines...)
	}
	var warned []string
	for _, s := range c.warnings() {
		warned = append(warned, wrap("Warning: "+s, width, "  "))
	}
	add(tonePlain, warned...)
	_, err := io.WriteString(w, strings.Join(parts, "\n"))
	return err
}

// Markdown writes the comparison as GitHub-flavoured Markdown.
func (c *Comparison) Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# pghold: two results side by side\n\n")
	fmt.Fprintf(&b, "- A: %s\n- B: %s\n\n", escape(c.A.origin()), escape(c.B.origin()))
	if lines := c.sentences(); len(lines) > 0 {
		fmt.Fprintf(&b, "## %s\n\n", sentencesTitle)
		for _, l := range lines {
			fmt.Fprintf(&b, "- %s\n", escape(l))
		}
		b.WriteString("\n")
	}
	if len(c.ForAll) > 0 {
		fmt.Fprintf(&b, "## %s\n\n", changedTitle)
		for _, ch := range c.ForAll {
			fmt.Fprintf(&b, "- %s\n", escape(ch.words()))
		}
		b.WriteString("\n")
	} else {
		b.WriteString(c.unchanged() + "\n\n")
	}
	for i, t := range c.tables() {
		t.title = code(shorten(t.title, longestError))
		markdownTable(&b, t.withoutEmptyColumns())
		if text := c.Routes[i].changes(); text != "" {
			fmt.Fprintf(&b, "Only here: %s.\n\n", escape(text))
		}
	}
	if len(c.Routes) == 0 {
		b.WriteString(nothingSharedText + "\n\n")
	} else {
		b.WriteString(escape(c.legend()) + "\n\n")
	}
	for _, only := range c.only() {
		fmt.Fprintf(&b, "## %s\n\n", only.title)
		for _, name := range only.names {
			fmt.Fprintf(&b, "- %s\n", code(shorten(name, longestError)))
		}
		b.WriteString("\n")
	}
	if ws := c.warnings(); len(ws) > 0 {
		b.WriteString("## Warnings\n\n")
		for _, s := range ws {
			fmt.Fprintf(&b, "- %s\n", escape(s))
		}
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

const (
	changedTitle      = "What differs in the settings"
	nothingSharedText = "The two have no route in common: there is nothing to compare."
)

// unchanged is for a comparison in which nothing differs for all routes.
func (c *Comparison) unchanged() string {
	if slices.ContainsFunc(c.Routes, func(r RouteComparison) bool { return len(r.Changes) > 0 }) {
		return "The settings of all routes are the same."
	}
	return "The settings are the same."
}

func (s Side) origin() string {
	text := shorten(printable.Line(s.Name), 200) + " · " + origin(s.Result)
	if n := s.Result.Repeat; n > 1 {
		text += fmt.Sprintf(", each route run %d times", n)
	}
	switch {
	case s.Result.Failed != "":
		text += " (FAILED)"
	case s.Result.Interrupted:
		text += " (INTERRUPTED)"
	}
	if s.Result.NotValid() != "" {
		text += " (NOT VALID)"
	}
	return text
}

func (ch Change) words() string { return ch.A + " → " + ch.B }

func (r RouteComparison) changes() string {
	var text []string
	for _, ch := range r.Changes {
		text = append(text, ch.words())
	}
	return strings.Join(text, ", ")
}

// tables are one for each route.
func (c *Comparison) tables() (ts []table) {
	for _, r := range c.Routes {
		t := table{title: printable.Line(r.Name), rowsOf: "figure", columns: []column{
			{group: "A", name: "median"}, {group: "A", name: "±"}, {group: "B", name: "median"}, {group: "B", name: "±"},
			{name: "difference"}, {name: "noise?"},
		}}
		if !repeated(r) {
			t.columns[0], t.columns[2] = column{name: "A"}, column{name: "B"}
		}
		for _, f := range r.Figures {
			verdict := verdicts[f.Verdict]
			if !repeated(r) {
				verdict = "" // the same in every line: it is said once, below
			}
			t.rows = append(t.rows, row{route: f.of.name, cells: []cell{
				{text: f.A.shown(f.of)}, {text: f.A.interval(f.of)}, {text: f.B.shown(f.of)}, {text: f.B.interval(f.of)},
				f.difference(), {text: verdict},
			}})
		}
		if len(r.Figures) == 0 {
			t.note = "No figure of this route is known in either."
		}
		ts = append(ts, t)
	}
	return ts
}

// repeated reports whether there is more than one run of a route.
func repeated(r RouteComparison) bool {
	return slices.ContainsFunc(r.Figures, func(f FigureComparison) bool { return f.A.Runs > 1 || f.B.Runs > 1 })
}

// verdicts are the words for them.
var verdicts = map[Verdict]string{Differs: "no", Noise: "may be", TooFew: "too few runs"}

func (s Summary) shown(of measure) string {
	if s.Runs == 0 {
		return words.None
	}
	return of.show(s.Median)
}

// interval says how far the median may be off: as a share of it, or where it begins
// and ends.
func (s Summary) interval(of measure) string {
	switch {
	case s.Runs < 2:
		return ""
	case math.IsInf(s.Low, 0) || math.IsInf(s.High, 0):
		return "∞"
	case s.Median == 0 && s.High > s.Low:
		return of.show(s.Low) + " to " + of.show(s.High)
	}
	text := benchmath.Summary{Center: s.Median, Lo: s.Low, Hi: s.High}.PctRangeString()
	if text == "0%" && s.Low < s.High {
		text = "<1%"
	}
	return strings.Replace(text, "%", " %", 1)
}

func (f FigureComparison) difference() cell {
	switch {
	case f.A.Runs == 0 || f.B.Runs == 0:
		return cell{text: words.None}
	case f.Verdict == Same:
		return cell{text: "same", tone: toneQuiet}
	case !words.Finite(100 * f.Change): // there was nothing before
		return cell{text: words.None}
	}
	c := cell{text: words.Change(f.Change, "%")}
	if f.Verdict == Differs && f.of.better != 0 {
		c.tone = toneBad
		if (f.Change > 0) == (f.of.better > 0) {
			c.tone = toneGood
		}
	}
	return c
}

// legend explains the words of the tables.
func (c *Comparison) legend() string {
	text := "difference: how much larger B's figure is than A's, in per cent of A's."
	if slices.ContainsFunc(c.Routes, repeated) {
		text = fmt.Sprintf("median: of the runs of a route. ±: the median is within so much of it with a confidence of %.0f %%. ", 100*confidence) + text +
			fmt.Sprintf(" noise? no: the runs of A and of B differ by more than chance explains (Mann-Whitney U-test, level %v). may be: the difference is not distinguishable from noise.", alpha)
	}
	return text
}

// onlyIn are the routes of one result that the other has not.
type onlyIn struct {
	title string
	names []string
}

func (c *Comparison) only() (found []onlyIn) {
	for _, o := range []onlyIn{{"Only in A", c.OnlyA}, {"Only in B", c.OnlyB}} {
		if len(o.names) == 0 {
			continue
		}
		names := make([]string, len(o.names))
		for i, n := range o.names {
			names[i] = printable.Line(n)
		}
		found = append(found, onlyIn{o.title, names})
	}
	return found
}

// warnings are what the comparison cannot say, and those of the two results.
func (c *Comparison) warnings() []string {
	ws := slices.Clone(c.Notes)
	a, b := warnings(c.A.Result), warnings(c.B.Result)
	for _, w := range a {
		side := "A: "
		if slices.Contains(b, w) {
			side = "A and B: "
		}
		ws = append(ws, side+w)
	}
	for _, w := range b {
		if !slices.Contains(a, w) {
			ws = append(ws, "B: "+w)
		}
	}
	return ws
}
