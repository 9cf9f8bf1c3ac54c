package chart

import (
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Panel is one of several routes in one picture.
type Panel struct {
	Name      string // the route's
	Words     string // a line about it
	Checkouts []experiment.Checkout
	// As in Options.
	ClientsGone time.Duration
	MaxWaiting  int
	InFlight    []experiment.Request
}

// LanesBeside draws the lanes of several routes beside each other on the same axes,
// with a legend.
func LanesBeside(panels []Panel, o Options) string {
	const gap, above = 28, 50
	all := make([]*holds, len(panels))
	end, height := 0.0, 0.0
	marks := Connections()
	for i, p := range panels {
		po := o
		po.Name, po.ClientsGone, po.MaxWaiting, po.InFlight = p.Name, p.ClientsGone, p.MaxWaiting, p.InFlight
		all[i] = newHolds(p.Checkouts, po)
		o.Waiting = max(o.Waiting, all[i].maxWaiting)
		end = max(end, timeEnd(all[i].end, o))
		height = max(height, all[i].height())
		if p.InFlight != nil {
			marks = Transactions()
		}
	}
	c := newCanvas(o.width(), above+lanesTop+height+lanesBottom+30)
	each := (c.w - 40 - gap*float64(len(panels)-1)) / float64(max(len(panels), 1))
	var names, descs []string
	for i, l := range all {
		x := 20 + float64(i)*(each+gap)
		l.o.Waiting = o.Waiting
		c.text(x, 24, atStart, "b", cut(panels[i].Name, each))
		c.text(x, 42, atStart, "q", cut(panels[i].Words, each))
		l.draw(c, x, above, each, end)
		names = append(names, panels[i].Name)
		descs = append(descs, panels[i].Name+": "+panels[i].Words+". "+l.desc())
	}
	legend(c, 20, c.h-24, marks)
	return c.picture("Connections over time: "+strings.Join(names, " and "), strings.Join(descs, " "), o)
}

// legend writes marks and their words in a line.
func legend(c *canvas, x, y float64, marks []Mark) {
	for _, m := range marks {
		m.swatch(c, x, y)
		c.text(x+18, y+11, atStart, "q", m.Words)
		x += 18 + textWidth(m.Words) + 14
	}
}
