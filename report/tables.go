package report

import (
	"time"

	"github.com/pghold/pghold/experiment"
)

// tables are the figures of a result, for every form of report.
func tables(r *experiment.Result) []table {
	ts := []table{attackTable(r), outcomeTable(r)}
	if t, known := timeTable(r); known {
		ts = append(ts, t)
	}
	if t, known := silentTable(r); known {
		ts = append(ts, t)
	}
	return ts
}

// besideSeed reports whether the seed's figures may stand beside the result's.
func besideSeed(r *experiment.Result) bool {
	return r.Kind != experiment.Published && r.Settings.SameQuestion(experiment.Seed().Settings)
}

// withSeed makes a row for each route, and one for its counterpart in the seed
// where there is one.
func withSeed(r *experiment.Result, cells func(rr *experiment.RouteResult, observed bool) []cell) []row {
	var rows []row
	for i := range r.Routes {
		rr := &r.Routes[i]
		rows = append(rows, row{route: clean(rr.Name), cells: cells(rr, r.Kind != experiment.Published)})
		if !besideSeed(r) {
			continue
		}
		if s := experiment.Seed().Route(rr.Name); s != nil {
			rows = append(rows, row{route: clean(rr.Name), seed: true, cells: cells(s, false)})
		}
	}
	return rows
}

// attackTable is what vegeta saw from outside and pg_stat_activity from inside.
func attackTable(r *experiment.Result) table {
	t := table{
		columns: []column{
			{name: "success"}, {name: "throughput"},
			{group: "latency", name: "p50"}, {group: "latency", name: "p99"}, {group: "latency", name: "max"},
			{group: "connections", name: "max"}, {group: "connections", name: "silent"},
		},
		rows: withSeed(r, func(rr *experiment.RouteResult, observed bool) []cell {
			cells := []cell{{text: none}, {text: none}, {text: none}, {text: none}, {text: none}}
			if rr.Requests > 0 {
				cells = []cell{
					{ratio(rr.SuccessRatio), successTone(rr.SuccessRatio)}, {text: perSecond(rr.Throughput)},
					{text: seconds(rr.Latency.P50)}, {text: seconds(rr.Latency.P99)}, {text: seconds(rr.Latency.Max)},
				}
			}
			switch {
			case !observed:
				return append(cells, cell{}, cell{})
			case rr.Requests == 0:
				return append(cells, cell{text: none}, cell{text: none})
			}
			return append(cells, cell{text: plainInt(rr.Connections.Max)}, cell{text: plainInt(rr.Connections.MaxSilentInTransaction)})
		}),
	}
	if r.Kind != experiment.Published {
		t.note = "silent: the most connections that were at one moment in a transaction without running a statement."
	}
	if besideSeed(r) {
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
		title: "What became of the requests",
		note:  "took: from the first request to the last answer or time-out.",
		columns: []column{
			{name: "answered"}, {name: "took"},
			{name: "client timeout"}, {name: "pool timeout"}, {name: "error"},
		},
	}
	for i := range r.Routes {
		rr := &r.Routes[i]
		took := none
		if rr.Requests > 0 && rr.Elapsed > 0 {
			took = seconds(rr.Elapsed)
		}
		t.rows = append(t.rows, row{route: clean(rr.Name), cells: []cell{
			{text: answered(rr)}, {text: took},
			{text: unlessZero(rr.Outcomes.ClientTimeout)}, {text: unlessZero(rr.Outcomes.PoolTimeout)}, {text: unlessZero(rr.Outcomes.Error)},
		}})
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

// timeTable is where the time of requests and connections went. It is worth
// drawing when some route has such times: the past's have none.
func timeTable(r *experiment.Result) (t table, known bool) {
	t = table{
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
		cells := []cell{{text: none}, {text: none}, {text: none}, {text: none}, {text: none}, {text: none}}
		if s := rr.Time; s != (experiment.TimeSplit{}) {
			known = true
			cells[0].text = threadWait(rr)
			for c, d := range []time.Duration{s.PoolWait, s.Busy, s.Slow} {
				cells[1+c].text = seconds(d)
			}
		}
		if h := rr.Holds; h.Count > 0 {
			known = true
			cells[4].text, cells[5].text = seconds(h.Held.Mean), smallRatio(h.BusyRatio)
		}
		t.rows = append(t.rows, row{route: clean(rr.Name), cells: cells})
	}
	return t, known
}

// silentTable sets what the app itself counted beside what the server's samples
// add up to. It is worth drawing when the server saw anything.
func silentTable(r *experiment.Result) (t table, known bool) {
	t = table{
		title:   "Silent in transaction, all connections together",
		note:    "Counted by the app itself, and sampled from pg_stat_activity.",
		columns: []column{{name: "by the app"}, {name: "by the server"}, {name: "app/server"}},
	}
	for i := range r.Routes {
		rr := &r.Routes[i]
		app, server := rr.Holds.SilentInTransaction, rr.Connections.SilentInTransaction
		cells := []cell{{text: seconds(app)}, {text: seconds(server)}, {text: none}}
		if server >= time.Second { // less is a sample or two, which say nothing
			known = true
			cells[2].text = ratio(app.Seconds() / server.Seconds())
		}
		t.rows = append(t.rows, row{route: clean(rr.Name), cells: cells})
	}
	return t, known
}

// threadWait is the wait for a thread, where the route runs in threads.
func threadWait(rr *experiment.RouteResult) string {
	for _, route := range experiment.Routes {
		if route.Name == rr.Name && !route.Sync {
			return none
		}
		if route.Name == rr.Name {
			return seconds(rr.Time.ThreadWait)
		}
	}
	if rr.Time.ThreadWait == 0 { // a route that this version does not know
		return none
	}
	return seconds(rr.Time.ThreadWait)
}
