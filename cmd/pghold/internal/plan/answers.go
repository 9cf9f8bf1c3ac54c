package plan

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Question is a case, and what a prediction of it assumes.
type Question struct {
	experiment.Case
	Model Model
	// Others are the other routes that take their connections from the same pools, and are
	// simulated together with this one. Of each its name, its route, its rate, its slow call,
	// and what calls, statements and requests take (Model.Overheads, Calls, Shape, Times)
	// count; all else is the question's own. Where the question's own Route has no steps, it is
	// about all the others together, and its rate is the sum of theirs; another rate is shared
	// out among them as theirs are. None of several updates rows (experiment.Route.Updates).
	// Default none.
	Others []Question
	// Evidence is what the rate and the lengths of calls were measured from. Default: they
	// are given.
	Evidence Evidence
}

// Questions are cases of which the same is assumed.
func Questions(cases []experiment.Case, m Model) []Question {
	qs := make([]Question, len(cases))
	for i, c := range cases {
		qs[i] = Question{Case: c, Model: m}
	}
	return qs
}

// Replications is how many times a question is predicted in which there is chance, by
// default.
const Replications = 20

// Ask predicts each question, as Predict does a case. Where there is chance in one it
// is predicted so many times, with seeds of their own, and the figures are means with
// an Interval; where there is none, once is enough. Default Replications.
func Ask(s experiment.Settings, qs []Question, replications int) (*experiment.Result, error) {
	if replications <= 0 {
		replications = Replications
	}
	res := &experiment.Result{Kind: experiment.Predicted, Settings: s, Routes: []experiment.RouteResult{}, Warnings: []string{}}
	res.Settings.Speed = 1
	var together []*experiment.RouteResult // those of the last question about several routes
	var of []Question
	for _, q := range qs {
		r, err := (*experiment.RouteResult)(nil), error(nil)
		if i := slices.IndexFunc(of, q.is); i >= 0 {
			r = together[i]
		} else if q.Together() {
			if together, err = q.answer(replications); err == nil {
				r, together, of = together[0], together[1:], q.classes()
			}
		} else {
			var all []*experiment.RouteResult
			if all, err = q.answer(replications); err == nil {
				r = all[0]
			}
		}
		if err != nil {
			return nil, err
		}
		own := q.Settings
		own.Speed = 1
		if own != res.Settings {
			r.Settings = &own
		}
		res.Routes = append(res.Routes, *r)
	}
	return res, nil
}

// is reports whether the question is the same as another's of the routes that are
// simulated together.
func (q Question) is(other Question) bool {
	return q.Name == other.Name && q.Settings == other.Settings && slices.Equal(q.Route.Steps, other.Route.Steps)
}

// chance reports whether two predictions of the question may differ.
func (q Question) chance() bool {
	if len(q.Others) > 0 {
		return slices.ContainsFunc(q.classes(), Question.chance)
	}
	m := q.Model
	jitter := m.Overheads.CallJitter != Spread{} && len(m.Calls) == 0 && q.Route.Calls() ||
		m.Overheads.Late != Spread{} && len(m.Times) == 0 && m.Arrivals != Poisson
	return jitter || m.Arrivals == Poisson && len(m.Times) == 0 || m.RandomReplica && m.Replicas > 1 || len(m.Calls) > 1 ||
		q.Settings.Pool == experiment.SQLPool || q.shape() == Exponential || q.shape() == experiment.Lognormal
}

// shape is that of the slow call's length where it is not recorded.
func (q Question) shape() string {
	if len(q.Model.Calls) > 0 || !q.Route.Calls() {
		return experiment.Fixed
	}
	return q.Model.shape(q.Case)
}

// predict predicts the question, where there is chance so many times.
func (q Question) predict(replications int) (*experiment.RouteResult, error) {
	runs, err := q.replicateOwn(replications)
	if err != nil {
		return nil, err
	}
	return meanOf(runs), nil
}

// predictEach predicts the question as predict does, and the routes beside it.
func (q Question) predictEach(replications int) (all []*experiment.RouteResult, err error) {
	runs, err := q.replicate(replications)
	if err != nil {
		return nil, err
	}
	for i := range runs[0] {
		all = append(all, meanOf(runs.of(i)))
	}
	return all, nil
}

// replicateOwn returns each of the predictions that predict has the mean of.
func (q Question) replicateOwn(replications int) ([]*experiment.RouteResult, error) {
	runs, err := q.replicate(replications)
	if err != nil {
		return nil, err
	}
	return runs.of(0), nil
}

// replicated are several predictions of one question: the results of each are the
// question's own, and those of the routes beside it.
type replicated [][]experiment.RouteResult

// of are the i-th results.
func (r replicated) of(i int) (all []*experiment.RouteResult) {
	for run := range r {
		all = append(all, &r[run][i])
	}
	return all
}

// replicate predicts the question so many times, where there is chance, with a seed each.
func (q Question) replicate(replications int) (replicated, error) {
	if !q.chance() {
		replications = 1
	}
	return q.replicateOf(slices.Repeat([]Question{q}, replications))
}

// replicateOf predicts each of several forms of the question, with a seed of its own.
func (q Question) replicateOf(forms []Question) (replicated, error) {
	var runs replicated
	err := q.Model.sharing(min(runtime.GOMAXPROCS(0), len(forms)), func(m Model, workers int) (err error) {
		runs, err = runsOf(forms, m.memory, workers)
		return err
	})
	return runs, err
}

func runsOf(forms []Question, memory int64, workers int) (replicated, error) {
	runs := make(replicated, len(forms))
	errs := make([]error, len(forms))
	var next sync.Mutex
	todo := 0
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for {
				next.Lock()
				i := todo
				todo++
				next.Unlock()
				if i >= len(forms) {
					return
				}
				one := forms[i]
				one.Model.Seed += uint64(i)
				one.Model.memory = memory
				if runs[i], errs[i] = one.each(); errs[i] != nil {
					return
				}
			}
		})
	}
	running.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", forms[i].Name, err)
		}
	}
	return runs, nil
}

// enough is how many requests a search looks at before it believes a figure.
const enough = 20_000

// look predicts the question for a search: where there is chance, as many times as it
// takes to see enough requests.
func (q Question) look() (*experiment.RouteResult, error) {
	n := enough / max(1, q.Settings.Requests())
	return q.predict(min(max(n, 1), Replications))
}

// lasting is the question under a load that lasts for several of its clients'
// patience. Very many requests are only sent for two.
func (q Question) lasting() Question {
	if q.Model.Service {
		return q.settled()
	}
	s := &q.Settings
	long := min(4*s.ClientTimeout, max(2*s.ClientTimeout, atRate(5*enough, s.Rate)))
	s.Duration = max(s.Duration, long)
	return q.untimed()
}

// untimed is the question without recorded times of arrivals.
func (q Question) untimed() Question {
	q.Each(func(one *Question) { one.Model.Times = nil })
	return q
}

// atRate is how long it takes to send n requests at a rate.
func atRate(n int, rate float64) time.Duration {
	return time.Duration(min(float64(n)/rate, 1e9) * float64(time.Second))
}

// withConnections is the question with so many connections, overflow included, for each
// replica.
func (q Question) withConnections(n int) Question {
	q.Settings.PoolSize, q.Settings.MaxOverflow = n, 0
	if q.Model.Service {
		return q.settled()
	}
	return q
}

func (q Question) replicas() int { return max(1, q.Model.Replicas) }
