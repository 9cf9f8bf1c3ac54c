package plan

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Validation compares predictions with what a lab measures. Who has a lab runs its
// Cases, and gives the result to Compare.
type Validation struct {
	// Cases are to be run in this order. Where they were drawn, those that calibrate are
	// among them: one for each pool, in which nobody has to wait, before the others, in
	// their middle and after them.
	Cases []experiment.Case

	calibrates map[string]bool // by name
	seed       uint64
}

// NewValidation draws n cases at random (Draw).
func NewValidation(n int, seed uint64, speed float64) (*Validation, error) {
	drawn, err := Draw(n, seed, speed)
	if err != nil {
		return nil, err
	}
	v := &Validation{calibrates: map[string]bool{}, seed: seed}
	v.calibrate(speed, 1)
	v.Cases = append(v.Cases, drawn[:n/2]...)
	v.calibrate(speed, 2)
	v.Cases = append(v.Cases, drawn[n/2:]...)
	v.calibrate(speed, 3)
	return v, nil
}

// ValidationOf is of cases that are given, which also calibrate. Only their throughput
// and success are asked for: of routes that do nothing but read, latencies are overheads
// and nothing else.
func ValidationOf(cases []experiment.Case, seed uint64) *Validation {
	return &Validation{Cases: cases, seed: seed}
}

// calibrate adds the cases that calibrate for the n-th time.
func (v *Validation) calibrate(speed float64, n int) {
	s := experiment.Defaults()
	s.Speed, s.Rate = speed, 20
	for _, pool := range experiment.Pools {
		s.Pool = pool
		c := experiment.Case{Name: fmt.Sprintf("calibration_%d@%s", n, pool), Route: experiment.RoutesOf("seed")[2], Settings: s}
		v.Cases = append(v.Cases, c)
		v.calibrates[c.Name] = true
	}
}

// Compared is a case that was measured, and its figures beside those predicted.
type Compared struct {
	experiment.Case
	Checks []Check
}

// Validated is what came of a validation.
type Validated struct {
	Cases []Compared
	// Figures is how many were compared, Hits how many of these were predicted, and
	// Unexplained how many were not, for a cause that is not known.
	Figures, Hits, Unexplained int
	// Overheads are by the pool that they were measured with; under "" where all count.
	Overheads map[string]Overheads
	// Busy are sentences: signs that the machine was doing something else meanwhile.
	Busy []string
}

// Enough is the share of the figures that a validation should hit.
const Enough = 0.92

// Share is how many of the figures were hit, as a ratio.
func (v *Validated) Share() float64 { return float64(v.Hits) / float64(max(1, v.Figures)) }

// Compare compares what was measured with predictions. Cases that are not in the result
// were not run.
func (v *Validation) Compare(r *experiment.Result) (*Validated, error) {
	done := &Validated{Overheads: map[string]Overheads{}}
	var calibrations []*experiment.RouteResult
	from := map[string]*experiment.Result{} // what the costs of a pool's cases are taken from
	for i := range r.Routes {
		if rr := &r.Routes[i]; v.calibrates[rr.Name] {
			calibrations = append(calibrations, rr)
		}
	}
	if v.calibrates == nil {
		done.Overheads[""] = Calibrate(r)
		if busy := Busy(r); busy != "" {
			done.Busy = append(done.Busy, busy)
		}
	}
	for _, pool := range experiment.Pools {
		if from[pool] = r; v.calibrates != nil {
			of := slices.DeleteFunc(slices.Clone(calibrations), func(rr *experiment.RouteResult) bool { return r.SettingsOf(rr).Pool != pool })
			from[pool] = done.calibrated(pool, of, r)
		}
	}
	for _, c := range v.Cases {
		measured := r.Route(c.Name)
		if measured == nil || v.calibrates[c.Name] {
			continue
		}
		checks, err := Checks(c, measured, Model{Overheads: CalibrateFor(from[c.Settings.Pool], measured), Seed: v.seed})
		if err != nil {
			return nil, err
		}
		if v.calibrates == nil {
			onlyOutcomes(checks)
		}
		done.add(c, checks, measured)
	}
	return done, nil
}

// outcomesTolerance is by how much throughput and success may differ of cases that were
// given.
const outcomesTolerance = 0.05

// onlyOutcomes asks for throughput and success only.
func onlyOutcomes(checks []Check) {
	for i := range checks {
		k := &checks[i]
		if k.Uncounted = k.Figure != "throughput" && k.Figure != "success"; !k.Uncounted {
			k.Tolerance = outcomesTolerance
		}
	}
}

// disagree is by how much, in the experiment's own time, calibrations of one pool may
// differ in what a request took beyond its slow call: half of the wobble in which a miss
// has its cause.
const disagree = wobble / 2

// calibrated takes a pool's overheads from its calibrations, says where they were
// disturbed, and returns the run with only them.
func (v *Validated) calibrated(pool string, of []*experiment.RouteResult, r *experiment.Result) *experiment.Result {
	one := *r
	one.Routes = nil
	if len(of) == 0 {
		return &one
	}
	s := r.SettingsOf(of[0])
	least, most, late := time.Duration(math.MaxInt64), time.Duration(0), time.Duration(0)
	for _, rr := range of {
		one.Routes = append(one.Routes, *rr)
		beyond := rr.Latency.Mean - s.Slow
		least, most = min(least, beyond), max(most, beyond)
		late = max(late, lateness(rr, s))
	}
	v.Overheads[pool] = Calibrate(&one)
	if most-least > disagree {
		v.Busy = append(v.Busy, fmt.Sprintf("calibrations with %s disagree: a request took %s to %s beyond its slow call, and should vary by no more than %s",
			pool, words.Short(least), words.Short(most), words.Short(disagree)))
	}
	if late > lateGently {
		v.Busy = append(v.Busy, fmt.Sprintf("in a calibration with %s a hundredth of the requests was sent %s late or more, of the clock (on an idle machine, 1 ms)",
			pool, words.Short(late)))
	}
	return &one
}

func (v *Validated) add(c experiment.Case, checks []Check, measured *experiment.RouteResult) {
	for i := range checks {
		k := &checks[i]
		if k.Uncounted || !k.Missed() {
			k.Cause = ""
		}
		if k.Uncounted {
			continue
		}
		v.Figures++
		if !k.Missed() {
			v.Hits++
			continue
		}
		if late := lateness(measured, c.Settings); k.Cause == "" && late > lateAtAll {
			k.Cause = fmt.Sprintf("the machine was busy meanwhile: a hundredth of the requests was sent %s late or more, of the clock", words.Short(late))
		}
		if k.Cause == "" {
			v.Unexplained++
		}
	}
	v.Cases = append(v.Cases, Compared{c, checks})
}
