package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// predictedRoute is what a reader of result.json that is not ours would read.
type predictedRoute struct {
	figures
	Name      string `json:"name"`
	Predicted *struct {
		figures
		Error map[string]float64 `json:"error"`
	} `json:"predicted"`
}

type figures struct {
	Success    float64            `json:"success_ratio"`
	Throughput float64            `json:"throughput_per_s"`
	Latency    map[string]float64 `json:"latency_s"`
}

// Each error that is shown is that of the two figures in result.json.
func TestLab_Predict(t *testing.T) {
	t.Chdir(t.TempDir())
	status, out, stderr := pghold(t.Context(), quick(pgtest.DSN(t), "--predict", "--no-web", "--out", "run", outside, inside, "read_autocommit")...)
	if status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	text, err := os.ReadFile(filepath.Join("run", "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Routes    []predictedRoute   `json:"routes"`
		Overheads map[string]float64 `json:"overheads_s"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Routes) != 3 || r.Overheads["statement"] <= 0 {
		t.Fatalf("%d routes, a statement takes %v s: %s", len(r.Routes), r.Overheads["statement"], text)
	}
	for _, rr := range r.Routes {
		p := rr.Predicted
		if p == nil {
			t.Fatalf("%s is not predicted", rr.Name)
		}
		share := func(predicted, measured float64) float64 { return (predicted - measured) / measured }
		off := offRow(t, out, rr.Name)
		for _, f := range []struct {
			path  string
			shown string
			want  float64
		}{
			{"success_ratio", off[0], p.Success - rr.Success},
			{"throughput_per_s", off[1], share(p.Throughput, rr.Throughput)},
			{"latency_s.p50", off[2], share(p.Latency["p50"], rr.Latency["p50"])},
			{"latency_s.p99", off[3], share(p.Latency["p99"], rr.Latency["p99"])},
			{"latency_s.max", off[4], share(p.Latency["max"], rr.Latency["max"])},
		} {
			if name, latency := strings.CutPrefix(f.path, "latency_s."); latency && p.Latency[name] == 0 {
				if _, is := p.Error[f.path]; f.shown != "–" || is {
					t.Errorf("%s: %s is not predicted, and off by %s", rr.Name, f.path, f.shown)
				}
				continue
			}
			shown, err := strconv.ParseFloat(f.shown, 64)
			if err != nil || math.Abs(shown-100*f.want) > 0.0501 {
				t.Errorf("%s: %s is shown to be off by %s, and is by %.3f per cent", rr.Name, f.path, f.shown, 100*f.want)
			}
			if got, is := p.Error[f.path]; !is || math.Abs(got-f.want) > 1e-6 {
				t.Errorf("%s: %s is off by %v in the document, and is by %v", rr.Name, f.path, got, f.want)
			}
		}
	}
	// A route that answers as fast as the machine can has no latency to predict.
	if p := r.Routes[2].Predicted; len(p.Latency) != 0 || p.Throughput == 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), "no latency is predicted, because") {
		t.Errorf("read_autocommit: got %+v\n%s", p, out)
	}
	// Who makes a slow call takes no less, where the machine was fast enough to say.
	for name, s := range r.Routes[1].Predicted.Latency {
		if s < 2 {
			t.Errorf("%s: got a latency %s of %v s", inside, name, s)
		}
	}

	if status, again, err := pghold(t.Context(), "report", "run"); status != exitDone || again != out {
		t.Errorf("report: status %d: %s\n%s\nwant what lab printed:\n%s", status, err, again, out)
	}
	for format, wants := range map[string]map[string]int{
		"markdown": {"| *predicted* | ": 3, "| *off by* | ": 3, " --predict ": 1},
		"html":     {`<th scope="row">predicted</th>`: 3, `<th scope="row">off by</th>`: 3, " --predict ": 1},
		"json":     {`"predicted": {`: 3},
	} {
		status, shown, err := pghold(t.Context(), "report", "run", "--format", format)
		for want, times := range wants {
			if got := strings.Count(shown, want); status != exitDone || got != times {
				t.Errorf("report --format %s: status %d %s, %d times %q, want %d", format, status, err, got, want, times)
			}
		}
	}
	if status, shown, err := pghold(t.Context(), "report", "run", "run"); status != exitDone || strings.Contains(shown, "off by") {
		t.Errorf("report run run: status %d %s\n%s", status, err, shown)
	}
	expect := fmt.Sprintf("%s.predicted.error.throughput_per_s<%v", outside, r.Routes[0].Predicted.Error["throughput_per_s"])
	if status, _, err := pghold(t.Context(), "report", "run", "--expect", expect); status != exitFound || !strings.Contains(err, "missed: want") {
		t.Errorf("--expect %s: status %d %s", expect, status, err)
	}
}

// offRow has the numbers of the row that says how far a route's prediction is off.
func offRow(t *testing.T, text, route string) []string {
	t.Helper()
	row := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(route) + ` .*\n  predicted .*\n  off by (.*)$`).FindStringSubmatch(text)
	if row == nil {
		t.Fatalf("%s has no row of errors in\n%s", route, text)
	}
	cells := strings.Fields(strings.NewReplacer(" pp", "", " %", "").Replace(row[1]))
	if len(cells) != 7 {
		t.Fatalf("%s: %d errors in %q", route, len(cells), row[1])
	}
	return cells
}

// What is off is off from the run that is shown, whose files stay.
func TestLab_PredictAndRepeat(t *testing.T) {
	t.Chdir(t.TempDir())
	status, out, stderr := pghold(t.Context(), quick(pgtest.DSN(t), "--predict", "--repeat", "2", "--json", "--no-web", outside)...)
	if status != exitDone {
		t.Fatalf("status %d: %s", status, stderr)
	}
	r, err := experiment.ReadResult([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	rr := &r.Routes[0]
	if rr.Predicted == nil || len(rr.Repeats) != 2 {
		t.Fatalf("got %+v", rr)
	}
	if got, want := rr.Predicted.Error["throughput_per_s"], rr.Predicted.Throughput/rr.Throughput-1; math.Abs(got-want) > 1e-9 {
		t.Errorf("off by %v, want %v", got, want)
	}
}

func TestLab_PredictInterruptedShowsWhatThereIs(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var out output
	progress := &trigger{on: outside + ": ", do: cancel}
	status := run(ctx, quick(pgtest.DSN(t), "--predict", "--json", "--no-web", outside, inside), streams{&out, progress})
	if status != exitInterrupted {
		t.Fatalf("status %d, want %d: %s", status, exitInterrupted, progress.String())
	}
	r, err := experiment.ReadResult([]byte(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Interrupted || len(r.Routes) != 1 || r.Routes[0].Predicted == nil {
		t.Errorf("got %+v, want one route and its prediction", r)
	}
}

// Who has enough of predictions gets what was measured.
func TestPredict_endsWithItsContext(t *testing.T) {
	text, err := filepath.Abs(filepath.Join("..", "..", "docs", "results", "seed.json"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := rundir.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if predict(ctx, r) {
		t.Error("said to have finished")
	}
	for _, rr := range r.Routes {
		if rr.Predicted != nil || !strings.Contains(rr.NotPredicted, "interrupted") {
			t.Errorf("%s: got %+v, %q", rr.Name, rr.Predicted, rr.NotPredicted)
		}
	}
	// But a run that was interrupted itself has its predictions.
	r.Interrupted = true
	if !predict(ctx, r) || r.Routes[3].Predicted == nil || r.Routes[3].NotPredicted != "" {
		t.Errorf("an interrupted run: got %+v", r.Routes[3])
	}
	if !predict(ctx, &experiment.Result{Kind: experiment.Measured, Interrupted: true}) {
		t.Error("nothing to predict, and not finished with it")
	}
	// What this pghold does not know it does not predict.
	r.Routes[1].Name = "of_a_later_version"
	r.Routes[0].Predicted = nil
	if !predict(t.Context(), r) || !strings.Contains(r.Routes[0].NotPredicted, "of_a_later_version") {
		t.Errorf("got %q", r.Routes[0].NotPredicted)
	}
}
