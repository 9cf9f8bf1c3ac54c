package report

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

const predictionsTitle = "Of the predictions"

// predictedRows are those below a route's own: what was predicted of it, and by how much
// that is off. cells are of a route's figures, off of how far they are off.
func predictedRows(rr *experiment.RouteResult, own row, cells func(*experiment.RouteResult) []cell, off func(*experiment.Prediction) []cell) []row {
	switch p := rr.Predicted; {
	case p != nil:
		return []row{
			{route: own.route, beside: predictedLabel, cells: cells(asResult(rr, p))},
			{route: own.route, beside: offLabel, cells: off(p)},
		}
	case rr.NotPredicted != "":
		return []row{{route: own.route, beside: notPredictedLabel, cells: slices.Repeat([]cell{{text: words.None}}, len(own.cells))}}
	}
	return nil
}

// asResult are the predicted figures of a route, in the form of those measured.
func asResult(rr *experiment.RouteResult, p *experiment.Prediction) *experiment.RouteResult {
	shown := &experiment.RouteResult{
		Name: rr.Name, Route: rr.Route, Requests: rr.Requests,
		SuccessRatio: p.SuccessRatio, Throughput: p.Throughput, Updates: p.Updates,
		Connections: experiment.Connections{Max: p.Connections.Max, MaxSilentInTransaction: p.Connections.MaxSilentInTransaction},
	}
	shown.Latency.P50, shown.Latency.P99, shown.Latency.Max = p.Latency["p50"], p.Latency["p99"], p.Latency["max"]
	return shown
}

// attackPredicted are cells of attackTable, with none for the latencies that are not
// predicted.
func attackPredicted(cells []cell, p *experiment.Prediction) []cell {
	for c, name := range attackLatencies {
		if _, said := p.Latency[name]; !said {
			cells[2+c].text = words.None
		}
	}
	return cells
}

// attackLatencies are the columns of latencies in attackTable, from the third on.
var attackLatencies = []string{"p50", "p99", "max"}

// attackOff are the cells of attackTable that say how far a prediction is off.
func attackOff(p *experiment.Prediction) []cell {
	return []cell{
		offRatio(p, "success_ratio", "pp"), offRatio(p, "throughput_per_s", "%"),
		offRatio(p, "latency_s.p50", "%"), offRatio(p, "latency_s.p99", "%"), offRatio(p, "latency_s.max", "%"),
		offCount(p, "connections.max"), offCount(p, "connections.max_silent_in_transaction"),
	}
}

// updatesOff are those of updateTable.
func updatesOff(p *experiment.Prediction) (cells []cell) {
	for _, name := range []string{"recorded", "lost", "retries", "calls", "calls_repeated"} {
		cells = append(cells, offCount(p, "updates."+name))
	}
	return cells
}

func offRatio(p *experiment.Prediction, path, unit string) cell {
	v, known := p.Error[path]
	if !known {
		return cell{text: words.None}
	}
	return cell{text: words.Change(v, unit)}
}

func offCount(p *experiment.Prediction, path string) cell {
	v, known := p.Error[path]
	switch {
	case !known || !words.Finite(v):
		return cell{text: words.None}
	case v == 0:
		return cell{text: "0"}
	}
	text := strconv.FormatFloat(v, 'f', -1, 64)
	if v > 0 {
		text = "+" + text
	}
	return cell{text: text}
}

// predictedNote explains the rows, where there are some.
func predictedNote(r *experiment.Result) string {
	if !slices.ContainsFunc(r.Routes, func(rr experiment.RouteResult) bool { return rr.Predicted != nil }) {
		return ""
	}
	return " " + predictedLabel + ": by the model of pghold plan, from the settings and from what this run measured" + overheads(r.Overheads) +
		"; none of it is fitted to the result. " + offLabel + ": predicted less measured, in per cent of the measured; success in percentage points (pp), connections in connections."
}

// overheads are what the predictions take from the run, as a part of a sentence.
func overheads(o *experiment.Overheads) string {
	if o == nil {
		return ""
	}
	var told, untold []string
	for _, part := range []struct {
		what, more string
		d          time.Duration
	}{
		{"a round trip to the database", "", o.Statement}, {"a connect", "", o.Connect},
		{"a request", " beside these", o.Request}, {"a slow call", " too long", o.Call},
		{"a handover of a connection to who waits", "", o.Handover},
	} {
		if part.d == 0 {
			untold = append(untold, part.what)
			continue
		}
		told = append(told, part.what+" "+words.Seconds(part.d)+part.more)
	}
	if len(told) > 0 {
		told[0] = "medians of its routes: " + told[0]
	}
	text := " (" + strings.Join(append(told, "how late requests were sent, by how much calls differed"), ", ")
	if len(untold) > 0 {
		text += "; it does not tell of " + strings.Join(untold, ", ") + ": no time is taken for that"
	}
	return text + ")"
}

// predictionNotes say of routes why there is no prediction, or one that does not fit:
// what is said of several, once.
func predictionNotes(r *experiment.Result) (notes []conclusion) {
	for _, rr := range r.Routes {
		text := ""
		switch p := rr.Predicted; {
		case p != nil && p.Note != "":
			text = p.Note
		case p == nil && rr.NotPredicted != "":
			text = "it is not predicted, because " + rr.NotPredicted
		default:
			continue
		}
		text = shorten(printable.Line(text), 1000) + "."
		name := shorten(printable.Line(rr.Name), longestError)
		if i := slices.IndexFunc(notes, func(c conclusion) bool { return c.sentence == text }); i >= 0 {
			notes[i].routes += ", " + name
			continue
		}
		notes = append(notes, conclusion{name, text})
	}
	return notes
}
