package experiment_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Of a service nobody knows what its pool is and how long its requests waited for it: there is
// nothing of that in its result, and nothing else is lost.
func TestWriteResult_OfAService(t *testing.T) {
	q := experiment.Quantiles{Min: 1e9, Mean: 2e9, P50: 3e9, P90: 4e9, P95: 5e9, P99: 6e9, Max: 7e9}
	ratio := 0.5
	own := experiment.RouteResult{
		Name: "GET /a", Elapsed: 8e9, DrainedAfter: 9e9, Latency: q, StatusCodes: map[string]int{"200": 1}, SilentRatio: &ratio,
		Holds:       experiment.Holds{Count: 3, Held: q, BusyRatio: 0.5, SilentInTransaction: 1e9},
		Connections: experiment.Connections{Max: 2, SilentInTransaction: 1e9}, Wire: &experiment.Wire{Gaps: []experiment.GapGroup{}},
	}
	own.Repeats = []experiment.Figures{own.Figures(), own.Figures()}
	r := &experiment.Result{
		Kind: experiment.Measured, Settings: experiment.Defaults(), Warnings: []string{},
		Service: &experiment.Service{Attacks: []experiment.Attacked{}, Together: true},
		Routes:  []experiment.RouteResult{own, {Name: "GET /b", StatusCodes: map[string]int{}}},
	}
	r.Settings.Postgres = "15.18"
	for _, upstream := range []bool{false, true} {
		r.Service.Upstream = upstream
		var b bytes.Buffer
		if err := experiment.WriteResult(&b, r); err != nil {
			t.Fatal(err)
		}
		back, err := experiment.ReadResult(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, back); d != "" {
			t.Errorf("as it was -, as it is read +\n%s", d)
		}
		var doc struct {
			Settings map[string]any
			Routes   []map[string]any
		}
		if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		want := []string{"client_timeout_s", "duration_s", "postgres", "rate_per_s"}
		if upstream {
			want = append(want, "slow_s", "slow_shape")
		}
		if got := slices.Sorted(maps.Keys(doc.Settings)); !slices.Equal(got, want) {
			t.Errorf("its settings are %q, want %q", got, want)
		}
		holds, _ := doc.Routes[0]["holds"].(map[string]any)
		if got, want := slices.Sorted(maps.Keys(holds)), []string{"busy_ratio", "count", "held_s", "silent_in_transaction_s"}; !slices.Equal(got, want) {
			t.Errorf("of its holds there are %q, want %q", got, want)
		}
		for _, name := range []string{`"time_s"`, `"per_request"`, `"wait_s"`, `"max_waiting"`} {
			if strings.Contains(b.String(), name) {
				t.Errorf("%s is in\n%s", name, b.String())
			}
		}
		for _, name := range []string{"holds", "connections"} {
			if _, has := doc.Routes[1][name]; has {
				t.Errorf("a route beside others has %s", name)
			}
		}
	}
	for text, want := range map[string]bool{
		"GET /a.latency_s.p99==6": true, "GET /a.holds.count==3": true, "GET /a.elapsed_s==8": true,
		"GET /a.time_s.pool_wait<1": false, "GET /a.holds.max_waiting<1": false, "GET /b.connections.max<1": false,
	} {
		e, err := experiment.ParseExpectation(text)
		if err != nil {
			t.Fatal(err)
		}
		if met, got := e.Check(r); met != want || !want && got != "nothing: the result has no such figure" {
			t.Errorf("%s: %v, %s", text, met, got)
		}
	}
}
