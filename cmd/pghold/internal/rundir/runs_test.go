package rundir_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// keepMedian makes one result of runs, and of their files.
func keepMedian(done []*experiment.RouteResult, dirs []string, belongs string) (*experiment.RouteResult, error) {
	var rs rundir.Runs
	for i, r := range done {
		rs.Add(r, dirs[i], belongs)
	}
	defer rs.Clear()
	return rs.Result(belongs)
}

func TestRuns_KeepsTheFilesOfTheMedian(t *testing.T) {
	dir := t.TempDir()
	var dirs []string
	for i := range 3 {
		d := filepath.Join(dir, fmt.Sprintf(".run-%d", i))
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "r.bin"), []byte{byte(i)}, 0o666); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, d)
	}
	r, err := keepMedian([]*experiment.RouteResult{{Throughput: 9}, {Throughput: 1}, {Throughput: 5}}, dirs, dir)
	if err != nil || r.Throughput != 5 || len(r.Repeats) != 3 || r.Repeats[1].Throughput != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "r.bin"))
	if err != nil || !bytes.Equal(b, []byte{2}) {
		t.Errorf("the file is that of run %v, want 2 (%v)", b, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".run-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestRuns_Median(t *testing.T) {
	runs := func(ps ...float64) []*experiment.RouteResult {
		var rs []*experiment.RouteResult
		for _, p := range ps {
			rs = append(rs, &experiment.RouteResult{Name: "r", Throughput: p})
		}
		return rs
	}
	for _, c := range []struct {
		throughputs []float64
		want        int
	}{
		{[]float64{5}, 0}, {[]float64{5, 3}, 1}, {[]float64{3, 5}, 0}, {[]float64{9, 1, 5}, 2}, {[]float64{4, 9, 1, 5}, 0}, {[]float64{2, 2, 2}, 1},
	} {
		if got := rundir.MedianOf(runs(c.throughputs...)); got != c.want {
			t.Errorf("of %v, run %d is the median, want %d", c.throughputs, got, c.want)
		}
	}
}

func TestRuns_OneThatIsNotValidIsEnough(t *testing.T) {
	dir := t.TempDir()
	runs := []*experiment.RouteResult{{Throughput: 2}, {Throughput: 3, NotValid: "2 of 500 requests failed."}, {Throughput: 1}}
	r, err := keepMedian(runs, []string{dir, dir, dir}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if r.Throughput != 2 || r.NotValid != "Of run 2 of 3: 2 of 500 requests failed." {
		t.Errorf("got throughput %v, %q", r.Throughput, r.NotValid)
	}
	if runs[0].NotValid != "" {
		t.Error("the run itself was changed")
	}
}

// Cases that were run at once have their files in one folder: those of one run stay for all.
func TestRuns_ResultOfSeveralAtOnce(t *testing.T) {
	dir := t.TempDir()
	var a, b rundir.Runs
	for i, throughputs := range [][2]float64{{1, 9}, {5, 5}, {9, 1}} {
		d := filepath.Join(dir, fmt.Sprintf(".run-%d", i))
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a.bin", "b.bin"} {
			if err := os.WriteFile(filepath.Join(d, name), []byte{byte(i)}, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		a.Add(&experiment.RouteResult{Name: "a", Throughput: throughputs[0]}, d, dir)
		b.Add(&experiment.RouteResult{Name: "b", Throughput: throughputs[1]}, d, dir)
	}
	const run = 2
	for _, rs := range []*rundir.Runs{&a, &b} {
		r, err := rs.ResultOf(run, dir)
		if err != nil {
			t.Fatal(err)
		}
		if r.Throughput != rs.Done()[run].Throughput || len(r.Repeats) != 3 {
			t.Errorf("%s: got the run with %v", r.Name, r.Throughput)
		}
	}
	for _, name := range []string{"a.bin", "b.bin"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, []byte{run}) {
			t.Errorf("%s is of run %v (%v), want %d", name, got, err, run)
		}
	}
}
