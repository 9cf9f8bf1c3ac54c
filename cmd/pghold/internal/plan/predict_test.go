package plan

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// besides are the questions of a measured run, and its routes.
func besides(t *testing.T, group string) ([]Question, *experiment.Result) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "results", group+".json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := experiment.ReadResult(text)
	if err != nil {
		t.Fatal(err)
	}
	qs, err := FromRun(r)
	if err != nil {
		t.Fatal(err)
	}
	return qs, r
}

func TestQuestion_Beside(t *testing.T) {
	qs, r := besides(t, "seed")
	for i, q := range qs {
		rr := &r.Routes[i]
		p, unknown := q.Beside(rr)
		if p == nil {
			t.Fatalf("%s: not predicted: %s", rr.Name, unknown)
		}
		for _, path := range []string{"success_ratio", "throughput_per_s", "latency_s.p50", "latency_s.p99"} {
			if off, known := p.Error[path]; !known || math.Abs(off) > 0.03 {
				t.Errorf("%s: %s is off by %v", rr.Name, path, off)
			}
		}
		if p.Note != "" || len(p.Latency) != 7 {
			t.Errorf("%s: %d latencies, and a note %q where all fits", rr.Name, len(p.Latency), p.Note)
		}
	}
}

// A latency that the settings do not explain is not predicted, and the note says so.
func TestQuestion_Beside_latenciesThatAreOverheads(t *testing.T) {
	for group, want := range map[string]map[string]string{
		"trips":  {"read_autobegin@0ms": "", "read_autobegin@20ms": "max mean p50 p90 p95 p99"},
		"price":  {"update_outbox": "", "update_split_naive": "max mean min p50 p90 p95 p99"},
		"guards": {"async_session_sleep_inside_session@max_in_flight": "max mean p90 p95 p99"},
	} {
		qs, r := besides(t, group)
		for i, q := range qs {
			want, asked := want[q.Name]
			if !asked {
				continue
			}
			p, unknown := q.Beside(&r.Routes[i])
			if p == nil {
				t.Fatalf("%s: not predicted: %s", q.Name, unknown)
			}
			got := slices.Sorted(maps.Keys(p.Latency))
			if strings.Join(got, " ") != want {
				t.Errorf("%s: predicted latencies %v, want %q", q.Name, got, want)
			}
			// No report shows the least, so that it alone needs no note.
			if whole := len(got) == 7 || len(got) == 6 && !slices.Contains(got, "min"); whole == strings.Contains(p.Note, "predicted, because") {
				t.Errorf("%s: %d latencies and the note %q", q.Name, len(got), p.Note)
			}
		}
	}
}

func TestQuestion_Beside_saysWhatItCannot(t *testing.T) {
	qs, r := besides(t, "trips")
	for want, change := range map[string]func(*Question, *experiment.RouteResult){
		"no request was sent": func(_ *Question, rr *experiment.RouteResult) { rr.Requests = 0 },
		"does not know what the route does": func(q *Question, _ *experiment.RouteResult) {
			q.Route = experiment.Route{}
		},
		"does not tell how long that takes": func(q *Question, _ *experiment.RouteResult) { q.Model.Overheads = Overheads{} },
		"--rate must be above zero":         func(q *Question, _ *experiment.RouteResult) { q.Settings.Rate = 0 },
	} {
		q, rr := qs[0], r.Routes[0]
		change(&q, &rr)
		if p, unknown := q.Beside(&rr); p != nil || !strings.Contains(unknown, want) {
			t.Errorf("got %+v and %q, want none and %q", p, unknown, want)
		}
	}
}

// A figure that is off is explained where a little more or less overhead gives what was
// measured, and only there. The last 15 of the 240 successes are answered a quarter of a
// second before their clients leave, after 16 calls one behind the other: 15 ms more for
// each are too many.
func TestQuestion_Beside_hangsOnMilliseconds(t *testing.T) {
	qs, r := besides(t, "seed")
	q, rr := qs[3], r.Routes[3]
	rr.SuccessRatio, rr.Throughput = 0.45, 6.43 // 225 of 500
	for statement, want := range map[time.Duration]string{
		0: "",
		4 * time.Millisecond: "throughput hangs on milliseconds: with up to 10 ms more or less in each request and call, 6.43/s to 6.86/s is predicted; " +
			"success hangs on milliseconds: with up to 10 ms more or less in each request and call, 45 % to 48 % is predicted",
		16 * time.Millisecond: "", // it is what was measured
	} {
		q.Model.Overheads = Overheads{Statement: statement}
		p, unknown := q.Beside(&rr)
		if p == nil || p.Note != want {
			t.Errorf("statements of %v: got %+v, %s\nwant the note %q", statement, p, unknown, want)
		}
	}
	// Nothing near explains 195 of 500.
	q.Model.Overheads = Overheads{Statement: 4 * time.Millisecond}
	rr.SuccessRatio, rr.Throughput = 0.39, 5.57
	if p, _ := q.Beside(&rr); p.Note != "" {
		t.Errorf("a prediction far off is explained: %s", p.Note)
	}
	// 10 ms are nothing where a call takes 2 s.
	q, rr = qs[2], r.Routes[2]
	q.Model.Overheads = Overheads{}
	rr.Latency.P50, rr.Latency.P99 = 2110*time.Millisecond, 2110*time.Millisecond
	if p, _ := q.Beside(&rr); p.Note != "" || p.Error["latency_s.p50"] > -0.05 {
		t.Errorf("off by %v, which is explained: %s", p.Error["latency_s.p50"], p.Note)
	}
}
