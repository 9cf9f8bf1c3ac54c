package lab

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// forRun are the options of one run of a case. Where there are several, each has a
// folder of its own for its files until it is known which of them stay.
func (o Options) forRun(i, round int) (Options, error) {
	tell := o.tell
	own := o
	own.Progress = func(p Progress) {
		p.Number, p.Round, p.Rounds = i+1, round, o.Repeat
		tell(p)
	}
	if o.Repeat == 1 {
		return own, nil
	}
	var err error
	own.Dir, err = rundir.Round(o.Dir, round)
	return own, err
}

// runs are those of one case, in order.
type runs struct {
	done []*experiment.RouteResult
	dirs []string // the folders of those done
	all  []string // and of one that was not; none where files are where they belong
}

// add takes in a run; r is nil where it was not finished.
func (rs *runs) add(r *experiment.RouteResult, dir, belongs string) {
	if dir != belongs {
		rs.all = append(rs.all, dir)
	}
	if r != nil {
		rs.done, rs.dirs = append(rs.done, r), append(rs.dirs, dir)
	}
}

// result is that of the run with the median throughput, whose files it moves to
// where they belong. It has the figures of the others where there are any.
func (rs *runs) result(belongs string) (*experiment.RouteResult, error) {
	i := rs.median()
	r := *rs.done[i] // not the run's own: it has no repeats
	if len(rs.done) > 1 {
		for _, run := range rs.done {
			r.Repeats = append(r.Repeats, run.Figures())
		}
	}
	for n, run := range rs.done {
		if run.NotValid != "" && r.NotValid == "" {
			r.NotValid = fmt.Sprintf("Of run %d of %d: %s", n+1, len(rs.done), run.NotValid)
		}
	}
	if rs.dirs[i] == belongs {
		return &r, nil
	}
	files, err := os.ReadDir(rs.dirs[i])
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if err := os.Rename(filepath.Join(rs.dirs[i], f.Name()), filepath.Join(belongs, f.Name())); err != nil {
			return nil, err
		}
	}
	return &r, nil
}

// median is the run with the median throughput; of an even number, that with the
// lower of the two in the middle.
func (rs *runs) median() int {
	order := make([]int, len(rs.done))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rs.done[a].Throughput, rs.done[b].Throughput) })
	return order[(len(order)-1)/2]
}

// clear removes the folders of the runs.
func (rs *runs) clear() {
	for _, dir := range rs.all {
		os.RemoveAll(dir)
	}
}
