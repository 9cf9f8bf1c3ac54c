package plan

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Station is something that a request has to itself for a while, and of which there is
// only so much.
type Station struct {
	Name   string
	Places int           // all replicas together
	Held   time.Duration // by one request, which waits for nothing
	// Others is how many places the routes beside the question's own have on average.
	Others float64
	// Capacity is how many requests per second it carries: Places, less Others, by Held.
	Capacity float64
}

// demand is for how long a request has what, where it waits for nothing.
type demand struct {
	handler     time.Duration // from its beginning to its end
	thread      time.Duration // a thread, where it needs one
	answer      time.Duration // from its beginning to its answer
	rest        time.Duration // from its first checkout to its answer
	checkout    time.Duration // one of the app's connections
	handover    time.Duration // and then nobody has it, where somebody waits
	transaction time.Duration // one of PgBouncer's
	statements  time.Duration // a core
	row         time.Duration // the row of its account
	worker      time.Duration // a worker, after the answer
}

// demand is that of the question's route with a slow call of its mean length, or of several
// routes together, of each as often as its requests come: that of a request on average.
func (q Question) demand() demand {
	if !q.Together() {
		return q.demandOf(q.slow())
	}
	var sum demand
	for _, c := range q.classes() {
		sum.add(c.demand(), c.Settings.Rate/q.Settings.Rate)
	}
	return sum
}

// add adds a share of another demand.
func (d *demand) add(o demand, share float64) {
	for _, f := range []struct {
		to *time.Duration
		d  time.Duration
	}{
		{&d.handler, o.handler}, {&d.answer, o.answer}, {&d.rest, o.rest}, {&d.checkout, o.checkout}, {&d.handover, o.handover}, {&d.thread, o.thread},
		{&d.transaction, o.transaction}, {&d.statements, o.statements}, {&d.row, o.row}, {&d.worker, o.worker},
	} {
		*f.to += time.Duration(share * float64(f.d))
	}
}

// others is what the routes beside the question's own one need each second, of their time.
func (q Question) others() (sum demand) {
	if q.Together() {
		return demand{}
	}
	for _, c := range q.classes()[1:] {
		sum.add(c.demand(), c.Settings.Rate)
	}
	return sum
}

// demandOf follows the route's steps, with a slow call of this length.
func (q Question) demandOf(slow time.Duration) demand {
	var d demand
	trip := q.Model.Overheads.Statement + q.Settings.Distance
	var now time.Duration
	held, open, locked := time.Duration(-1), time.Duration(-1), time.Duration(-1)
	first, answered := time.Duration(-1), time.Duration(-1)
	statement := func() {
		if held < 0 {
			held = now
		}
		if first < 0 {
			first = now
		}
		if open < 0 {
			open = now
		}
		now += trip
		d.statements += q.Model.Overheads.Statement
	}
	over := func(since *time.Duration, sum *time.Duration) {
		if *since >= 0 {
			*sum += now - *since
		}
		*since = -1
	}
	giveBack := func() {
		if held >= 0 {
			d.handover += q.Model.Overheads.Handover
		}
		over(&held, &d.checkout)
	}
	leased := q.Route.Conflict == experiment.Lease
	for i, step := range q.Route.Steps {
		switch step {
		case experiment.Begin, experiment.Statement:
			statement()
		case experiment.Lock:
			if locked < 0 && q.Route.Updates() {
				locked = now
			}
			statement()
		case experiment.Autocommit:
			statement()
			over(&open, &d.transaction)
		case experiment.SlowCall:
			now += slow
		case experiment.Release:
			if open >= 0 {
				statement()
			}
			over(&open, &d.transaction)
			giveBack()
			if !leased || !slices.Contains(q.Route.Steps[i:], experiment.Lock) {
				over(&locked, &d.row)
			}
		case experiment.Answer:
			answered = now
		}
	}
	over(&open, &d.transaction)
	giveBack()
	over(&locked, &d.row)
	d.handler = now
	if q.Route.Sync {
		d.thread = now
	}
	d.answer = now
	if answered >= 0 {
		d.answer, d.worker = answered, now-answered
	}
	if first >= 0 {
		d.rest = d.answer - first
	}
	return d
}

// slow is how long the slow call takes in the mean.
func (q Question) slow() time.Duration {
	if q.Together() {
		sum := 0.0
		for _, c := range q.classes() {
			sum += float64(c.slow()) * c.Settings.Rate / q.Settings.Rate
		}
		return time.Duration(sum)
	}
	if n := len(q.Model.Calls); n > 0 {
		sum := 0.0
		for _, d := range q.Model.Calls {
			sum += float64(d)
		}
		return time.Duration(sum / float64(n))
	}
	return q.Settings.Slow + q.Model.Overheads.Call
}

// slowest is how long nearly all slow calls take at most: 95 % of them.
func (q Question) slowest() time.Duration {
	if n := len(q.Model.Calls); n > 0 {
		sorted := slices.Sorted(slices.Values(q.Model.Calls))
		return sorted[int(math.Ceil(0.95*float64(n)))-1]
	}
	switch q.shape() {
	case experiment.Lognormal: // e^{zσ - σ²/2} means, as in sampler
		sigma := q.Model.sigma()
		return time.Duration(float64(q.slow()) * math.Exp(1.645*sigma-sigma*sigma/2))
	case Exponential:
		return time.Duration(float64(q.slow()) * -math.Log(0.05))
	}
	return q.slow()
}

// stations are those that limit how many requests per second the question's route can
// serve, the least first.
func (q Question) stations() []Station {
	d, s, r := q.demand(), q.Settings, q.replicas()
	o := q.others()
	all := []Station{{Name: "connections", Places: r * s.Connections(), Held: d.checkout + d.handover, Others: (o.checkout + o.handover).Seconds()}}
	if d.thread > 0 {
		all = append(all, Station{Name: "threads", Places: r * s.Threads, Held: d.thread, Others: o.thread.Seconds()})
	}
	if q.Route.AnswersEarly() {
		all = append(all, Station{Name: "workers", Places: r * s.Threads, Held: d.worker})
	}
	if q.Route.Updates() {
		all = append(all, Station{Name: "rows", Places: s.Accounts, Held: d.row})
	}
	if q.Model.SessionMode {
		d.transaction, o.transaction = d.checkout, o.checkout
	}
	all = append(all,
		Station{Name: pgBouncers, Places: s.PgBouncer, Held: d.transaction, Others: o.transaction.Seconds()},
		Station{Name: "cores", Places: q.Model.Cores, Held: d.statements, Others: o.statements.Seconds()},
		Station{Name: "requests in flight", Places: r * s.MaxInFlight, Held: d.answer, Others: o.answer.Seconds()},
	)
	all = slices.DeleteFunc(all, func(st Station) bool { return st.Places == 0 || st.Held == 0 })
	for i := range all {
		all[i].Capacity = max(0, float64(all[i].Places)-all[i].Others) / all[i].Held.Seconds()
	}
	slices.SortStableFunc(all, func(a, b Station) int { return cmp.Compare(a.Capacity, b.Capacity) })
	return all
}

// capacity is how many requests per second the question's route can serve; infinite
// where nothing limits it.
func (q Question) capacity() float64 {
	if all := q.stations(); len(all) > 0 {
		return all[0].Capacity
	}
	return math.Inf(1)
}

// pgBouncers names the station that all replicas share.
const pgBouncers = "server connections of PgBouncer"

// shared reports whether all replicas have the station together.
func (s Station) shared() bool { return s.Name == pgBouncers || s.Name == "cores" || s.Name == "rows" }
