package rundir

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Runs are those of one case, in order. Where there are several, each has a folder of its
// own (Round) until it is known whose files stay.
type Runs struct {
	done []*experiment.RouteResult
	dirs []string // the folders of those done
	all  []string // and of one that was not; none where files are where they belong
}

// Add takes in a run; r is nil where it was not finished.
func (rs *Runs) Add(r *experiment.RouteResult, dir, belongs string) {
	if dir != belongs {
		rs.all = append(rs.all, dir)
	}
	if r != nil {
		rs.done, rs.dirs = append(rs.done, r), append(rs.dirs, dir)
	}
}

// Result returns the run with the median throughput, and moves that run's files to where
// they belong. It has the figures of the other runs, if there are any.
func (rs *Runs) Result(belongs string) (*experiment.RouteResult, error) {
	return rs.ResultOf(rs.Median(), belongs)
}

// ResultOf is Result for a run that is chosen already: of several cases that were run at
// once, and have their files in one folder, the same run has to stand for all.
func (rs *Runs) ResultOf(i int, belongs string) (*experiment.RouteResult, error) {
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

// Done are those that were finished.
func (rs *Runs) Done() []*experiment.RouteResult { return rs.done }

// Median is the number of the run with the median throughput; of an even number, that with the
// lower of the two in the middle.
func (rs *Runs) Median() int {
	order := make([]int, len(rs.done))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rs.done[a].Throughput, rs.done[b].Throughput) })
	return order[(len(order)-1)/2]
}

// Clear removes the folders of the runs.
func (rs *Runs) Clear() {
	for _, dir := range rs.all {
		os.RemoveAll(dir)
	}
}
