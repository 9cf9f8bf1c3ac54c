package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/lab"
	"github.com/pghold/pghold/report"
	"github.com/pghold/pghold/report/live"
)

// web is the page that shows a run while it runs; nil where there is none.
type web struct {
	page   *live.Page
	routes int
}

// startWeb serves the page and says where. That it cannot be served is no reason not
// to run.
func startWeb(s streams, routes int) *web {
	page, err := live.Start("pghold lab", report.Style(), report.Legend())
	if err != nil {
		fmt.Fprintf(s.err, "There is no page to watch the run on: %v\n", err)
		return nil
	}
	fmt.Fprintf(s.err, "Watch it at %s\n", page.URL())
	return &web{page: page, routes: routes}
}

// show is told how the run goes.
func (w *web) show(p lab.Progress) {
	if w == nil {
		return
	}
	id := cardID(p.Case)
	w.page.Status(fmt.Sprintf("%d of %d: %s, %s. %s", p.Number, w.routes, runName(p), round(p.Elapsed), counts(p)))
	if p.Done != nil {
		w.page.Finish(id, func(out io.Writer) error { return card(out, p) })
		return
	}
	w.page.Show(id, func(out io.Writer) error { return card(out, p) })
}

func card(out io.Writer, p lab.Progress) error {
	result, trace := p.SoFar()
	return report.Card(out, report.CardData{
		Name: p.Case.Name, Settings: p.Case.Settings, Result: result, Trace: trace,
		Running: p.Done == nil, Elapsed: p.Elapsed, Small: true,
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

// end puts the report of the run's folder in place of the cards.
func (w *web) end(r *experiment.Result, dir string) {
	if w == nil {
		return
	}
	html, err := htmlReport(r, dir)
	if err != nil {
		w.page.Status("The report could not be drawn: " + err.Error())
		return
	}
	_, body, _ := strings.Cut(html, "<body>")
	body, _, _ = strings.Cut(body, "</body>")
	w.page.End([]byte(body))
}

func htmlReport(r *experiment.Result, dir string) (string, error) {
	traces, err := report.LoadTraces(dir, r)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = report.HTML(&b, r, traces)
	return b.String(), err
}

func (w *web) close() {
	if w != nil {
		w.page.Close()
	}
}
