package plan

import (
	"fmt"
	"math"
	"time"
)

// Queue is a station that formulas are about: places, for which requests wait in the
// order in which they came. Requests come at random (Poisson), at any time as likely as
// at any other, and for ever, unless a formula says something else.
type Queue struct {
	// Rate is λ, how many requests come per second.
	Rate float64
	// Hold is h, how long a request has its place in the mean. 1/h is μ.
	Hold time.Duration
	// Places is c: connections, threads or cores.
	Places int
}

// Load is a = λh, the offered load in Erlangs: how many places would be in use in the
// mean if there were enough.
func (q Queue) Load() float64 { return q.Rate * q.Hold.Seconds() }

// Utilisation is ρ = a/c, the share of the places that is asked for. Above 1 it is an
// overload.
func (q Queue) Utilisation() float64 { return q.Load() / float64(q.Places) }

// Capacity is c/h, the most requests per second that can be served. Of several stations
// in a row, the one with the least is the bottleneck.
func (q Queue) Capacity() float64 { return float64(q.Places) / q.Hold.Seconds() }

// Little is how many are in a system in the mean, N = λW, where so many come per second
// and each stays that long in the mean. It holds for any system that is not growing:
// J. Little, "A Proof for the Queuing Formula L = λW" (1961), doi 10.1287/opre.9.3.383.
func Little(rate float64, stay time.Duration) (float64, error) {
	if err := positive(rate); err != nil {
		return 0, err
	}
	if stay < 0 {
		return 0, fmt.Errorf("a stay of %v: a time cannot be negative", stay)
	}
	return rate * stay.Seconds(), nil
}

// ErlangB is the share of the requests that find all places in use where nobody waits
// (M/G/c/c; at any load, and whatever the holds look like). By the recursion B(0) = 1,
// B(k) = aB(k-1)/(k+aB(k-1)), which does not overflow. A. K. Erlang (1917).
func (q Queue) ErlangB() (float64, error) {
	if err := q.validate(); err != nil {
		return 0, err
	}
	return erlangB(q.Load(), q.Places), nil
}

func erlangB(load float64, places int) float64 {
	b := 1.0
	for k := 1; k <= places; k++ {
		b = load * b / (float64(k) + load*b)
	}
	return b
}

// Wait is how long requests wait for a place, by ErlangC.
type Wait struct {
	// Probability is C, that of having to wait at all.
	Probability float64
	// Mean is Wq = C/(cμ-λ), over all requests, those that need not wait among them.
	Mean time.Duration

	spare float64 // cμ-λ, per second
}

// Longer is P(W>t) = C·exp(-(cμ-λ)t), the probability of waiting longer than t.
func (w Wait) Longer(t time.Duration) float64 {
	return w.Probability * math.Exp(-w.spare*max(0, t).Seconds())
}

// ErlangC is the wait where everybody waits until he is served, and holds are
// exponential (M/M/c). It is refused in an overload, where waits grow for ever. C =
// B/(1-ρ(1-B)). A. K. Erlang (1917).
func (q Queue) ErlangC() (Wait, error) {
	if err := q.stable(); err != nil {
		return Wait{}, err
	}
	return q.wait(erlangB(q.Load(), q.Places)), nil
}

// wait is that of ErlangC, by the probability of ErlangB.
func (q Queue) wait(b float64) Wait {
	w := Wait{Probability: b / (1 - q.Utilisation()*(1-b)), spare: q.Capacity() - q.Rate}
	w.Mean = seconds(w.Probability / w.spare)
	return w
}

// AllenCunneen is the mean wait, about, where neither the gaps between requests nor
// their holds are exponential (G/G/c): Wq(M/M/c)·(ca²+cs²)/2, by their coefficients of
// variation, the standard deviation over the mean. An exponential time has 1, a fixed
// one 0. It is better the higher the load, and exact for M/M/c. Refused in an overload.
// A. O. Allen, "Probability, Statistics, and Queueing Theory" (1990), 5.3.
func (q Queue) AllenCunneen(gaps, holds float64) (time.Duration, error) {
	if !(gaps >= 0) || !(holds >= 0) || math.IsInf(gaps+holds, 0) {
		return 0, fmt.Errorf("coefficients of variation of %v and %v: they cannot be less than zero", gaps, holds)
	}
	w, err := q.ErlangC()
	return time.Duration((gaps*gaps + holds*holds) / 2 * float64(w.Mean)), err
}

// Cosmetatos is the mean wait where all holds are alike (M/D/c), within about 2 %:
// Wq(M/M/c)·½[1+(1-ρ)(c-1)(√(4+5c)-2)/(16cρ)]. Refused in an overload. G. P. Cosmetatos,
// "Approximate Explicit Formulae for the Average Queueing Time in the Processes (M/D/r)
// and (D/M/r)" (1975).
func (q Queue) Cosmetatos() (time.Duration, error) {
	w, err := q.ErlangC()
	if err != nil {
		return 0, err
	}
	c, rho := float64(q.Places), q.Utilisation()
	return time.Duration(float64(w.Mean) / 2 * (1 + (1-rho)*(c-1)*(math.Sqrt(4+5*c)-2)/(16*c*rho))), nil
}

func (q Queue) validate() error {
	if err := positive(q.Rate); err != nil {
		return err
	}
	switch {
	case q.Hold <= 0:
		return fmt.Errorf("a hold of %v: it must be above zero", q.Hold)
	case q.Places < 1:
		return fmt.Errorf("%d places: there must be one at least", q.Places)
	}
	return nil
}

// stable returns an error where waits would grow for ever.
func (q Queue) stable() error {
	if err := q.validate(); err != nil {
		return err
	}
	if q.Load() >= float64(q.Places) {
		return fmt.Errorf("%v requests per second that hold a place for %v each keep %.4g places busy, and there are %d: waits grow as long as the load lasts",
			q.Rate, q.Hold, q.Load(), q.Places)
	}
	return nil
}

func positive(rate float64) error {
	if !(rate > 0) || math.IsInf(rate, 0) {
		return fmt.Errorf("a rate of %v per second: it must be above zero", rate)
	}
	return nil
}

// seconds is a duration; one too long for it is the longest that there is.
func seconds(s float64) time.Duration {
	if s >= float64(math.MaxInt64)/1e9 {
		return math.MaxInt64
	}
	return time.Duration(s * 1e9)
}
