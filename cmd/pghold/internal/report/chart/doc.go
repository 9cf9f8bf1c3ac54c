// Package chart draws what an experiment did, as SVG: the holds of connections over
// time and who waited for one (Lanes, and LanesBeside for several routes), the latency
// of each request (Latencies) and how latencies are distributed (Distribution), where
// the time of requests went (Times), and what a route does over a range of rates
// (Curve).
//
// Data in, text out: it reads no file and measures nothing. A picture is drawn at the
// width it is asked for, is of bounded size however much data there is, and says in
// words what it shows. Its colours are in Style, or in the picture itself where it
// is to stand alone; both know light and dark.
package chart

import (
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Options are how a picture is drawn. Pictures with the same ends of their axes can
// be compared.
type Options struct {
	// Name is what is shown, for the words of the picture. It may be from outside.
	Name string
	// Width of the drawing, from 240 to 2000 pixels. Default 400.
	Width int
	// Time is where the axis of time ends. Default where the data do.
	Time time.Duration
	// Latency is where the axis of latencies ends. Default where the data do, the
	// client timeout with them if they come near it.
	Latency time.Duration
	// ClientTimeout is drawn as a line in Latencies where it is within the axis.
	// Default none.
	ClientTimeout time.Duration
	// Lanes is how many lanes there are at least, used or not. Default none.
	Lanes int
	// Waiting is where the axis of waiters ends at least. Default 1.
	Waiting int
	// MaxWaiting is how many waited at once at most, where that was counted as it
	// happened. Default counted from the data, which may be one off.
	MaxWaiting int
	// InFlight are the requests to a service whose transactions are drawn as checkouts: the
	// number of requests under way is drawn above them, in place of those who wait for a
	// connection. Default none.
	InFlight []experiment.Request
	// Outcomes have a row in Distribution even where no request ended so. Default
	// none but those that occur, or OK.
	Outcomes []experiment.Outcome
	// Now is how far a route has come that still runs, and is drawn as a line. 0: it
	// has ended.
	Now time.Duration
	// ClientsGone is when the last client had its answer or had left. It is drawn as
	// a line in Lanes where connections were held for longer. Default none.
	ClientsGone time.Duration
	// MaxDots is how many dots Latencies draws at most; one for each outcome it
	// always does. Default 2000.
	MaxDots int
	// Standalone puts the style into the picture, for a file of its own, and what the
	// picture has use for of a legend and the name: the rows of Times have names, those
	// of Distribution their own marks. Default false: the page has Style, a legend and a
	// heading.
	Standalone bool
}

func (o Options) width() float64 {
	if o.Width == 0 {
		return 400
	}
	return float64(min(max(o.Width, 240), 2000))
}
