package experiment

import "time"

// Curve is what a route does over a range of rates, each under a load that lasts.
type Curve struct {
	Name   string // of the case
	Points []RatePoint
	// Knee is the rate at which the route breaks, in requests per second: 0 where it
	// does at any, infinite where it does at none.
	Knee float64
	// Why says by what, where it breaks at any rate.
	Why string
	// Asked is the rate that was asked about.
	Asked         float64
	ClientTimeout time.Duration
}

// RatePoint is what a route does at one rate.
type RatePoint struct {
	Rate         float64 // requests per second
	SuccessRatio float64
	P99          time.Duration
}
