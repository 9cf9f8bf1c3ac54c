package report

import (
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// runsTable is how far the runs of a route were apart. It is worth drawing where some
// route was run more than once.
func runsTable(r *experiment.Result) table {
	t := table{
		name:  "runs",
		title: "How far the runs were apart",
		note:  "The lowest and the highest of the runs of each route. \"pghold report A B\" compares two results by all of them.",
		columns: []column{
			{name: "runs"}, {group: "success", name: "low"}, {group: "success", name: "high"},
			{group: "throughput", name: "low"}, {group: "throughput", name: "high"},
			{group: "latency p50", name: "low"}, {group: "latency p50", name: "high"},
			{group: "latency p99", name: "low"}, {group: "latency p99", name: "high"},
		},
	}
	for i := range r.Routes {
		rr := &r.Routes[i]
		t.known = t.known || len(rr.Repeats) > 1
		runs := rr.Runs()
		cells := []cell{{text: plainInt(len(runs))}}
		between := func(show func(float64) string, of func(experiment.Figures) float64) {
			vs := make([]float64, len(runs))
			for i, f := range runs {
				vs[i] = of(f)
			}
			cells = append(cells, cell{text: show(slices.Min(vs))}, cell{text: show(slices.Max(vs))})
		}
		inSeconds := func(v float64) string { return words.Seconds(time.Duration(v)) }
		between(words.Ratio, func(f experiment.Figures) float64 { return f.SuccessRatio })
		between(words.PerSecond, func(f experiment.Figures) float64 { return f.Throughput })
		between(inSeconds, func(f experiment.Figures) float64 { return float64(f.Latency.P50) })
		between(inSeconds, func(f experiment.Figures) float64 { return float64(f.Latency.P99) })
		if rr.Requests == 0 {
			for c := range cells {
				cells[c].text = words.None
			}
		}
		t.rows = append(t.rows, row{route: printable.Line(rr.Name), cells: cells})
	}
	return t
}
