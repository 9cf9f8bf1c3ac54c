package plan

import (
	"fmt"
	"math"
	"time"
)

// LimitedWait is how long requests wait that wait no longer than D, by Queue.Patience.
type LimitedWait struct {
	Probability float64       // of having to wait at all
	TimedOut    float64       // the share of the requests that go away after D
	Mean        time.Duration // over all, those that go away among them

	// P(W>t) is (∫ e^{θu} du from t to D + e^{θD}/(cμ))·weight; e^{θD} is taken out of
	// everything where θ is above zero, since it may be too large for a float64.
	theta    float64 // λ-cμ, per second
	capacity float64 // cμ
	longest  float64 // D, s
	weight   float64
}

// Longer is P(W>t), the probability of waiting longer than t.
func (w LimitedWait) Longer(t time.Duration) float64 {
	if t >= seconds(w.longest) {
		return 0
	}
	return w.weight * w.tail(max(0, t).Seconds())
}

// Patience is the wait where everybody goes away who has waited for d, as with a pool's
// timeout, and holds are exponential (M/M/c+D). It holds at any load. Where holds are
// all alike it is right in an overload, and too pessimistic for loads about as high as
// the capacity: simulate there. S. Zeltyn and A. Mandelbaum, "Call Centers with
// Impatient Customers" (2005), doi 10.1007/s11134-005-3699-8, with H(x) = min(x, D).
func (q Queue) Patience(d time.Duration) (LimitedWait, error) {
	if err := q.validate(); err != nil {
		return LimitedWait{}, err
	}
	if d < 0 {
		return LimitedWait{}, fmt.Errorf("a patience of %v: a time cannot be negative", d)
	}
	w := LimitedWait{theta: q.Rate - q.Capacity(), capacity: q.Capacity(), longest: d.Seconds()}
	e := 1 / erlangB(q.Load(), q.Places-1)
	atEnd := 1.0 // e^{θD}, or what is left of it
	if w.theta > 0 {
		e *= math.Exp(-w.theta * w.longest)
	} else {
		atEnd = math.Exp(w.theta * w.longest)
	}
	j := w.tail(0)
	w.weight = q.Rate / (e + q.Rate*j)
	w.Probability = w.weight * j
	w.TimedOut = w.weight / w.capacity * atEnd
	w.Mean = seconds(w.weight * (w.moment() + w.longest*atEnd/w.capacity))
	return w, nil
}

// tail is ∫ e^{θu} du from t to D, + e^{θD}/(cμ).
func (w LimitedWait) tail(t float64) float64 {
	left := w.longest - t
	switch {
	case w.theta == 0:
		return left + 1/w.capacity
	case w.theta > 0:
		return -math.Expm1(-w.theta*left)/w.theta + 1/w.capacity
	}
	return math.Exp(w.theta*t)*math.Expm1(w.theta*left)/w.theta + math.Exp(w.theta*w.longest)/w.capacity
}

// moment is ∫ u·e^{θu} du from 0 to D.
func (w LimitedWait) moment() float64 {
	x, d := w.theta*w.longest, w.longest
	switch {
	case math.Abs(x) < 1e-3 && x > 0: // where the others lose their digits
		return d * d * (1.0/2 - x/6 + x*x/24)
	case math.Abs(x) < 1e-3:
		return d * d * (1.0/2 + x/3 + x*x/8)
	case x > 0:
		return d/w.theta + math.Expm1(-x)/(w.theta*w.theta)
	}
	return d*math.Exp(x)/w.theta - math.Expm1(x)/(w.theta*w.theta)
}
