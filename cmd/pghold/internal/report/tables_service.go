package report

import (
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// wireTable is what a service's transactions did.
func wireTable(r *experiment.Result) table {
	t := table{
		name:  "wire",
		title: "Transactions, as the database sees them",
		note: "took: from the statement that opened it to its end, as a mean. idle: the share of that in which no statement ran. " +
			"at once: the most that were open at a time. in flight: the most requests. A connection that is held outside of a transaction is not seen.",
		columns: []column{
			{name: "transactions"}, {name: "took"}, {name: "SQL"}, {name: "idle"}, {name: "at once"}, {name: "in flight"},
		},
	}
	for i := range r.Routes {
		rr := &r.Routes[i]
		w := rr.Wire
		if w == nil {
			continue
		}
		t.known = true
		cells := []cell{{text: plainInt(w.Transactions)}, {text: words.None}, {text: words.None}, {text: words.None}, {text: words.None}, {text: plainInt(w.MaxInFlight)}}
		if w.Transactions > 0 && rr.SilentRatio != nil {
			cells[1].text, cells[2].text = words.Seconds(rr.Holds.Held.Mean), words.Seconds(time.Duration(w.Busy))
			cells[3].text, cells[4].text = words.Ratio(*rr.SilentRatio), plainInt(w.MaxInTransaction)
		}
		t.rows = append(t.rows, row{route: printable.Line(rr.Name), cells: cells})
	}
	return t
}

// shownGaps is how many groups of gaps are shown of a route, and shortGaps how little time
// they must have together to be left out.
const (
	shownGaps = 3
	shortGaps = 100 * time.Millisecond
)

// gapTable is what its transactions waited for the service after.
func gapTable(r *experiment.Result) table {
	t := table{
		name:    "gaps",
		title:   "Idle in transaction, after which statement",
		rowsOf:  "route, statement",
		columns: []column{{name: "in all"}, {name: "gaps"}, {name: "p50"}, {name: "longest"}},
	}
	for i := range r.Routes {
		rr := &r.Routes[i]
		if rr.Wire == nil {
			continue
		}
		for n, g := range rr.Wire.Gaps {
			if n == shownGaps || time.Duration(g.Silent) < shortGaps {
				break
			}
			t.known = true
			name := printable.Line(rr.Name)
			if g.Route != "" {
				name += " (" + shorten(printable.Line(g.Route), 60) + ")"
			}
			t.rows = append(t.rows, row{route: name + ", " + printable.Line(watch.Shorten(g.After, 60)), cells: []cell{
				{text: words.Seconds(time.Duration(g.Silent))}, {text: plainInt(g.Count)}, {text: words.Seconds(time.Duration(g.P50))}, {text: words.Seconds(time.Duration(g.Longest))},
			}})
		}
	}
	return t
}
