package plan

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// AllRoutes names the question about a pool that several routes share: about all their
// requests, which wait in one queue.
const AllRoutes = "all routes"

// shortGap is the shortest silence of a hold that is told apart from its statements, as
// a Recorder does.
const shortGap = time.Millisecond

// FromSnapshot returns what a recorder knew of a service's routes as questions, those
// that held connections longest first. Where several share a pool, the first is about
// all of them, and each of the others has them beside it (Question.Others).
//
// Of each route the snapshot has how many callers came, of late if that differs (recent);
// where it has no windows, how many holds there were, with their share of the waits in
// vain. It has how many statements ran in a hold, how long they took, and whether a
// transaction was open between them; and how long holds were silent, the slow call's
// recorded lengths, in which those that are open count (censored). Where callers had to
// wait, the past is simulated first (Model.WarmUp). What it does not have is base's: the
// clients' and the pool's timeout, how long the load lasts, which kind of pool it was
// (Model.AnyPool), and, where the pool did not tell, its size. A hold counts as a request:
// a recorder does not know what a handler does without a connection. A route of which
// several holds are open and none has ended is an error.
//
// A silence is made after the first statement. As far as the pool is concerned, it does
// not matter where in the hold it is. pghold.ReadSnapshot refuses snapshots of another
// version.
func FromSnapshot(s *pghold.Snapshot, base experiment.Settings) ([]Question, error) {
	taken := s.Taken.Sub(s.Began).Seconds()
	if !(taken > 0) {
		return nil, errors.New("the snapshot covers no time: it was taken when recording began, or before")
	}
	var all []Question
	for _, pool := range poolsOf(s) {
		qs, err := pool.questions(s, taken, base)
		if err != nil {
			return nil, err
		}
		all = append(all, qs...)
	}
	if len(all) == 0 {
		return nil, errors.New("the snapshot is empty: no hold has ended in its time")
	}
	return all, nil
}

// recordedPool is what a snapshot has of a pool.
type recordedPool struct {
	pghold.PoolSnapshot
	only   bool                       // there is no other
	routes []*pghold.Series           // one for each, whatever its call sites
	open   map[string][]time.Duration // how long those holds were silent that had not ended, by route
	taken  int                        // connections that were held on purpose, and that nobody gets
}

func poolsOf(s *pghold.Snapshot) []*recordedPool {
	var pools []*recordedPool
	find := func(name string) *recordedPool {
		for _, p := range pools {
			if p.Name == name {
				return p
			}
		}
		p := &recordedPool{PoolSnapshot: pghold.PoolSnapshot{Name: name}, open: map[string][]time.Duration{}}
		for _, known := range s.Pools {
			if known.Name == name {
				p.PoolSnapshot = known
			}
		}
		pools = append(pools, p)
		return p
	}
	sites := pghold.Snapshot{} // merged without them
	for _, series := range s.Series {
		if series.Intended { // it is no load, and does not come back
			continue
		}
		one := *series
		one.Site = pghold.Site{}
		sites.Merge(&pghold.Snapshot{Series: []*pghold.Series{&one}})
	}
	for _, series := range sites.Series {
		if series.Held.Count() > 0 {
			p := find(series.Pool)
			p.routes = append(p.routes, series)
		}
	}
	for _, h := range s.Open {
		for _, p := range pools {
			switch {
			case p.Name != h.Pool:
			case h.Intended:
				p.taken++
			default:
				p.open[h.Route] = append(p.open[h.Route], h.Silent())
			}
		}
	}
	for _, p := range pools {
		p.only = len(pools) == 1
	}
	return pools
}

func (p *recordedPool) questions(s *pghold.Snapshot, taken float64, base experiment.Settings) (qs []Question, err error) {
	now, known := recent(p.stretchesOf(s))
	// Who waited in vain wanted a connection too.
	vain := 1.0
	if p.Checkouts > 0 {
		vain += float64(p.Timeouts+p.Cancelled+p.Failures) / float64(p.Checkouts)
	}
	if p.Max > 0 {
		base.PoolSize, base.MaxOverflow = max(1, p.Max-p.taken), 0
	}
	for _, series := range p.routes {
		name := series.Route
		if name == "" {
			name = "(no route)"
		}
		came := (float64(series.Held.Count()) + float64(len(p.open[series.Route]))) * vain
		rate := came / taken
		if known {
			came = now.come[series.Route]
			if rate = came / now.d.Seconds(); rate == 0 {
				continue // it does not come any more
			}
		}
		q, err := p.question(name, series, rate, came, base)
		if err != nil {
			return nil, err
		}
		if by := now.slower(series.Route, series); by != 1 {
			q.slowDown(by)
		}
		qs = append(qs, q)
	}
	for _, route := range slices.Sorted(maps.Keys(p.open)) {
		if n := len(p.open[route]); n > 1 && !slices.ContainsFunc(p.routes, func(s *pghold.Series) bool { return s.Route == route }) {
			return nil, fmt.Errorf("the snapshot cannot tell how long %q holds a connection: %d of its holds are open, and none has ended; take another when some have", route, n)
		}
	}
	if p.short() {
		for i := range qs {
			qs[i].Model.WarmUp = min(time.Duration(taken*1e9), longestWarmUp)
		}
	}
	return withAll(p.name(AllRoutes), qs, base), nil
}

// name is that of a route, with the pool's where there are several.
func (p *recordedPool) name(route string) string {
	if p.only {
		return route
	}
	return p.Name + ": " + route
}

// mostStatements is how many statements a hold is described with. Where it has more,
// each of these takes as long as several.
const mostStatements = 20

func (p *recordedPool) question(name string, s *pghold.Series, rate, came float64, base experiment.Settings) (Question, error) {
	name = p.name(name)
	if s.Held.Min() < 0 || s.Silent.Min() < 0 || s.Busy < 0 || s.Held.Sum() < 0 || s.Silent.Sum() < 0 {
		return Question{}, fmt.Errorf("%s: the snapshot has a negative time", name)
	}
	n := float64(s.Held.Count())
	statements := min(max(1, int(math.Round(float64(s.Statements)/n))), mostStatements)
	q := Question{Case: experiment.Case{Name: name, Settings: base}, Model: Model{AnyPool: true}}
	q.Evidence.Arrivals = came
	q.Settings.Rate = fourDigits(rate) // it is no more exact than that
	q.Settings.Slow, q.Settings.SlowShape = 0, experiment.Fixed

	// The last statement of a hold that is in a transaction ends it.
	step := experiment.Autocommit
	if statements > 1 && 2*s.SilentInTransaction > s.Silent.Sum() {
		step = experiment.Statement
		statements--
	}
	each := float64(s.Busy) / n
	steps := []experiment.Step{step}
	if silent := s.Silent.Mean(); silent >= shortGap {
		steps = append(steps, experiment.SlowCall)
		q.Settings.Slow, q.Model.Calls = silent.Round(100*time.Microsecond), censored(lengths(&s.Silent), n, p.open[s.Route])
		q.Evidence.Calls = n
	} else {
		each += float64(silent)
	}
	for range statements - 1 {
		steps = append(steps, step)
	}
	q.Route = experiment.Route{Name: name, Summary: "as recorded", Steps: append(steps, experiment.Release)}
	q.Model.Overheads.Statement = time.Duration(each / float64(q.Route.RoundTrips()))
	return q, nil
}

// longestWarmUp is how much of a service's past is simulated at most before its requests
// count, where callers had to wait for its pool: what comes then meets the queue that there
// was.
const longestWarmUp = 10 * time.Minute

// short reports whether callers had to wait for the pool.
func (p *recordedPool) short() bool { return p.Waiting > 0 || p.Timeouts > 0 || p.waited() > 0 }

// slowDown makes the question's slow call so many times as long.
func (q *Question) slowDown(by float64) {
	q.Settings.Slow = time.Duration(by * float64(q.Settings.Slow)).Round(100 * time.Microsecond)
	calls := slices.Clone(q.Model.Calls)
	for i, d := range calls {
		calls[i] = time.Duration(by * float64(d))
	}
	q.Model.Calls = calls
}

func fourDigits(v float64) float64 {
	scale := math.Pow(10, 3-math.Floor(math.Log10(v)))
	return math.Round(v*scale) / scale
}

// lengths are durations that a sketch may have counted: as many as it takes to have its
// quantiles, and with its mean.
func lengths(s *pghold.Sketch) []time.Duration {
	const n = 1000
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = s.Quantile((float64(i) + 0.5) / n)
	}
	// A quantile is the middle of a bucket, whose durations are somewhere in it.
	for i := 0; i < n; {
		k := 1
		for i+k < n && all[i+k] == all[i] {
			k++
		}
		low, width := bucketAround(all[i])
		high := min(low+width, s.Max())
		low = max(low, s.Min())
		for j := range k {
			all[i+j] = low + time.Duration((float64(j)+0.5)/float64(k)*float64(high-low))
		}
		i += k
	}
	sum := 0.0
	for _, d := range all {
		sum += float64(d)
	}
	if sum > 0 {
		for i := range all {
			all[i] = time.Duration(float64(all[i]) * float64(s.Mean()) * n / sum)
		}
	}
	return all
}

// bucketAround is the bucket of a sketch that has a duration: its shortest one, and how
// wide it is, as pghold.Sketch documents it.
func bucketAround(d time.Duration) (low, width time.Duration) {
	if d < 16 {
		return d, 0
	}
	exp := bits.Len64(uint64(d)) - 5
	return d >> exp << exp, 1 << exp
}
