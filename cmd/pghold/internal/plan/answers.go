package plan

import (
	"runtime"
	"sync"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Question is a case, and what a prediction of it assumes.
type Question struct {
	experiment.Case
	Model Model
}

// Questions are cases of which the same is assumed.
func Questions(cases []experiment.Case, m Model) []Question {
	qs := make([]Question, len(cases))
	for i, c := range cases {
		qs[i] = Question{c, m}
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
	for _, q := range qs {
		r, err := q.predict(replications)
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

// chance reports whether two predictions of the question may differ.
func (q Question) chance() bool {
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
	runs, err := q.replicate(replications)
	if err != nil {
		return nil, err
	}
	return meanOf(runs), nil
}

// replicate returns each of the predictions that predict has the mean of.
func (q Question) replicate(replications int) ([]*experiment.RouteResult, error) {
	if !q.chance() {
		replications = 1
	}
	var runs []*experiment.RouteResult
	err := q.Model.sharing(min(runtime.GOMAXPROCS(0), replications), func(m Model, workers int) (err error) {
		q.Model = m
		runs, err = q.runs(replications, workers)
		return err
	})
	return runs, err
}

func (q Question) runs(replications, workers int) ([]*experiment.RouteResult, error) {
	runs := make([]*experiment.RouteResult, replications)
	errs := make([]error, replications)
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
				if i >= replications {
					return
				}
				m := q.Model
				m.Seed += uint64(i)
				one, err := Predict(q.Settings, []experiment.Case{q.Case}, m)
				if errs[i] = err; err != nil {
					return
				}
				runs[i] = &one.Routes[0]
			}
		})
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
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
	s := &q.Settings
	long := min(4*s.ClientTimeout, max(2*s.ClientTimeout, atRate(5*enough, s.Rate)))
	s.Duration = max(s.Duration, long)
	q.Model.Times = nil
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
	return q
}

func (q Question) replicas() int { return max(1, q.Model.Replicas) }
