package report

import (
	"slices"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// tables are the figures of a result that are worth showing, for every form of
// report.
func tables(r *experiment.Result) []table {
	return slices.DeleteFunc(allTables(r), func(t table) bool { return !t.known })
}

func allTables(r *experiment.Result) []table {
	if r.Service != nil {
		return []table{attackTable(r), outcomeTable(r), wireTable(r), gapTable(r), runsTable(r)}
	}
	return []table{attackTable(r), outcomeTable(r), timeTable(r), requestTable(r), updateTable(r), killedTable(r), silentTable(r), sidesTable(r), runsTable(r)}
}

// besideSeed reports whether the seed's figures may stand beside a route's, and
// returns them.
func besideSeed(r *experiment.Result, rr *experiment.RouteResult) *experiment.RouteResult {
	if r.Kind == experiment.Published || !r.SettingsOf(rr).SameQuestion(experiment.Seed().Settings) {
		return nil
	}
	return experiment.Seed().Route(rr.Name)
}

// withOthers makes a row for each route, and below it those of its prediction and of its
// counterpart in the seed, where there are such.
func withOthers(r *experiment.Result, cells func(rr *experiment.RouteResult, observed bool) []cell) []row {
	var rows []row
	for i := range r.Routes {
		rr := &r.Routes[i]
		own := row{route: printable.Line(rr.Name), cells: cells(rr, r.Kind != experiment.Published)}
		rows = append(rows, own)
		predicted := func(shown *experiment.RouteResult) []cell { return attackPredicted(cells(shown, true), rr.Predicted) }
		rows = append(rows, predictedRows(rr, own, predicted, attackOff)...)
		if s := besideSeed(r, rr); s != nil {
			rows = append(rows, row{route: own.route, beside: seedLabel, cells: cells(s, false)})
		}
	}
	return rows
}

// attackTable is what vegeta saw from outside and pg_stat_activity from inside.
func attackTable(r *experiment.Result) table {
	t := table{
		name: "attack", known: true,
		columns: []column{
			{name: "success"}, {name: "throughput"},
			{group: "latency", name: "p50"}, {group: "latency", name: "p99"}, {group: "latency", name: "max"},
			{group: "connections", name: "max"}, {group: "connections", name: "silent"},
		},
		rows: withOthers(r, func(rr *experiment.RouteResult, observed bool) []cell {
			cells := []cell{{text: words.None}, {text: words.None}, {text: words.None}, {text: words.None}, {text: words.None}}
			if rr.Requests > 0 {
				cells = []cell{
					{words.Ratio(rr.SuccessRatio), successTone(rr.SuccessRatio)}, {text: words.PerSecond(rr.Throughput)},
					{text: words.Seconds(rr.Latency.P50)}, {text: words.Seconds(rr.Latency.P99)}, {text: words.Seconds(rr.Latency.Max)},
				}
			}
			switch {
			case r.Service != nil && rr.Wire == nil: // what the server saw was of all routes at once
				return append(cells, cell{}, cell{})
			case !observed:
				return append(cells, cell{}, cell{})
			case rr.Requests == 0:
				return append(cells, cell{text: words.None}, cell{text: words.None})
			}
			return append(cells, cell{text: plainInt(rr.Connections.Max)}, cell{text: plainInt(rr.Connections.MaxSilentInTransaction)})
		}),
	}
	if r.Kind != experiment.Published {
		t.note = "silent: the most connections that were at one moment in a transaction without running a statement."
	}
	t.note += predictedNote(r)
	if slices.ContainsFunc(t.rows, func(r row) bool { return r.beside == seedLabel }) {
		t.note += " " + seedLabel + ": the experiment's author, with FastAPI and SQLAlchemy."
	}
	return t
}

func successTone(ratio float64) tone {
	switch {
	case ratio >= 1:
		return toneGood
	case ratio < 0.99:
		return toneBad
	}
	return tonePlain
}

// outcomeTable is what became of the requests.
func outcomeTable(r *experiment.Result) table {
	t := table{
		name: "outcomes", known: true,
		title: "What became of the requests",
		note:  "took: from the first request to the last answer or time-out.",
		columns: []column{
			{name: "answered"}, {name: "took"},
			{name: "client timeout"}, {name: "pool timeout"}, {name: "rejected"}, {name: "error"},
		},
	}
	rejected := false
	for i := range r.Routes {
		rr := &r.Routes[i]
		took := words.None
		if rr.Requests > 0 && rr.Elapsed > 0 {
			took = words.Seconds(rr.Elapsed)
		}
		t.rows = append(t.rows, row{route: printable.Line(rr.Name), cells: []cell{
			{text: answered(rr)}, {text: took},
			{text: unlessZero(rr.Outcomes.ClientTimeout)}, {text: unlessZero(rr.Outcomes.PoolTimeout)},
			{text: unlessZero(rr.Outcomes.Rejected)}, {text: unlessZero(rr.Outcomes.Error)},
		}})
		rejected = rejected || rr.Outcomes.Rejected > 0
	}
	if rejected {
		t.note += " rejected: too many requests were in flight, and the answer was 429."
	}
	return t
}

// answered says how many requests were answered, of how many.
func answered(rr *experiment.RouteResult) string {
	if rr.Requests == 0 {
		return "no request"
	}
	return plainInt(rr.Outcomes.OK) + " of " + plainInt(rr.Requests)
}

func unlessZero(n int) string {
	if n == 0 {
		return ""
	}
	return plainInt(n)
}
