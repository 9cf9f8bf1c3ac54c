package main

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
	"github.com/pghold/pghold/cmd/pghold/internal/report/live"
)

// web is the page that shows a run while it runs; nil where there is none.
type web struct {
	page     *live.Page
	routes   int
	axes     report.Axes // of all cards
	finished []lab.Progress
}

// startWeb serves the page and says where. That it cannot be served is no reason not
// to run.
func startWeb(s streams, cases []experiment.Case) *web {
	page, err := live.Start("pghold lab", report.Style(), report.Legend())
	if err != nil {
		fmt.Fprintf(s.err, "There is no page to watch the run on: %v\n", err)
		return nil
	}
	fmt.Fprintf(s.err, "Watch it at %s\n", page.URL())
	return &web{page: page, routes: len(cases), axes: report.PlannedAxes(cases)}
}

// show is told how the run goes.
func (w *web) show(p lab.Progress) {
	if w == nil {
		return
	}
	id := cardID(p.Case)
	w.page.Status(fmt.Sprintf("%d of %d: %s, %s. %s", p.Number, w.routes, runName(p), round(p.Elapsed), counts(p)))
	w.finished = slices.DeleteFunc(w.finished, func(f lab.Progress) bool { return f.Case.Name == p.Case.Name })
	if p.Done == nil {
		axes := w.axes
		w.page.Show(id, func(out io.Writer) error { return card(out, p, axes) })
		return
	}
	w.finished = append(w.finished, p)
	axes := w.axes.With(p.SoFar())
	drawn := w.finished
	if axes.Equal(w.axes) { // else the cards before are drawn again, on longer axes
		drawn = w.finished[len(w.finished)-1:]
	}
	w.axes = axes
	for _, f := range drawn {
		w.page.Finish(cardID(f.Case), func(out io.Writer) error { return card(out, f, axes) })
	}
}

func card(out io.Writer, p lab.Progress, axes report.Axes) error {
	result, trace := p.SoFar()
	return report.Card(out, report.CardData{
		Name: p.Case.Name, Settings: p.Case.Settings, Result: result, Trace: trace,
		Running: p.Done == nil, Elapsed: p.Elapsed, Axes: axes, Small: true,
	})
}

// cardID is the card's in the page: names may have characters that an id should not.
func cardID(c experiment.Case) string {
	return "card-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, strings.ToLower(c.Name))
}

// end puts the report in place of the cards, or the reason why there is none.
func (w *web) end(html []byte, err error) {
	if w == nil {
		return
	}
	if err != nil {
		w.page.End(fmt.Appendf(nil, `<main><h1>pghold lab</h1><p class="alert">%s</p></main>`, template.HTMLEscapeString(sentence(err))))
		return
	}
	_, body, _ := bytes.Cut(html, []byte("<body>"))
	body, _, _ = bytes.Cut(body, []byte("</body>"))
	w.page.End(body)
}

// sentence is an error as one: with a capital and a full stop.
func sentence(err error) string {
	text := []rune(err.Error())
	return strings.ToUpper(string(text[:1])) + string(text[1:]) + "."
}

func (w *web) close() {
	if w != nil {
		w.page.Close()
	}
}
