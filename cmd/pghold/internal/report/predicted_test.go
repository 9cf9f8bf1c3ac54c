package report

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Below what was measured of a route stand what was predicted of it and by how much that
// is off, and then what was published.
func TestTables_predictedStandsBelowMeasured(t *testing.T) {
	rows := map[string][][]string{}
	for _, r := range attackTable(predicted()).rows {
		line := []string{r.beside}
		for _, c := range r.cells {
			line = append(line, c.text)
		}
		rows[r.route] = append(rows[r.route], line)
	}
	want := map[string][][]string{
		"sync_session_sleep_inside_session": {
			{"", "48.0 %", "6.86/s", "30.00 s", "30.00 s", "30.00 s", "15", "15"},
			{"predicted", "45.0 %", "6.43/s", "29.00 s", "30.30 s", "30.00 s", "14", "16"},
			{"off by", "-3.0 pp", "-6.3 %", "-3.3 %", "+1.0 %", "0.0 %", "-1", "+1"},
			{"as published", "47.6 %", "6.80/s", "30.00 s", "30.00 s", "30.00 s", "", ""},
		},
		"async_session_sleep_outside_session": {
			{"", "100.0 %", "71.49/s", "2.003 s", "2.014 s", "2.031 s", "6", "1"},
			{"predicted", "100.0 %", "71.49/s", words.None, words.None, words.None, "6", "1"},
			{"off by", "0.0 pp", "0.0 %", words.None, words.None, words.None, "0", "0"},
			{"as published", "100.0 %", "71.49/s", "2.004 s", "2.102 s", "2.121 s", "", ""},
		},
		"async_session_sleep_inside_session": {
			{"", "48.0 %", "6.86/s", "30.00 s", "30.00 s", "30.00 s", "15", "15"},
			{"not predicted", words.None, words.None, words.None, words.None, words.None, words.None, words.None},
			{"as published", "48.0 %", "6.86/s", "30.00 s", "30.00 s", "30.00 s", "", ""},
		},
	}
	for route, want := range want {
		if diff := cmp.Diff(want, rows[route]); diff != "" {
			t.Errorf("%s: want -, got +\n%s", route, diff)
		}
	}
}

func TestTables_predictedUpdatesStandBelowMeasured(t *testing.T) {
	var got [][]string
	for _, r := range updateTable(predicted()).rows {
		line := []string{r.beside}
		for _, c := range r.cells {
			line = append(line, c.text)
		}
		got = append(got, line)
	}
	want := [][]string{{"", "500", "304", "11", "512", "12"}, {"predicted", "500", "300", "12", "512", "12"}, {"off by", "0", "-4", "+1", "0", "0"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

// What was predicted stands in no place of what was measured.
func TestPredicted_changesNothingElse(t *testing.T) {
	r := predicted()
	for _, rr := range r.Routes {
		got, err := Figure(r, rr.Name, "attack.success")
		if err != nil || got != words.Ratio(rr.SuccessRatio) {
			t.Errorf("%s: got %q, %v, want the measured %s", rr.Name, got, err, words.Ratio(rr.SuccessRatio))
		}
	}
	plain := measured()
	plain.Routes = append(plain.Routes, r.Routes[4])
	plain.Routes[4].Predicted = nil
	without := Compare(Side{"a", plain}, Side{"b", plain})
	with := Compare(Side{"a", r}, Side{"b", r})
	var texts [2]strings.Builder
	for i, c := range []*Comparison{without, with} {
		if err := c.Text(&texts[i], TextOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(texts[0].String(), texts[1].String()); diff != "" {
		t.Errorf("predictions change a comparison:\n%s", diff)
	}
}

// What several routes have in common is said once.
func TestPredictionNotes(t *testing.T) {
	r := predicted()
	r.Routes[0].Predicted.Note = r.Routes[2].Predicted.Note
	r.Routes[0].Predicted.Error = map[string]float64{"throughput_per_s": math.NaN(), "connections.max": math.Inf(1)}
	want := []conclusion{
		{r.Routes[0].Name + ", " + r.Routes[2].Name, "no latency is predicted, because it is what the machine takes."},
		{r.Routes[1].Name, "success hangs on milliseconds: with up to 10 ms more or less in each request, 42 % to 48 % is predicted."},
		{r.Routes[3].Name, "it is not predicted, because pghold was interrupted before it was predicted."},
	}
	if diff := cmp.Diff(want, predictionNotes(r), cmp.AllowUnexported(conclusion{})); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	if s := textOf(t, r, TextOptions{}); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
		t.Errorf("not a figure:\n%s", s)
	}
	// A result without predictions says nothing of them.
	if s := textOf(t, measured(), TextOptions{}); strings.Contains(s, "predicted") || strings.Contains(s, predictionsTitle) {
		t.Errorf("predictions where nobody asked:\n%s", s)
	}
}

func TestOverheads(t *testing.T) {
	for want, o := range map[string]*experiment.Overheads{
		"": nil,
		" (medians of its routes: a round trip to the database 176 µs, a connect 2.82 ms, a request 1.00 ms beside these, a slow call 553 µs too long, a handover of a connection to who waits 140 µs, how late requests were sent, by how much calls differed)": {
			Statement: us(176), Connect: us(2820), Request: ms(1), Call: us(553), Handover: us(140)},
		" (medians of its routes: a slow call 553 µs too long, how late requests were sent, by how much calls differed; it does not tell of a round trip to the database, a connect, a request, a handover of a connection to who waits: no time is taken for that)": {Call: us(553)},
		" (how late requests were sent, by how much calls differed; it does not tell of a round trip to the database, a connect, a request, a slow call, a handover of a connection to who waits: no time is taken for that)":                                        {},
	} {
		if got := overheads(o); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
