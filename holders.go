package pghold

import (
	"cmp"
	"context"
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
	Of     int           // how many are held in all, on purpose too
	Oldest time.Duration // how long the oldest of these holds has lasted
	// Doing is what the oldest is doing: in a statement, in a slow call with its
	// line, at the line where its goroutine is, or else silent since the line of its
	// last statement.
	Doing string
}

// String is the holder in a line: "12 of 15 held by GET /checkout, app.go:88, oldest
// 29.1 s, now in net/http.(*Client).Do ← charge.go:41".
func (h Holder) String() string {
	route := h.Route
	if route == "" {
		route = "no route"
	}
	return fmt.Sprintf("%d of %d held by %s, %s, oldest %s, now %s", h.Count, h.Of, route, h.Site, inSeconds(h.Oldest), h.Doing)
}

// inSeconds writes a duration as people do in a sentence: "29.1 s".
func inSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s" }

// Holders returns who holds the pool's connections now, those with the most first, but
// not who holds one on purpose (Intend).
func (p *Pool) Holders() []Holder {
	type place struct {
		route string
		site  Site
	}
	groups := map[place]*Holder{}
	holds := p.recorder.openHolds(p)
	p.recorder.locate(holds)
	for _, h := range holds {
		if h.Intended {
			continue
		}
		key := place{h.Route, h.Site}
		g := groups[key]
		if g == nil {
			g = &Holder{Route: h.Route, Site: h.Site, Of: len(holds)}
			groups[key] = g
		}
		g.Count++
		if h.Held >= g.Oldest {
			g.Oldest, g.Doing = h.Held, h.Doing()
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

// HolderLines says who holds the pool's connections now, a line for each of Holders. A
// deadlock, and that the request of ctx itself holds one, are lines before these. It is
// for the texts of time-outs.
func (p *Pool) HolderLines(ctx context.Context) (lines []string) {
	holders := p.Holders()
	if n := p.deadlocked(); n > 0 {
		lines = append(lines, deadlockText(n, false))
	}
	if own, ok := p.OwnHold(ctx); ok {
		lines = append(lines, "this request holds one itself, taken at "+own.String())
	}
	for _, h := range holders {
		lines = append(lines, h.String())
	}
	return lines
}
