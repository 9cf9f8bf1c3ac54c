package report

import (
	"errors"
	"io"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/report/chart"
)

// Picture writes an SVG file of its own: what the connections of two routes did over
// time, beside each other. It is the pair that Meaning speaks of, the route that holds
// its connection first, or where there is none the first two with checkouts.
func Picture(w io.Writer, r *experiment.Result, traces map[string]*experiment.Trace) error {
	drawn := func(rr *experiment.RouteResult) bool {
		return rr != nil && traces[rr.Name] != nil && traces[rr.Name].Checkouts != nil
	}
	var routes []*experiment.RouteResult
	for _, sync := range []bool{false, true} {
		outside, inside := pair(r, sync)
		if drawn(outside) && drawn(inside) {
			routes = []*experiment.RouteResult{inside, outside}
			break
		}
	}
	for i := range r.Routes {
		if len(routes) < 2 && drawn(&r.Routes[i]) && (len(routes) == 0 || routes[0] != &r.Routes[i]) {
			routes = append(routes, &r.Routes[i])
		}
	}
	if len(routes) == 0 {
		return errors.New("there is nothing to draw: the run's folder has no file with the checkouts of a route (ROUTE.checkouts.csv); run pghold lab again")
	}
	o := chart.Options{Width: 860, Standalone: true}
	var panels []chart.Panel
	for _, rr := range routes {
		c := card{}
		c.figures(rr)
		p := chart.Panel{
			Name: printable.Line(rr.Name), Words: c.Summary, Checkouts: traces[rr.Name].Checkouts,
			ClientsGone: rr.Elapsed, MaxWaiting: rr.Holds.MaxWaiting,
		}
		lanes := r.SettingsOf(rr).Connections()
		if rr.Wire != nil {
			lanes, p.InFlight = rr.Connections.Max, traces[rr.Name].Requests
		}
		o.Lanes = max(o.Lanes, lanes)
		panels = append(panels, p)
	}
	_, err := io.WriteString(w, chart.LanesBeside(panels, o)+"\n")
	return err
}
