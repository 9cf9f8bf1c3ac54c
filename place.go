package pghold

import "github.com/pghold/pghold/internal/callsite"

// place is a line of the application that takes connections or sends statements, or
// makes slow calls, as the recorder knows it.
type place struct {
	callsite.Place

	// Of a place that takes connections, guarded by the lock of its shard: which line
	// sends the first statement, the most frames of a stack that it took to find the
	// line of a statement (0: none has been sent), and the series of the last hold.
	first      firstLine
	statements uint8
	last       lastSeries
}

// firstLine says which line sends the first statement of the holds of a stack. It is
// looked at once: whether the call that takes the connection goes on to send a
// statement itself, as QueryRow of a pool and Begin do, does not change.
type firstLine uint8

const (
	unknownLine firstLine = iota
	sameLine              // that takes the connection
	anotherLine           // or others: it is looked at each time
)

// newPlace is nil where of is: the place was not found.
func newPlace(of *callsite.Place) *place {
	if of == nil {
		return nil
	}
	return &place{Place: *of}
}

func (p *place) site() Site { return Site(p.Site) }

// frames is how many frames of a stack it takes to find the place, at most as many as a
// stack has.
func (p *place) frames() uint8 {
	if p.Depth == 0 {
		return uint8(len(stack{}))
	}
	return uint8(min(p.Depth, len(stack{})))
}

// sends tells which place has sent a statement in a hold of p.
func (p *place) sends(statement *place, first bool) {
	p.statements = max(p.statements, statement.frames())
	switch {
	case !first:
	case statement.Site != p.Site:
		p.first = anotherLine
	case p.first == unknownLine:
		p.first = sameLine
	}
}

// lastSeries is a short cut to the series of a pool and route.
type lastSeries struct {
	pool     *Pool
	route    string
	intended bool
	series   *Series // nil where there was none yet
}
