package report

import (
	"errors"
	"io"
	"time"

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
	var panels []panel
	for _, rr := range routes {
		panels = append(panels, panel{r, rr, traces[rr.Name], printable.Line(rr.Name)})
	}
	return drawBeside(w, panels)
}

// PictureOfBoth writes an SVG file of what the connections of one route did in two results. Of
// the routes that both have, and whose folders have their checkouts, it is the one that was
// silent in transaction for longest.
func PictureOfBoth(w io.Writer, a, b Side, tracesA, tracesB map[string]*experiment.Trace) error {
	var both []panel
	for i := range a.Result.Routes {
		ra := &a.Result.Routes[i]
		rb, ta, tb := b.Result.Route(ra.Name), tracesA[ra.Name], tracesB[ra.Name]
		if rb == nil || ta == nil || tb == nil || ta.Checkouts == nil || tb.Checkouts == nil {
			continue
		}
		if both == nil || longest(ra, rb) > longest(both[0].route, both[1].route) {
			name := func(s Side) string { return shorten(printable.Line(s.Name), 60) + ": " + printable.Line(ra.Name) }
			both = []panel{{a.Result, ra, ta, name(a)}, {b.Result, rb, tb, name(b)}}
		}
	}
	if both == nil {
		return errors.New("there is nothing to draw: the two folders have the checkouts of no route that is in both (ROUTE.checkouts.csv)")
	}
	return drawBeside(w, both)
}

func longest(a, b *experiment.RouteResult) time.Duration {
	return max(a.Holds.SilentInTransaction, b.Holds.SilentInTransaction)
}

// panel is a route to be drawn beside another.
type panel struct {
	result *experiment.Result
	route  *experiment.RouteResult
	trace  *experiment.Trace
	name   string
}

func drawBeside(w io.Writer, panels []panel) error {
	o := chart.Options{Width: 860, Standalone: true}
	var drawn []chart.Panel
	for _, of := range panels {
		rr := of.route
		c := card{}
		c.figures(rr)
		p := chart.Panel{
			Name: of.name, Words: c.Summary, Checkouts: of.trace.Checkouts,
			ClientsGone: rr.Elapsed, MaxWaiting: rr.Holds.MaxWaiting,
		}
		lanes := of.result.SettingsOf(rr).Connections()
		if rr.Wire != nil {
			lanes, p.InFlight = rr.Connections.Max, of.trace.Requests
		}
		o.Lanes = max(o.Lanes, lanes)
		drawn = append(drawn, p)
	}
	_, err := io.WriteString(w, chart.LanesBeside(drawn, o)+"\n")
	return err
}
