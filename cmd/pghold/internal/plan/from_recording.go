package plan

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// FromRecording returns what a recording of pghold watch has of a service's transactions,
// which were made in a stretch of time over so many sessions at most, as questions: those of
// each route that a statement's comment names, or else of each application, those that were
// idle in transaction longest first. Where there are several, the first is about all of them
// (AllRoutes), as with FromSnapshot.
//
// Of each the recording has how many there were, how long their statements took, and how
// long they were idle in transaction. What it cannot know: how long a connection is held
// outside of a transaction, statements outside of transactions, who waited in the app's pool
// and for how long, and the pool's size: the most sessions that there were are taken for it.
// Of an incident it has what was served, and not what came.
func FromRecording(took time.Duration, sessions int, transactions []watch.Transaction, base experiment.Settings) ([]Question, error) {
	switch {
	case took <= 0:
		return nil, errors.New("the recording covers no time")
	case len(transactions) == 0:
		return nil, errors.New("the recording is empty: no transaction has ended in its time")
	case sessions > 0:
		base.PoolSize, base.MaxOverflow = sessions, 0
	}
	type kind struct {
		silent    []time.Duration
		sum, busy time.Duration
	}
	kinds := map[string]*kind{}
	for _, t := range transactions {
		name := cmp.Or(t.Route, t.Application, "(no application name)")
		k := kinds[name]
		if k == nil {
			k = &kind{}
			kinds[name] = k
		}
		silent := time.Duration(t.Silent + t.Aborted)
		k.silent = append(k.silent, silent)
		k.sum += silent
		k.busy += time.Duration(t.Busy + t.LockWait + t.SlowClient)
	}
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(kinds[b].sum, kinds[a].sum), cmp.Compare(a, b)) })
	var qs []Question
	for _, name := range names {
		k := kinds[name]
		n := float64(len(k.silent))
		q := Question{Case: experiment.Case{Name: name, Settings: base}, Model: Model{AnyPool: true}, Evidence: Evidence{Arrivals: n}}
		q.Settings.Rate = fourDigits(n / took.Seconds())
		q.Settings.Slow, q.Settings.SlowShape = 0, experiment.Fixed
		q.Route = experiment.Route{Name: name, Summary: "as recorded", Steps: []experiment.Step{experiment.Statement, experiment.Release}}
		each := float64(k.busy) / n
		if mean := time.Duration(float64(k.sum) / n); mean >= shortGap {
			q.Route.Steps = []experiment.Step{experiment.Statement, experiment.SlowCall, experiment.Release}
			q.Settings.Slow, q.Model.Calls, q.Evidence.Calls = mean.Round(100*time.Microsecond), likeThese(k.silent), n
		} else {
			each += float64(mean)
		}
		q.Model.Overheads.Statement = time.Duration(each / float64(q.Route.RoundTrips()))
		qs = append(qs, q)
	}
	return withAll(AllRoutes, qs, base), nil
}

// most is how many lengths are kept of those that were recorded.
const most = 10_000

// likeThese are lengths, in order, or as many of their quantiles where there are very many.
func likeThese(lengths []time.Duration) []time.Duration {
	sorted := slices.Sorted(slices.Values(lengths))
	if len(sorted) <= most {
		return sorted
	}
	few := make([]time.Duration, most)
	for i := range few {
		few[i] = sorted[int(math.Floor((float64(i)+0.5)/most*float64(len(sorted))))]
	}
	return few
}

// withAll puts a question about all of them before those of several routes that share a
// pool, and has each of these know of the others.
func withAll(name string, qs []Question, base experiment.Settings) []Question {
	if len(qs) < 2 {
		return qs
	}
	all := Question{Case: experiment.Case{Name: name, Settings: base}, Model: Model{AnyPool: true, WarmUp: qs[0].Model.WarmUp}, Others: slices.Clone(qs)}
	sum := 0.0
	for _, q := range qs {
		sum += q.Settings.Rate
	}
	all.Settings.Rate = fourDigits(sum)
	all.Settings.Slow, all.Settings.SlowShape = 0, experiment.Fixed
	for i := range qs {
		qs[i].Others = slices.Delete(slices.Clone(all.Others), i, i+1)
	}
	return append([]Question{all}, qs...)
}
