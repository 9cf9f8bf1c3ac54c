package report

import (
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
)

// table is figures by route, before anybody decided how to draw them.
type table struct {
	name    string // for Figure
	known   bool   // worth drawing
	title   string
	note    string // explains words of the header; may be empty
	rowsOf  string // what row.route names; empty: routes
	columns []column
	rows    []row
}

// column is one figure. Neighbours of the same group share a heading.
type column struct{ group, name string }

// title is the column's name where there is no second line for groups.
func (c column) title() string {
	if c.group == "" {
		return c.name
	}
	return c.group + ": " + c.name
}

// row has the figures of a route, or what stands below them.
type row struct {
	route  string
	beside string // what stands here, where it is not the route's own figures
	cells  []cell
}

type cell struct {
	text string
	tone tone
}

// heading is that of the rows' names.
func (t table) heading() string { return firstOf(t.rowsOf, "route") }

// The names of rows that stand below a route's own.
const (
	predictedLabel    = "predicted"
	notPredictedLabel = "not predicted"
	offLabel          = "off by" // of the prediction
	seedLabel         = "as published"
)

// withoutEmptyColumns drops the columns in which no row has a text.
func (t table) withoutEmptyColumns() table {
	kept := t
	kept.columns, kept.rows = nil, slices.Clone(t.rows)
	for i := range kept.rows {
		kept.rows[i].cells = nil
	}
	for c, col := range t.columns {
		if !slices.ContainsFunc(t.rows, func(r row) bool { return r.cells[c].text != "" }) {
			continue
		}
		kept.columns = append(kept.columns, col)
		for i := range t.rows {
			kept.rows[i].cells = append(kept.rows[i].cells, t.rows[i].cells[c])
		}
	}
	return kept
}

const columnGap = 2

// draw chooses the first layout that fits: a row per route; the route's name in
// a line of its own above its figures; a line per figure.
func (t table) draw(width int, p palette) string {
	t = t.withoutEmptyColumns()
	var b strings.Builder
	if t.title != "" {
		b.WriteString(p.paint(toneTitle, wrap(t.title, width, "")) + "\n")
	}
	beside := func(r row) string {
		if r.beside != "" {
			return "  " + r.beside
		}
		return r.route
	}
	above := func(r row) string {
		if r.beside != "" {
			return "  " + r.beside
		}
		return ""
	}
	switch {
	case t.width(beside) <= width:
		t.grid(&b, beside, false, width, p)
	case t.width(above) <= width:
		t.grid(&b, above, true, width, p)
	default:
		t.list(&b, width, p)
	}
	if t.note != "" {
		b.WriteString(p.paint(toneQuiet, wrap(t.note, width, "")) + "\n")
	}
	return b.String()
}

// widths returns how wide the labels and each column have to be.
func (t table) widths(label func(row) string) (labels int, columns []int) {
	labels = lipgloss.Width(t.heading())
	columns = make([]int, len(t.columns))
	for c, col := range t.columns {
		columns[c] = lipgloss.Width(col.name)
	}
	for _, r := range t.rows {
		labels = max(labels, lipgloss.Width(label(r)))
		for c, cl := range r.cells {
			columns[c] = max(columns[c], lipgloss.Width(cl.text))
		}
	}
	for _, g := range t.groups() {
		if g.name == "" {
			continue
		}
		// The heading is followed by a bit of its rule.
		if missing := lipgloss.Width(g.name) + 2 - g.span(columns); missing > 0 {
			columns[g.last] += missing
		}
	}
	return labels, columns
}

func (t table) width(label func(row) string) int {
	labels, columns := t.widths(label)
	for _, w := range columns {
		labels += columnGap + w
	}
	return labels
}

// group is a run of columns under one heading.
type group struct {
	name        string
	first, last int
}

func (t table) groups() []group {
	var gs []group
	for c, col := range t.columns {
		if n := len(gs); n > 0 && col.group != "" && gs[n-1].name == col.group {
			gs[n-1].last = c
			continue
		}
		gs = append(gs, group{col.group, c, c})
	}
	return gs
}

func (g group) span(columns []int) int {
	sum := columnGap * (g.last - g.first)
	for _, w := range columns[g.first : g.last+1] {
		sum += w
	}
	return sum
}

// grid draws a row per route. With named, each route's name is in a line of its
// own above.
func (t table) grid(b *strings.Builder, label func(row) string, named bool, width int, p palette) {
	labels, columns := t.widths(label)
	gap := strings.Repeat(" ", columnGap)
	line := func(tn tone, s string) {
		b.WriteString(p.paint(tn, strings.TrimRight(s, " ")) + "\n")
	}

	if slices.ContainsFunc(t.columns, func(c column) bool { return c.group != "" }) {
		s := strings.Repeat(" ", labels)
		for _, g := range t.groups() {
			fill := " "
			if g.name != "" {
				fill = "─"
			}
			heading := g.name
			if free := g.span(columns) - lipgloss.Width(g.name); g.name != "" {
				heading += " " + strings.Repeat(fill, free-1)
			} else {
				heading = strings.Repeat(fill, free)
			}
			s += gap + heading
		}
		line(toneQuiet, s)
	}

	s := pad(t.heading(), labels, true)
	for c, col := range t.columns {
		s += gap + pad(col.name, columns[c], false)
	}
	line(toneHead, s)
	line(toneQuiet, strings.Repeat("─", t.width(label)))

	for _, r := range t.rows {
		if named && r.beside == "" {
			line(tonePlain, fit(r.route, width))
		}
		s := pad(label(r), labels, true)
		for c, cl := range r.cells {
			text := pad(cl.text, columns[c], false)
			if r.beside == "" {
				text = p.paint(cl.tone, text)
			}
			s += gap + text
		}
		if r.beside != "" {
			line(toneQuiet, s)
			continue
		}
		line(tonePlain, s)
	}
}

// list draws a line per figure, for terminals that have room for nothing else.
func (t table) list(b *strings.Builder, width int, p palette) {
	names := 0
	for _, col := range t.columns {
		names = max(names, lipgloss.Width(col.title()))
	}
	for _, r := range t.rows {
		tn, indent := tonePlain, "  "
		if r.beside != "" {
			tn, indent = toneQuiet, "    "
			b.WriteString(p.paint(tn, "  "+r.beside) + "\n")
		} else {
			b.WriteString(fit(r.route, width) + "\n")
		}
		for c, cl := range r.cells {
			if cl.text == "" {
				continue
			}
			text := indent + pad(t.columns[c].title(), names, true) + "  " + cl.text
			b.WriteString(p.paint(tn, wrap(strings.ReplaceAll(text, "  ", glue+glue), width, indent+"  ")) + "\n")
		}
	}
}

// pad fills s with spaces to so many columns.
func pad(s string, width int, left bool) string {
	fill := strings.Repeat(" ", max(width-lipgloss.Width(s), 0))
	if left {
		return s + fill
	}
	return fill + s
}

// fit cuts s to so many columns.
func fit(s string, width int) string {
	if lipgloss.Width(s) <= width {
		return s
	}
	head, _ := cut(s, width-1)
	return head + "…"
}
