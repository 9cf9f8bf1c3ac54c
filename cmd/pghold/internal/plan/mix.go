package plan

import (
	"slices"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Together reports whether the question is about all the routes that share a pool, and not
// about one of them.
func (q Question) Together() bool { return len(q.Route.Steps) == 0 && len(q.Others) > 0 }

// Each applies a change to the question and to each route beside it.
func (q *Question) Each(change func(*Question)) {
	change(q)
	q.Others = slices.Clone(q.Others)
	for i := range q.Others {
		change(&q.Others[i])
	}
}

// TotalRate is how many requests come per second, of all routes that share the pool.
func (q Question) TotalRate() float64 {
	rate := 0.0
	for _, c := range q.classes() {
		rate += c.Settings.Rate
	}
	return rate
}

// ScaleRate has the requests of all routes that share the pool come so many times as often.
func (q *Question) ScaleRate(by float64) {
	q.Each(func(one *Question) { one.Settings.Rate *= by })
}

// classes are the question's routes, its own first, each with all that is common to them.
func (q Question) classes() []Question {
	if len(q.Others) == 0 {
		return []Question{q}
	}
	var all []Question
	if !q.Together() {
		own := q
		own.Others = nil
		all = append(all, own)
	}
	scale := 1.0
	if q.Together() {
		sum := 0.0
		for _, b := range q.Others {
			sum += b.Settings.Rate
		}
		if sum > 0 {
			scale = q.Settings.Rate / sum
		}
	}
	for _, b := range q.Others {
		one := q // pool, time-outs, replicas, chance
		one.Others = nil
		one.Name, one.Route, one.Evidence = b.Name, b.Route, b.Evidence
		one.Settings.Rate, one.Settings.Slow, one.Settings.SlowShape = b.Settings.Rate*scale, b.Settings.Slow, b.Settings.SlowShape
		one.Model.Times, one.Model.Calls, one.Model.Shape, one.Model.Sigma = b.Model.Times, b.Model.Calls, b.Model.Shape, b.Model.Sigma
		o := &one.Model.Overheads
		o.Statement, o.Request, o.Call, o.CallJitter, o.Late = b.Model.Overheads.Statement, b.Model.Overheads.Request, b.Model.Overheads.Call, b.Model.Overheads.CallJitter, b.Model.Overheads.Late
		all = append(all, one)
	}
	return all
}

// once predicts the question one time.
func (q Question) once() (*experiment.RouteResult, error) {
	all, err := q.each()
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// each predicts the question one time: its own result first, then that of each route
// beside it.
func (q Question) each() ([]experiment.RouteResult, error) {
	if err := q.Model.validate(); err != nil {
		return nil, err
	}
	if err := q.Settings.Check(); err != nil {
		return nil, err
	}
	seen, err := simulate(q)
	if err != nil {
		return nil, err
	}
	var all []experiment.RouteResult
	if q.Together() {
		all = append(all, seen.sum().result(q.Case))
	}
	for i, c := range q.classes() {
		all = append(all, seen.of(i).result(c.Case))
	}
	return all, nil
}

// counted is what a simulation has seen: of each class of requests, and of the pools that they
// share.
type counted struct {
	classes []*stats
	pool    *stats
}

// of is what was seen of a class, beside what the pools saw.
func (s *counted) of(class int) *stats {
	st := *s.classes[class]
	st.share(s.pool)
	return &st
}

// sum is what was seen of all classes.
func (s *counted) sum() *stats {
	sum := &stats{clientTimeout: s.classes[0].clientTimeout}
	for _, st := range s.classes {
		sum.merge(st)
	}
	sum.share(s.pool)
	return sum
}

// merge adds what was seen of other replicas.
func (s *counted) merge(o *counted) {
	for i, st := range o.classes {
		s.classes[i].merge(st)
	}
	s.pool.merge(o.pool)
}

// seen is what the simulation has seen until now.
func (s *sim) seen() *counted {
	all := &counted{pool: s.pool}
	for i := range s.counted {
		all.classes = append(all.classes, s.classes[i].stats)
	}
	return all
}

// forget forgets what was seen, and keeps the memory.
func (s *sim) forget() {
	s.pool.reset()
	for i := range s.classes {
		s.classes[i].stats.reset()
	}
}
