package plan

import (
	"errors"
	"fmt"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// FromRun returns the cases of a measured run as questions, with its overheads. They keep
// its speed, which only a PgBouncer's patience hangs on: all else is in the experiment's
// own time.
func FromRun(r *experiment.Result) ([]Question, error) {
	switch {
	case r.Kind != experiment.Measured:
		return nil, fmt.Errorf("the result is %s, not measured: it does not tell what statements and calls cost", r.Kind)
	case len(r.Routes) == 0:
		return nil, errors.New("the result has no route")
	}
	var qs []Question
	for i := range r.Routes {
		rr := &r.Routes[i]
		route := rr.Of()
		if route.Name == "" {
			return nil, fmt.Errorf("the result has a route %q that this pghold does not know", rr.Name)
		}
		s := r.SettingsOf(rr)
		qs = append(qs, Question{Case: experiment.Case{Name: rr.Name, Route: route, Settings: s}, Model: Model{Overheads: CalibrateFor(r, rr)}})
	}
	return qs, nil
}
