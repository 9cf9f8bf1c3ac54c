package rundir

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// oneRoute is a result that is worth a folder.
func oneRoute() *experiment.Result {
	return &experiment.Result{Kind: experiment.Measured, Settings: experiment.Defaults(), Routes: []experiment.RouteResult{{Name: "outside"}}}
}

// nowhere is where nobody listens.
func nowhere(string) {}

// Two runs that start in the same second have a folder each, from the start on.
func TestNew_TwoInTheSameSecond(t *testing.T) {
	t.Chdir(t.TempDir())
	synctest.Test(t, func(t *testing.T) { // where time stands still
		var folders []*Dir
		for range 3 {
			f, err := New("", nowhere)
			if err != nil {
				t.Fatal(err)
			}
			folders = append(folders, f)
		}
		for _, f := range folders {
			if err := f.Finish(oneRoute(), []byte("# The run\n"), nil); err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
			f.Discard() // as at the end of every run
		}
	})
	saved, err := filepath.Glob("pghold-results/*/result.json")
	if err != nil || len(saved) != 3 {
		t.Errorf("of three runs there are %q (%v)", saved, err)
	}
}

// A folder that is named is one run's: another one is told so before it runs.
func TestNew_TwoOfTheSameName(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("there", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"new", "there"} {
		first, err := New(name, nowhere)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(name, nowhere); err == nil || !strings.Contains(err.Error(), "--out") {
			t.Errorf("%s: a second run got %v, want an error that names --out", name, err)
		}
		if err := first.Finish(oneRoute(), []byte("# The run\n"), nil); err != nil {
			t.Error(err)
		}
		first.Discard()
		want := []string{name + "/report.md", name + "/result.json"}
		if got := files(t, name); !slices.Equal(got, want) {
			t.Errorf("saved %q, want %q", got, want)
		}
	}
}

// A folder that was there before the run stays the same one: it may be where the
// user is, or on another disk, and be known by a link.
func TestNew_ThatWasThere(t *testing.T) {
	for _, name := range []string{".", "link"} {
		t.Run(name, func(t *testing.T) {
			there := t.TempDir()
			t.Chdir(there)
			if name == "link" {
				t.Chdir(t.TempDir())
				if err := os.Symlink(there, "link"); err != nil {
					t.Fatal(err)
				}
			}
			f, err := New(name, nowhere)
			if err != nil {
				t.Fatal(err)
			}
			f.Discard() // a run that came to nothing
			if left := files(t, there); len(left) != 0 {
				t.Errorf("left behind: %q", left)
			}
			if f, err = New(name, nowhere); err != nil {
				t.Fatal(err)
			}
			if err := f.Finish(oneRoute(), []byte("# The run\n"), nil); err != nil {
				t.Error(err)
			}
			f.Discard()
			if saved := files(t, there); len(saved) != 2 {
				t.Errorf("saved %q, want the result and the report", saved)
			}
		})
	}
}

// A run that came to nothing leaves the folder above its own, unless it made that.
func TestDir_DiscardLeavesWhatWasThere(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("there", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, parent := range []string{"there", "new"} {
		f, err := New(parent+"/run", nowhere)
		if err != nil {
			t.Fatal(err)
		}
		f.Discard()
	}
	if left := files(t, "."); !slices.Equal(left, []string{"there"}) {
		t.Errorf("left: %q, want the folder that was there", left)
	}
}

// files lists what is below a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
