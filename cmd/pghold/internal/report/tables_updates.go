package report

import (
	"strconv"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// requestTable is what a request did with the database. It is worth drawing where
// that is the question: not for the seed's routes, unless the database is some way
// off.
func requestTable(r *experiment.Result) table {
	t := table{
		name:  "requests",
		title: "What a request did with the database, on average",
		note: "A request that got no connection counts with nothing. statements: BEGIN, COMMIT and ROLLBACK count where they travel alone. " +
			"round trips: those of preparing statements count, those of opening connections do not.",
		columns: []column{{name: "checkouts"}, {name: "statements"}, {name: "round trips"}},
	}
	asked, known := false, false
	for i := range r.Routes {
		rr := &r.Routes[i]
		group := rr.Of().Group
		asked = asked || group != "" && group != "seed" || r.SettingsOf(rr).Distance > 0
		known = known || rr.PerRequest != (experiment.PerRequest{})
		cells := []cell{{text: words.None}, {text: words.None}, {text: words.None}}
		if p := rr.PerRequest; rr.Requests > 0 && p != (experiment.PerRequest{}) {
			cells[0].text, cells[1].text = mean(p.Checkouts), mean(p.Statements)
			if p.RoundTrips > 0 {
				cells[2].text = mean(p.RoundTrips)
			}
		}
		t.rows = append(t.rows, row{route: printable.Line(rr.Name), cells: cells})
	}
	t.known = asked && known
	return t
}

// mean shows how many of something there were on average.
func mean(v float64) string {
	if !words.Finite(v) {
		return words.None
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// updateTable is what became of the updates, of the routes that make some.
func updateTable(r *experiment.Result) table {
	t := table{
		name:  "updates",
		title: "What became of the updates",
		note: "recorded: committed. lost: of these, overwritten by another, so that the balance does not show them. " +
			"retries: of writes that found the row changed, or taken. calls repeated: for an update that had made one before.",
		columns: []column{{name: "recorded"}, {name: "lost"}, {name: "retries"}, {name: "calls"}, {name: "calls repeated"}},
	}
	for i := range r.Routes {
		rr := &r.Routes[i]
		if rr.Updates != nil {
			own := row{route: printable.Line(rr.Name), cells: updateCells(rr)}
			t.rows = append(t.rows, own)
			if p := rr.Predicted; p != nil && p.Updates != nil {
				t.rows = append(t.rows, predictedRows(rr, own, updateCells, updatesOff)...)
			}
		}
	}
	t.known = len(t.rows) > 0
	return t
}

func updateCells(rr *experiment.RouteResult) []cell {
	u := rr.Updates
	return []cell{
		{text: plainInt(u.Recorded)}, harm(u.Lost), {text: plainInt(u.Retries)},
		{text: plainInt(u.Calls)}, {text: plainInt(u.CallsRepeated)},
	}
}

// killedTable is what was found after the process had been killed.
func killedTable(r *experiment.Result) table {
	t := table{
		name:  "killed",
		title: "After the process was killed",
		note: "Killed so many times in the middle of updates, started again, and given the time to recover. " +
			"paid, not recorded: the provider was paid and the database does not know it. " +
			"What was begun and neither paid nor recorded may simply be sent again.",
		columns: []column{
			{name: "kills"}, {name: "begun"}, {name: "recorded"}, {name: "lost"},
			{group: "paid", name: "not recorded"}, {group: "paid", name: "twice"}, {name: "calls repeated"},
		},
	}
	for i := range r.Routes {
		rr := &r.Routes[i]
		if u := rr.Updates; u != nil && u.Killed != nil {
			k := u.Killed
			t.rows = append(t.rows, row{route: printable.Line(rr.Name), cells: []cell{
				{text: plainInt(k.Kills)}, {text: plainInt(k.Begun)}, {text: plainInt(k.Recorded)}, harm(k.Lost),
				harm(k.PaidNotRecorded), harm(k.PaidTwice), {text: plainInt(k.CallsAgain)},
			}})
		}
	}
	t.known = len(t.rows) > 0
	return t
}

// harm counts what should not have happened.
func harm(n int) cell {
	if n == 0 {
		return cell{text: "0"}
	}
	return cell{plainInt(n), toneBad}
}
