package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/report"
)

// selection is a table: some figures of some cases of a result.
type selection struct {
	first   string // the head of the rows' names
	rows    func(*experiment.Result) []string
	columns []column
}

// column is a figure (see report.Figure) of the case that is called as the row, or as
// of says, in which * stands for the row.
type column struct{ head, figure, of string }

const differ = "settings.differ" // the only column that is words

var (
	served = []column{
		{"success", "attack.success", ""}, {"p50", "attack.latency: p50", ""}, {"p99", "attack.latency: p99", ""},
		{"held", "time.held", ""}, {"connections", "attack.connections: max", ""}, {"silent in transaction", "attack.connections: silent", ""},
	}
	trips = []column{
		{"checkouts", "requests.checkouts", ""}, {"statements", "requests.statements", ""}, {"round trips", "requests.round trips", ""},
	}
)

// tables are all of the guide's, by their name.
var tables = map[string]selection{
	// What a route did for its clients, and with its connections.
	"service": {"route", all, served},
	// What a request costs in round trips, of the routes that all requests get through.
	"trips": {"route", outside, trips},

	"updates": {"route", all, []column{
		{"success", "attack.success", ""}, {"throughput", "attack.throughput", ""}, {"p50", "attack.latency: p50", ""},
		{"recorded", "updates.recorded", ""}, {"lost", "updates.lost", ""}, {"retries", "updates.retries", ""},
		{"calls", "updates.calls", ""}, {"of these repeated", "updates.calls repeated", ""},
	}},
	"killed": {"route", all, []column{
		{"begun", "killed.begun", ""}, {"recorded", "killed.recorded", ""}, {"paid, not recorded", "killed.paid: not recorded", ""},
		{"paid twice", "killed.paid: twice", ""}, {"calls repeated", "killed.calls repeated", ""},
	}},

	"begin": {"database away", variants("read_autocommit"), []column{
		{"held: BEGIN alone", "time.held", "read_begin_alone@*"}, {"held: BEGIN with it", "time.held", "read_autobegin@*"}, {"held: no BEGIN", "time.held", "read_autocommit@*"},
		{"answers: BEGIN alone", "attack.throughput", "read_begin_alone@*"}, {"answers: BEGIN with it", "attack.throughput", "read_autobegin@*"}, {"answers: no BEGIN", "attack.throughput", "read_autocommit@*"},
	}},

	"guards": {"variant", variants("async_session_sleep_inside_session"), append([]column{
		{"set", differ, "async_session_sleep_inside_session@*"}}, bothLoads...)},
	"pools": {"pool", variants("async_session_sleep_inside_session"), bothLoads},
	"guarded_update": {"route", only("update_in_one_transaction@idle_in_transaction_timeout"), []column{
		{"answered", "outcomes.answered", ""}, {"error", "outcomes.error", ""}, {"calls", "updates.calls", ""}, {"recorded", "updates.recorded", ""},
	}},

	"bouncer": {"route", all, []column{
		{"success", "attack.success", ""}, {"throughput", "attack.throughput", ""}, {"p50", "attack.latency: p50", ""},
		{"wait for the pool", "time.pool wait", ""}, {"SQL", "time.SQL", ""}, {"held", "time.held", ""},
		{"server connections", "attack.connections: max", ""}, {"silent in transaction", "attack.connections: silent", ""},
	}},
}

// bothLoads are figures under the load given and under the one that lasts.
var bothLoads = []column{
	{"5 s: answered", "outcomes.answered", "async_session_sleep_inside_session@*"},
	{"p50", "attack.latency: p50", "async_session_sleep_inside_session@*"},
	{"30 s: answered", "outcomes.answered", "async_session_sleep_inside_session@*_lasting"},
	{"per second", "attack.throughput", "async_session_sleep_inside_session@*_lasting"},
	{"p50", "attack.latency: p50", "async_session_sleep_inside_session@*_lasting"},
}

// all are a result's cases.
func all(r *experiment.Result) (rows []string) {
	for _, rr := range r.Routes {
		rows = append(rows, rr.Name)
	}
	return rows
}

// outside are those that hold no connection through a slow call.
func outside(r *experiment.Result) (rows []string) {
	for _, rr := range r.Routes {
		if !rr.Of().HoldsThroughCall() {
			rows = append(rows, rr.Name)
		}
	}
	return rows
}

func only(names ...string) func(*experiment.Result) []string {
	return func(*experiment.Result) []string { return names }
}

// variants are those of a route, without the load that lasts.
func variants(route string) func(*experiment.Result) []string {
	return func(r *experiment.Result) (rows []string) {
		for _, rr := range r.Routes {
			if v, is := strings.CutPrefix(rr.Name, route+"@"); is && !strings.HasSuffix(v, "_lasting") {
				rows = append(rows, v)
			}
		}
		return rows
	}
}

// table writes a table of a group's result as Markdown.
func (m *maker) table(group, name string) (string, error) {
	t, is := tables[name]
	if !is {
		return "", fmt.Errorf("there is no table %q", name)
	}
	r, err := m.result(group)
	if err != nil {
		return "", err
	}
	lines := [][]string{{t.first}, {":--"}}
	for _, c := range t.columns {
		rule := "--:"
		if c.figure == differ {
			rule = ":--"
		}
		lines[0], lines[1] = append(lines[0], c.head), append(lines[1], rule)
	}
	for _, row := range t.rows(r) {
		cells := []string{"`" + row + "`"}
		for _, c := range t.columns {
			of := row
			if c.of != "" {
				of = strings.ReplaceAll(c.of, "*", row)
			}
			text, err := report.Figure(r, of, c.figure)
			if err != nil {
				return "", err
			}
			cells = append(cells, plain(text))
		}
		lines = append(lines, cells)
	}
	if len(lines) == 2 {
		return "", fmt.Errorf("%s has no row for it", group)
	}
	var b strings.Builder
	for cells := range slices.Values(lines) {
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	return b.String(), nil
}
