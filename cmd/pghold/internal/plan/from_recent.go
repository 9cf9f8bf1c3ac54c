package plan

import (
	"fmt"
	"math"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// stretch is a stretch of time whose arrivals a question is made of.
type stretch struct {
	asked time.Duration // as of pghold.Window: 0 is all the time since recording began
	d     time.Duration
	come  map[string]float64 // callers by their route, with those who got no connection
	sum   float64
	silent,
	holds map[string]float64 // of those that ended in it: seconds of silence, and how many
}

// stretchesOf are the last minute, the last ten minutes and all the time, as far as the
// snapshot has them.
func (p *recordedPool) stretchesOf(s *pghold.Snapshot) (all []stretch) {
	for _, asked := range []time.Duration{time.Minute, 10 * time.Minute, 0} {
		for _, w := range s.Windows {
			if w.Asked == asked && w.Duration > 0 {
				all = append(all, p.stretch(w))
			}
		}
	}
	return all
}

func (p *recordedPool) stretch(w pghold.Window) stretch {
	one := stretch{asked: w.Asked, d: w.Duration, come: map[string]float64{}, silent: map[string]float64{}, holds: map[string]float64{}}
	for _, a := range w.Routes {
		if a.Pool == p.Name {
			one.come[a.Route] += float64(a.Arrivals)
			one.sum += float64(a.Arrivals)
			one.silent[a.Route] += a.Silent.Seconds()
			one.holds[a.Route] += float64(a.Holds)
		}
	}
	// database/sql tells neither who waits nor who gave up, but how many had to wait: of a
	// pool that is never free those are all who came.
	for _, pool := range w.Pools {
		if pool.Pool == p.Name && p.CountsOnly && one.sum > 0 && float64(pool.Waits) > one.sum {
			more := float64(pool.Waits) / one.sum
			for route := range one.come {
				one.come[route] *= more
			}
			one.sum *= more
		}
	}
	return one
}

// differ is by how many standard deviations of chance two stretches' rates must differ for
// the shorter one to be taken.
const differ = 4

// recent is the longest stretch whose rate is that of the last minute, but for chance: what
// comes now is what is asked about, and the longer the stretch, the better is it known.
func recent(all []stretch) (stretch, bool) {
	if len(all) == 0 || all[len(all)-1].sum == 0 {
		return stretch{}, false
	}
	now := all[0]
	best := now
	for _, longer := range all[1:] {
		want := longer.sum / longer.d.Seconds() * now.d.Seconds()
		if math.Abs(now.sum-want) > differ*math.Sqrt(max(want, now.sum, 1)) {
			break
		}
		best = longer
	}
	return best, true
}

// Recent says of which stretch of time the rates are that FromSnapshot takes, of each pool
// where it is not all the time since recording began.
func Recent(s *pghold.Snapshot) (notes []string) {
	for _, p := range poolsOf(s) {
		all := p.stretchesOf(s)
		now, ok := recent(all)
		if !ok || now.asked == 0 {
			continue
		}
		whole := all[len(all)-1]
		notes = append(notes, fmt.Sprintf("The rates of pool %q are those of its last %s, %s requests/s; since recording began there were %s/s on average.",
			p.Name, words.Short(now.d.Round(time.Second)), words.Rounded(now.sum/now.d.Seconds()), words.Rounded(whole.sum/whole.d.Seconds())))
	}
	return notes
}

// calm is how much silence may differ, as a ratio, between a stretch and all of the time
// for the recorded lengths to be taken as they are.
const calm = 0.1

// slower is how many times as long the route's holds were silent in the stretch, on
// average, as they were in all: 1 where that is chance.
func (s stretch) slower(route string, all *pghold.Series) float64 {
	n := s.holds[route]
	if s.asked == 0 || n < 30 || all.Silent.Mean() < shortGap {
		return 1
	}
	ratio := s.silent[route] / n / all.Silent.Mean().Seconds()
	if math.Abs(ratio-1) <= calm {
		return 1
	}
	return ratio
}
