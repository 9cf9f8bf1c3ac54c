package plan

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Answer is what is said of a service, in the order in which it is read.
type Answer struct {
	// Service is what it is about: with as many connections as it takes, where it was
	// Unsized.
	Service Service
	// Result is what is predicted of it.
	Result *experiment.RouteResult
	// Conclusions answer what was asked, Changes what if something were different.
	Conclusions, Changes []experiment.Conclusion
	// Assumptions are what the answer depends on, a sentence each.
	Assumptions []string
}

// Answer predicts the service, and says how many connections it takes to meet targets
// (default: DefaultTargets) and whether the database has room for them. It tells where it
// is at, and ends early where at says so.
func (s Service) Answer(targets []Target, db Database, at func(what string) error) (*Answer, error) {
	byDefault := len(targets) == 0
	if byDefault {
		targets = s.DefaultTargets()
	}
	if s.Unsized {
		if err := at("how many connections"); err != nil {
			return nil, err
		}
		var err error
		if s, err = s.sized(targets); err != nil {
			return nil, err
		}
	}
	q := s.Question()
	if err := at("the load"); err != nil {
		return nil, err
	}
	runs, err := s.runs(q)
	if err != nil {
		return nil, err
	}
	a := &Answer{Service: s, Result: meanOf(runs)}
	load, err := s.load(q, runs)
	if err != nil {
		return nil, err
	}
	a.Conclusions = append(a.Conclusions, load)
	if err := at("how many connections"); err != nil {
		return nil, err
	}
	sizing, err := s.sizing(q, runs, targets, byDefault, db)
	if err != nil {
		return nil, err
	}
	a.Conclusions = append(a.Conclusions, sizing)
	if db.MaxConnections > 0 {
		a.Conclusions = append(a.Conclusions, s.room(q, db))
	}
	budget, err := Budget(q)
	if err != nil {
		return nil, err
	}
	a.Conclusions = append(a.Conclusions, budget.Conclusion())
	for _, change := range s.changes() {
		if err := at(strings.ToLower(change.label)); err != nil {
			return nil, err
		}
		c, err := s.changed(change, targets, db)
		if err != nil {
			return nil, err
		}
		a.Changes = append(a.Changes, c)
	}
	a.Assumptions = s.assumptions(q, len(runs), db)
	return a, nil
}

// sized is the service with the fewest connections that meet the targets.
func (s Service) sized(targets []Target) (Service, error) {
	n, err := s.with(max(1, int(math.Ceil(2*s.inUse()/float64(s.processes()))))).needs(targets, false)
	return s.with(max(1, n.number)), err
}

// inUse is how many connections the load keeps in use on average, where it is carried.
func (s Service) inUse() float64 { return s.Settings.Rate * s.Held.mean().Seconds() }

// runs are what all figures of the answer are made of.
func (s Service) runs(q Question) ([]*experiment.RouteResult, error) {
	if s.Replications > 0 {
		return q.replicateOwn(s.Replications)
	}
	return q.settledRuns()
}

// DefaultTargets are what is asked for where nobody names a target: a p99 of 1 s, or of
// twice a hold's own, if that is longer, but no nearer to the clients' timeout than to the
// hold's. Of lambdas, where nobody waits, that 99.9 % are served.
func (s Service) DefaultTargets() []Target {
	if s.Lambdas > 0 {
		return []Target{Served}
	}
	own, timeout := s.Held.p99(), s.Settings.ClientTimeout
	d := min(max(time.Second, 2*own), own+(timeout-own)/2)
	if own >= timeout {
		d = timeout // which nothing reaches
	}
	digits := math.Pow(10, math.Floor(math.Log10(d.Seconds()))-1) // of which there are to be two
	d = seconds(math.Round(d.Seconds()/digits) * digits).Round(time.Microsecond)
	return []Target{{Field: "p99", Value: d.Seconds(), text: "p99<=" + strings.ReplaceAll(words.Plain(d), " ", "")}}
}

// load says what the service carries, and what becomes of the load.
func (s Service) load(q Question, runs []*experiment.RouteResult) (experiment.Conclusion, error) {
	c := experiment.Conclusion{About: "load", Cases: []string{q.Name}, Figures: map[string]float64{}}
	all := q.stations()
	success := estimateOf(runs, func(r *experiment.RouteResult) float64 { return r.SuccessRatio })
	p50 := estimateOf(runs, func(r *experiment.RouteResult) float64 { return r.Latency.P50.Seconds() })
	p99 := estimateOf(runs, func(r *experiment.RouteResult) float64 { return r.Latency.P99.Seconds() })
	loses := s.Lambdas > 0 || q.Settings.MaxInFlight > 0
	if q.overloaded() && !loses {
		var err error
		if success, err = q.lastingSuccess(runs); err != nil {
			return c, err
		}
	}
	success.put(c.Figures, "success", "_ratio")
	p50.put(c.Figures, "latency_p50", "_s")
	p99.put(c.Figures, "latency_p99", "_s")
	if len(all) == 0 {
		c.Sentence = "Nothing that was named limits the rate: a hold takes no time."
		return c, nil
	}
	first := all[0]
	places, _ := s.places(s.have(), 0)
	c.Figures["connections"], c.Figures["total_connections"] = float64(s.have()), float64(places)
	c.Figures["capacity_per_s"], c.Figures["utilisation_ratio"] = first.Capacity, q.Settings.Rate/first.Capacity
	carry := fmt.Sprintf("%s %s %s requests/s", s.name(first), plural(first.Places, "carries", "carry"), words.Rounded(first.Capacity))
	if first.Name != "connections" && s.Lambdas == 0 {
		for _, other := range all[1:] {
			if other.Name == "connections" {
				carry += fmt.Sprintf(" (the %s would carry %s)", s.name(other), words.Rounded(other.Capacity))
			}
		}
	}
	rate := words.Rounded(q.Settings.Rate)
	switch h, timeout := s.Held.mean(), q.Settings.ClientTimeout; {
	case h >= timeout && s.Held.shape() == experiment.Fixed:
		c.Sentence = fmt.Sprintf("No request can be answered: it holds its connection for %s, and its client leaves after %s.", words.Plain(h), words.Plain(timeout))
	case loses && (s.Lambdas > 0 || q.overloaded()):
		c.Sentence = carry + fmt.Sprintf("; at %s%s, %s of that, %s.", rate, s.randomly(), percent(q.Settings.Rate/first.Capacity), refused(runs, c.Figures))
	case q.overloaded():
		c.Sentence = carry + s.overload(q, runs, success, c.Figures)
	default:
		c.Sentence = carry + fmt.Sprintf("; at %s%s, %s of that, %s", rate, s.randomly(), percent(q.Settings.Rate/first.Capacity), s.waits(q, runs, c.Figures))
		c.Sentence += fmt.Sprintf(". The p50 of the latency is %s, the p99 %s.", p50.in(times), p99.in(times))
		if failed := failures(meanOf(runs).Outcomes); failed != "" {
			c.Sentence += " Of the requests " + failed + "."
		}
	}
	return c, nil
}

// randomly says of the load that it comes by chance.
func (s Service) randomly() string {
	if s.Arrivals == Poisson {
		return " (random arrivals)"
	}
	return ""
}

// overloaded reports whether more comes than is carried, or, where there is chance, as
// much.
func (q Question) overloaded() bool {
	c := q.capacity()
	return q.Settings.Rate > c*(1+1e-9) || q.Settings.Rate > c*(1-1e-9) && q.chance()
}

// name names the places of a station, and how they are shared out.
func (s Service) name(st Station) string {
	text := s.total(st)
	if s.Lambdas > 0 || st.shared() {
		return text
	}
	each := fmt.Sprint(st.Places / s.processes())
	if st.Name == "connections" && s.Settings.MaxOverflow > 0 {
		each = fmt.Sprintf("%d + %d", s.Settings.PoolSize, s.Settings.MaxOverflow)
	}
	switch many := s.many(); {
	case many != "":
		text += fmt.Sprintf(" (%s of %s)", many, each)
	case strings.Contains(each, "+"):
		text += " (" + each + ")"
	}
	return text
}

// total names the places of a station.
func (s Service) total(st Station) string {
	switch {
	case s.Lambdas > 0:
		return words.Count(s.Lambdas, "lambda")
	case st.Name == pgBouncers:
		return fmt.Sprintf("PgBouncer's %s", words.Count(st.Places, "server connection"))
	case st.Name == "cores":
		return fmt.Sprintf("the database's %s", words.Count(st.Places, "core"))
	}
	return words.Count(st.Places, strings.TrimSuffix(st.Name, "s"), st.Name)
}

// many says how many processes there are; nothing of one.
func (s Service) many() string {
	switch r, w := max(1, s.Replicas), max(1, s.Workers); {
	case r > 1 && w > 1:
		return fmt.Sprintf("%d replicas × %d workers", r, w)
	case w > 1:
		return words.Count(w, "worker")
	case r > 1:
		return words.Count(r, "replica")
	}
	return ""
}

// waits says how long requests wait.
func (s Service) waits(q Question, runs []*experiment.RouteResult, figures map[string]float64) string {
	at := func(of func(experiment.Quantiles) time.Duration) func(*experiment.RouteResult) float64 {
		if !s.Sync && q.Settings.PgBouncer == 0 && s.Cores == 0 {
			return func(r *experiment.RouteResult) float64 { return of(r.Holds.Wait).Seconds() }
		}
		if s.Held.shape() != experiment.Fixed {
			return nil
		}
		held := s.Held.mean()
		return func(r *experiment.RouteResult) float64 { return max(0, of(r.Latency)-held).Seconds() }
	}
	if at(func(q experiment.Quantiles) time.Duration { return q.P95 }) == nil {
		return "this is what becomes of the requests"
	}
	mean := estimateOf(runs, at(func(q experiment.Quantiles) time.Duration { return q.Mean }))
	p95 := estimateOf(runs, at(func(q experiment.Quantiles) time.Duration { return q.P95 }))
	p99 := estimateOf(runs, at(func(q experiment.Quantiles) time.Duration { return q.P99 }))
	longest := estimateOf(runs, at(func(q experiment.Quantiles) time.Duration { return q.Max }))
	mean.put(figures, "wait_mean", "_s")
	p95.put(figures, "wait_p95", "_s")
	p99.put(figures, "wait_p99", "_s")
	const seen = 1e-4 // s
	switch {
	case p95.mean > seen:
		return "one request in 20 waits longer than " + p95.in(times)
	case p99.mean > seen:
		return "one request in 100 waits longer than " + p99.in(times)
	case longest.mean > seen:
		return "fewer than one request in 100 waits"
	}
	return "nobody waits"
}

// refused says how many requests are refused because all are busy.
func refused(runs []*experiment.RouteResult, figures map[string]float64) string {
	e := estimateOf(runs, func(r *experiment.RouteResult) float64 {
		return float64(r.Outcomes.Rejected) / float64(max(1, r.Requests))
	})
	e.put(figures, "refused", "_ratio")
	if e.mean == 0 {
		return "none of the requests is refused"
	}
	return e.in(words.SmallRatio) + " of the requests find all of them busy and are refused (429)"
}

// overload says what happens to more than is carried.
func (s Service) overload(q Question, runs []*experiment.RouteResult, success estimate, figures map[string]float64) string {
	capacity, rate := q.capacity(), q.Settings.Rate
	grows := rate - capacity
	text := fmt.Sprintf(", and %s come: ", words.Rounded(rate))
	figures["queue_grows_per_s"], figures["breaks_per_s"] = grows, capacity
	if grows < 1e-6*rate {
		text += "nothing is left for chance, and the queue grows for as long as the load lasts."
	} else {
		text += fmt.Sprintf("beyond %[1]s requests/s it breaks, and at this load the queue grows by %[2]s requests each second.", words.Rounded(capacity), words.Rounded(grows))
		patience, by := s.ends(q)
		after := (patience - q.demand().answer).Seconds() / (rate/capacity - 1)
		if by != "the client's timeout" {
			after = patience.Seconds() / (rate/capacity - 1)
		}
		figures["fails_after_s"] = max(0, after)
		text += fmt.Sprintf(" Requests that come more than %s after that began wait too long: %s of %s ends them.", times(max(0, after)), by, words.Short(patience))
	}
	switch {
	case figures["fails_after_s"] > q.Settings.Duration.Seconds()/2: // which is not simulated
	case success.high < 0.0005:
		text += " From then on next to none is answered."
	default:
		text += fmt.Sprintf(" From then on %s of the requests are answered.", success.in(words.Ratio))
	}
	enough := int(math.Floor(rate*q.demand().checkout.Seconds()/float64(s.processes()))) + 1
	if q.stations()[0].Name == "connections" {
		all, _ := s.places(enough, 0)
		figures["carrying_connections"] = float64(enough)
		text += fmt.Sprintf(" %s %s %s.", s.each(enough, all), plural(all, "carries", "carry"), words.Rounded(rate))
	}
	return text
}

// ends is what ends a wait first, and after what time.
func (s Service) ends(q Question) (time.Duration, string) {
	if t := q.Settings.PoolTimeout; !s.NoTimeout && t < q.Settings.ClientTimeout {
		return t, "the pool timeout"
	}
	return q.Settings.ClientTimeout, "the client's timeout"
}

// each says so many connections in each process, all of them together.
func (s Service) each(n, all int) string {
	switch {
	case s.Lambdas > 0:
		return words.Count(n, "lambda")
	case s.processes() == 1:
		return words.Count(n, "connection")
	}
	return fmt.Sprintf("%d in each %s, %d in all,", n, s.process(), all)
}

func percent(r float64) string {
	if r < 0.01 {
		return words.SmallRatio(r)
	}
	return words.Rounded(math.Round(100*r)) + " %"
}

// TimeoutsMatter reports whether it is of interest that the timeouts are sound or not:
// where more comes than is carried, and where somebody chose them.
func (s Service) TimeoutsMatter() bool {
	return s.Lambdas == 0 && (!s.NoTimeout || s.Question().overloaded())
}
