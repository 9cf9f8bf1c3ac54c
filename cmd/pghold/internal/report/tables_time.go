package report

import (
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// timeTable is where the time of requests and connections went. It is worth
// drawing when some route has such times: the past's have none.
func timeTable(r *experiment.Result) table {
	t := table{
		name:  "time",
		title: "Where the time went, on average",
		note: "thread wait to slow call: per request that reached its handler's end, also where its client had left. " +
			"held: per connection taken, from checkout to release. busy: the share of it in which a statement ran.",
		columns: []column{
			{name: "thread wait"}, {name: "pool wait"}, {name: "SQL"}, {name: "slow call"},
			{name: "held"}, {name: "busy"},
		},
	}
	for i := range r.Routes {
		rr := &r.Routes[i]
		cells := []cell{{text: words.None}, {text: words.None}, {text: words.None}, {text: words.None}, {text: words.None}, {text: words.None}}
		if s := rr.Time; s != (experiment.TimeSplit{}) {
			t.known = true
			cells[0].text = threadWait(rr)
			for c, d := range []time.Duration{s.PoolWait, s.Busy, s.Slow} {
				cells[1+c].text = words.Seconds(d)
			}
		}
		if h := rr.Holds; h.Count > 0 {
			t.known = true
			cells[4].text, cells[5].text = words.Seconds(h.Held.Mean), words.SmallRatio(h.BusyRatio)
		}
		t.rows = append(t.rows, row{route: printable.Line(rr.Name), cells: cells})
	}
	return t
}

// silentTable sets what the app itself counted beside what the server's samples
// add up to. It is worth drawing when the server saw anything, and no sidesTable is drawn.
func silentTable(r *experiment.Result) table {
	t := table{
		name:    "silent",
		title:   "Silent in transaction, all connections together",
		note:    "Counted by the app itself, and sampled from pg_stat_activity. While an answer of the server's is on its way, the server is silent, and the app still counts SQL.",
		columns: []column{{name: "by the app"}, {name: "by the server"}, {name: "app/server"}},
	}
	ended := false
	for i := range r.Routes {
		rr := &r.Routes[i]
		if s := r.SettingsOf(rr); s.IdleInTransactionTimeout > 0 || s.TransactionTimeout > 0 {
			ended = true
		}
		app, server := rr.Holds.SilentInTransaction, rr.Connections.SilentInTransaction
		cells := []cell{{text: words.Seconds(app)}, {text: words.Seconds(server)}, {text: words.None}}
		if server >= time.Second { // less is a sample or two, which say nothing
			t.known = r.Kind != experiment.Predicted && rr.Sides == nil // there, one number is both
			cells[2].text = words.Ratio(app.Seconds() / server.Seconds())
		}
		t.rows = append(t.rows, row{route: printable.Line(rr.Name), cells: cells})
	}
	if ended {
		t.note += " Where the server ends a transaction that is silent for too long, the app counts on until its next statement tells it."
	}
	return t
}

// threadWait is the wait for a thread, where the route runs in threads.
func threadWait(rr *experiment.RouteResult) string {
	if !rr.Of().Sync && rr.Time.ThreadWait == 0 {
		return words.None
	}
	return words.Seconds(rr.Time.ThreadWait)
}
