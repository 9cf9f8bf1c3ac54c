package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestCompare_BeforeAndAfter(t *testing.T) {
	before, after := atOnce(), atOnce()
	after.Routes[1].Latency.P99, after.Routes[2].SuccessRatio = ms(2), 0.5
	ratio := 0.03
	after.Routes[2].SilentRatio, after.Routes[2].Holds.SilentInTransaction = &ratio, ms(1500)
	c := Compare(Side{"before", before}, Side{"after", after})
	want := []string{
		"GET /checkout/{n}: p99 9.548 s → 9.548 s, answered 100.0 % → 100.0 %",
		"GET /health: p99 4.00 ms → 2.00 ms, answered 100.0 % → 100.0 %",
		"all together: p99 9.548 s → 9.548 s, answered 100.0 % → 50.0 %, idle in transaction 99.9 % → 3.0 % (200.2 s → 1.500 s in all)",
	}
	for i, got := range c.sentences() {
		if i >= len(want) || got != want[i] {
			t.Errorf("got %s", got)
		}
	}
	// What the database saw of all together says nothing about one of them.
	for _, r := range c.Routes[:2] {
		if slices.ContainsFunc(r.Figures, func(f FigureComparison) bool { return f.Path == "connections.max" || f.Path == "holds.busy_ratio" }) {
			t.Errorf("%s has figures that are those of all", r.Name)
		}
	}
	// Of several runs the sentence has what the table has: the median.
	few := atOnce()
	for _, p99 := range []int{2, 9, 3} {
		f := few.Routes[1].Figures()
		f.Latency.P99 = ms(p99)
		few.Routes[1].Repeats = append(few.Routes[1].Repeats, f)
	}
	if got := Compare(Side{"before", before}, Side{"few", few}); !strings.HasPrefix(got.sentences()[1], "GET /health: p99 4.00 ms → 3.00 ms, ") {
		t.Errorf("of three runs: %s", got.sentences()[1])
	} else if notes := strings.Join(got.Notes, " "); !strings.Contains(notes, "(pghold prove --repeat)") || strings.Contains(notes, "lab") {
		t.Errorf("the notes are %q", notes)
	}
	after.Routes[0].NotValid = "It is not."
	if got := Compare(Side{"before", before}, Side{"after", after}).sentences(); !slices.Equal(got, want[1:]) {
		t.Errorf("of what is valid, beside a route that is not: %q", got)
	}
	if got := Compare(Side{"a", measured()}, Side{"b", measured()}).sentences(); got != nil {
		t.Errorf("of the lab: %q", got)
	}
}

// What is attacked differs, and not only the load.
func TestCompare_Services(t *testing.T) {
	a, b := atOnce(), atOnce()
	a.Service = &experiment.Service{Command: []string{"./a"}, Database: "a throwaway Postgres 15.18", Together: true, Attacks: []experiment.Attacked{
		{Name: "GET /health", Method: "GET", URL: "http://127.0.0.1:1/health"}, {Name: "GET /checkout/{n}", Method: "GET", URL: "http://127.0.0.1:1/checkout/1"},
	}}
	b.Service = &experiment.Service{Database: "database shop on db:5432, Postgres 17.2", Flags: []string{"--warm-up", "0s"}, Attacks: []experiment.Attacked{
		{Name: "GET /health", Method: "GET", URL: "http://127.0.0.1:1/health"}, {Name: "GET /checkout/{n}", Method: "POST", URL: "http://127.0.0.1:2/checkout/1", Body: 12},
	}}
	a.Settings.Postgres, b.Settings.Postgres = "15.18", "17.2"
	c := Compare(Side{"a", a}, Side{"b", b})
	var got []string
	for _, ch := range c.ForAll {
		got = append(got, ch.words())
	}
	want := []string{
		"Postgres 15.18 → Postgres 17.2", "service: ./a → one that ran already", "other flags: none → --warm-up 0s",
		"database: a throwaway Postgres → database shop on db:5432", "routes attacked alone, and then at once → one after the other",
	}
	if !slices.Equal(got, want) {
		t.Errorf("for all: got %q, want %q", got, want)
	}
	const attack = "GET http://127.0.0.1:1/checkout/1 → POST http://127.0.0.1:2/checkout/1 with 12 bytes"
	if got := c.Routes[0].changes(); got != attack {
		t.Errorf("of a route: %q", got)
	}
	if got := c.Routes[1].changes(); got != "" {
		t.Errorf("of a route that is attacked alike: %q", got)
	}
	var doc strings.Builder
	if err := c.JSON(&doc); err != nil {
		t.Fatal(err)
	}
	var j comparisonJSON
	if err := json.Unmarshal([]byte(doc.String()), &j); err != nil {
		t.Fatal(err)
	}
	names := func(all []changeJSON) (names []string) {
		for _, ch := range all {
			names = append(names, ch.Name)
		}
		return names
	}
	if got, of := names(j.Settings), names(j.Routes[0].Settings); !slices.Equal(got, []string{"postgres", "command", "flags", "database", "together"}) || !slices.Equal(of, []string{"postgres", "attack"}) {
		t.Errorf("as JSON: %q, and of a route %q", got, of)
	}
	b.Service, b.Settings = a.Service, a.Settings
	if c := Compare(Side{"a", a}, Side{"b", b}); len(c.ForAll) > 0 || c.unchanged() != "The settings are the same." {
		t.Errorf("nothing differs, but %+v", c.ForAll)
	}
	other := *a.Service
	other.Attacks = slices.Clone(other.Attacks)
	other.Attacks[0].URL += "?q=…"
	b.Service = &other
	if c := Compare(Side{"a", a}, Side{"b", b}); c.unchanged() != "The settings of all routes are the same." {
		t.Errorf("one route differs: %s", c.unchanged())
	}
}

// Errors of all routes at once are those of the routes.
func TestCommonErrors_OfAService(t *testing.T) {
	r := atOnce()
	r.Routes[0].Errors, r.Routes[2].Errors = map[string]int{"500": 3}, map[string]int{"500": 3}
	if got, _ := commonErrors(r); len(got) != 1 || got[0].count != 3 {
		t.Errorf("got %+v, want 3 times 500", got)
	}
}
