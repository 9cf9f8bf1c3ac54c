package pghold

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Holder is who holds a pool's connections now: all holds of one route and call
// site together.
type Holder struct {
	Route  string
	Site   Site
	Count  int           // of connections
	Oldest time.Duration // how long the oldest of these holds has lasted
	// Doing is what the oldest is doing: in a statement, in a slow call with its
	// line, or silent since the line of its last statement.
	Doing string
}

// String is the holder in a line: "12 held by GET /checkout, app.go:88, oldest
// 29.1 s, now in POST api.example.com/v1/charges at charge.go:41".
func (h Holder) String() string {
	route := h.Route
	if route == "" {
		route = "no route"
	}
	return fmt.Sprintf("%d held by %s, %s, oldest %s s, now %s", h.Count, route, h.Site,
		strconv.FormatFloat(h.Oldest.Seconds(), 'f', 1, 64), h.Doing)
}

// Holders returns who holds the pool's connections now, those with the most first.
func (p *Pool) Holders() []Holder {
	type place struct {
		route string
		site  Site
	}
	groups := map[place]*Holder{}
	for _, h := range p.recorder.openHolds(p) {
		key := place{h.Route, h.Site}
		g := groups[key]
		if g == nil {
			g = &Holder{Route: h.Route, Site: h.Site}
			groups[key] = g
		}
		g.Count++
		if h.Held >= g.Oldest {
			g.Oldest, g.Doing = h.Held, doing(h)
		}
	}
	var all []Holder
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Holder) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.Oldest, a.Oldest), cmp.Compare(a.Route, b.Route))
	})
	return all
}

func doing(h Hold) string {
	if h.Running {
		return "in a statement"
	}
	for _, c := range h.SlowCalls {
		if c.Open {
			return fmt.Sprintf("in %s at %s", c.What, c.Site)
		}
	}
	return fmt.Sprintf("silent since %s", h.last)
}
