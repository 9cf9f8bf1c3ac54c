package report

import (
	_ "embed"
	"html/template"
	"io"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/report/chart"
)

// HTML writes a result as one page that needs nothing else: no network, no script.
// traces are what its pictures are drawn of, by RouteResult.Name; a route without one
// has no pictures.
func HTML(w io.Writer, r *experiment.Result, traces map[string]*experiment.Trace) error {
	all, each := differences(r)
	errs, others := commonErrors(r)
	p := page{
		Style: template.CSS(Style()), Legend: template.HTML(legendOf(r)),
		Origin: origin(r), Settings: settingsParts(r), Warnings: warnings(r), Command: r.Command(), Meaning: Meaning(r),
		DiffersTitle: differsTitle, PredictionsTitle: predictionsTitle, Other: others,
	}
	p.Interrupted, p.NotValid = endedEarly(r), notValid(r)
	if len(r.Routes) == 0 {
		p.NoRoutes = noRoutesText
	}
	axes := axesOf(r, traces)
	for i := range r.Routes {
		rr := &r.Routes[i]
		shown := newCard(CardData{
			Name: rr.Name, Settings: r.SettingsOf(rr), Result: rr, Trace: traces[rr.Name], Axes: axes,
		})
		if r.Beside(rr) {
			shown.NoTrace = "Which connections were used for it the wire does not say: those of all routes are under “" + experiment.Together + "”."
		}
		p.Cards = append(p.Cards, shown)
	}
	p.Many = len(p.Cards) > 4
	p.times(r)
	if len(r.Routes) > 0 {
		for _, t := range tables(r) {
			p.Tables = append(p.Tables, newPageTable(t))
		}
	}
	if all != "" {
		p.Differs = append(p.Differs, figureIn{differsForAll, all})
	}
	for _, d := range each {
		p.Differs = append(p.Differs, figureIn{shorten(d.route, longestError), d.words})
	}
	for _, n := range predictionNotes(r) {
		p.Predictions = append(p.Predictions, figureIn{n.routes, n.sentence})
	}
	p.list(intervalsTitle, intervalsOf(r))
	p.list(conclusionsTitle, conclusions(r))
	if r.Service != nil {
		p.First, p.Lists = p.Lists, nil
	}
	for _, e := range errs {
		p.Errors = append(p.Errors, figureIn{plainInt(e.count), e.text})
	}
	return pageTemplate.Execute(w, p)
}

// page is what the template of a page shows.
type page struct {
	Style                                  template.CSS
	Legend                                 template.HTML
	Origin, Meaning, Interrupted, NoRoutes string
	NotValid                               string
	Cards                                  []card
	Many                                   bool // more cards than two rows of two
	Times, TimesLegend                     template.HTML
	Tables                                 []pageTable
	DiffersTitle, PredictionsTitle         string
	Differs, Predictions, Errors           []figureIn
	First, Lists                           []pageList // what follows, and where means are
	Other                                  int        // texts of errors
	Warnings, Settings                     []string
	Command                                string
}

// pageList is a list of sentences about routes.
type pageList struct {
	Title string
	Items []figureIn
}

// list adds a list where there is something to list.
func (p *page) list(title string, cs []conclusion) {
	l := pageList{Title: title}
	for _, c := range cs {
		l.Items = append(l.Items, figureIn{c.routes, c.sentence})
	}
	if len(cs) > 0 {
		p.Lists = append(p.Lists, l)
	}
}

// times draws where the time went, where some route has such times.
func (p *page) times(r *experiment.Result) {
	var rows []chart.TimeRow
	for _, rr := range r.Routes {
		if rr.Time != (experiment.TimeSplit{}) {
			rows = append(rows, chart.TimeRow{Name: printable.Line(rr.Name), TimeSplit: rr.Time})
		}
	}
	if len(rows) == 0 {
		return
	}
	p.Times = template.HTML(chart.Times(rows, chart.Options{}))
	var b strings.Builder
	legend(&b, "Time", chart.Waits(), "")
	p.TimesLegend = template.HTML(b.String())
}

// pageTable is a table as the template wants it.
type pageTable struct {
	Title, Note string
	Groups      []pageGroup // the upper line of the header; empty where there is none
	Columns     []pageColumn
	Rows        []pageRow
}

type pageGroup struct {
	Name string
	Span int
}

// pageColumn has its name, and its name where it stands alone.
type pageColumn struct{ Name, Title string }

// pageRow is a route's row, or one with its figures from elsewhere: as published.
type pageRow struct {
	Label  string
	Beside bool
	Cells  []pageCell
}

type pageCell struct{ Column, Text, Class string }

func newPageTable(t table) pageTable {
	t = t.withoutEmptyColumns()
	shown := pageTable{Title: firstOf(t.title, "Result"), Note: strings.TrimSpace(t.note)}
	for _, c := range t.columns {
		shown.Columns = append(shown.Columns, pageColumn{c.name, c.title()})
	}
	grouped := false
	for _, g := range t.groups() {
		grouped = grouped || g.name != ""
		shown.Groups = append(shown.Groups, pageGroup{g.name, g.last - g.first + 1})
	}
	if !grouped {
		shown.Groups = nil
	}
	for _, r := range t.rows {
		row := pageRow{Label: shorten(r.route, longestError), Beside: r.beside != ""}
		if row.Beside {
			row.Label = r.beside
		}
		for c, cl := range r.cells {
			class := toneClass(cl.tone)
			if row.Beside {
				class = ""
			}
			row.Cells = append(row.Cells, pageCell{t.columns[c].title(), cl.text, class})
		}
		shown.Rows = append(shown.Rows, row)
	}
	return shown
}

//go:embed page.css
var pageStyle string

// Style is the CSS of pages and cards, for light and dark and for paper.
func Style() string { return chart.Variables(":root") + chart.Style() + pageStyle }

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.Must(cardTemplate.Clone()).New("page").Parse(pageSource))
