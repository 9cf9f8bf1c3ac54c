package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Beside predicts a route that was measured. Where the model cannot say anything about
// it, there is no prediction, and unknown says why.
//
// What overheads a question of FromRun has are the run's own, measured and not fitted:
// none was chosen to make the prediction come true. A latency that is made of them for the
// greater part is not predicted: they are medians over the run's routes, and each has its
// own.
func (q Question) Beside(measured *experiment.RouteResult) (_ *experiment.Prediction, unknown string) {
	switch {
	case measured.Requests == 0:
		return nil, "no request was sent"
	case len(q.Route.Steps) == 0:
		return nil, "this pghold does not know what the route does"
	case !q.Route.Calls() && q.Model.Overheads.Statement == 0:
		return nil, "the route does nothing but talk to its database, and the run does not tell how long that takes"
	}
	bare := q
	bare.Model.Overheads = Overheads{}
	predicted, err := q.predict(Replications)
	if err != nil {
		return nil, "the model failed: " + err.Error()
	}
	settingsAlone, err := bare.predict(Replications)
	if err != nil {
		return nil, "the model failed: " + err.Error()
	}
	p := experiment.NewPrediction(measured, predicted)
	var notes, unsaid []string
	alone := experiment.NewPrediction(measured, settingsAlone).Latency
	for _, name := range slices.Sorted(maps.Keys(p.Latency)) {
		if d := p.Latency[name]; d == 0 || alone[name] < d/2 {
			p.Unsay(name)
			unsaid = append(unsaid, name)
		}
	}
	switch {
	case len(p.Latency) == 0:
		notes = append(notes, "no latency is predicted, because it is"+ofOverheads)
	case slices.Equal(unsaid, []string{"min"}): // that is no figure of a report
	case len(unsaid) > 0:
		notes = append(notes, "of the latency "+strings.Join(unsaid, ", ")+" are not predicted, because they are"+ofOverheads)
	}
	p.Note = strings.Join(append(notes, q.hangsOnMilliseconds(measured, predicted, p)...), "; ")
	return p, ""
}

const ofOverheads = " for the greater part what this machine takes for statements and requests"

// hangsOnMilliseconds says of figures that are off whether a machine that is a little
// slower or faster would have done what was measured.
func (q Question) hangsOnMilliseconds(measured, predicted *experiment.RouteResult, p *experiment.Prediction) (notes []string) {
	var others []*experiment.RouteResult
	for _, f := range checked {
		k := Check{Measured: f.of(measured), Tolerance: f.tolerance}
		k.Error = f.of(predicted) - k.Measured
		if k.Measured != 0 {
			k.Error /= k.Measured
		}
		_, said := p.Latency[f.name]
		if rate := f.name == "throughput" || f.name == "success"; !k.Missed() || !rate && !said {
			continue
		}
		if others == nil {
			var err error
			if others, err = nearby(q.Case, q.Model); err != nil {
				return nil
			}
		}
		low, high := f.of(predicted), f.of(predicted)
		for _, o := range others {
			low, high = min(low, f.of(o)), max(high, f.of(o))
		}
		explains := k.Measured >= low*(1-f.tolerance) && k.Measured <= high*(1+f.tolerance)
		if !explains || high-low <= f.tolerance*k.Measured {
			continue
		}
		show := func(v float64) string { return words.Short(time.Duration(v * float64(time.Second))) }
		switch f.name {
		case "throughput":
			show = func(v float64) string { return words.Rounded(v) + "/s" }
		case "success":
			show = func(v float64) string { return words.Rounded(100*v) + " %" }
		}
		notes = append(notes, fmt.Sprintf("%s hangs on milliseconds: with up to %s more or less in each request and call, %s to %s is predicted",
			f.name, words.Short(wobble), show(low), show(high)))
	}
	return notes
}
