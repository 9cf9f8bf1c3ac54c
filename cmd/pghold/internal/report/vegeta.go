package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// Vegeta writes each route of a run as vegeta report prints it, below a line
// with the route's name and in the order of the result. dir is the run's folder
// or its result file. The figures are computed from the vegeta files beside it.
//
// What does not print in the texts of errors is quoted; vegeta prints it.
func Vegeta(w io.Writer, dir string) error {
	r, err := rundir.Load(dir)
	if err != nil {
		return err
	}
	if len(r.Routes) == 0 {
		_, err := fmt.Fprintln(w, noRoutesText)
		return err
	}
	for i := range r.Routes {
		if r.Service != nil && r.Routes[i].Name == experiment.Together {
			continue // its requests are the others'
		}
		m, err := readMetrics(dir, r, &r.Routes[i])
		if err != nil {
			return err
		}
		gap := ""
		if i > 0 {
			gap = "\n"
		}
		if _, err := fmt.Fprintf(w, "%s%s\n", gap, printable.Line(r.Routes[i].Name)); err != nil {
			return err
		}
		if err := vegeta.NewTextReporter(m).Report(w); err != nil {
			return err
		}
	}
	return nil
}

// readMetrics reads a route's vegeta file.
func readMetrics(dir string, r *experiment.Result, rr *experiment.RouteResult) (*vegeta.Metrics, error) {
	var m vegeta.Metrics
	if err := rundir.Hits(dir, r, rr, m.Add); err != nil {
		return nil, err
	}
	m.Close()
	for i, text := range m.Errors {
		m.Errors[i] = quoteInLine(text)
	}
	return &m, nil
}

// quoteInLine quotes what does not print but leaves the lines of a text, and its tabs,
// so that what has none is printed exactly as vegeta does.
func quoteInLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
