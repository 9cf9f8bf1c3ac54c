//go:build unix

package rundir

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// kill leaves a folder as a run does that is killed.
func (f *Dir) kill() { f.lock.Close() }

func TestSweep(t *testing.T) {
	const notOurs = "of another program"
	for name, c := range map[string]struct {
		files []string
		mark  string // in place of the marker
		alive bool
		swept bool
		says  string
	}{
		"a run that lives":         {files: []string{"a.bin"}, alive: true},
		"before the first request": {swept: true, says: "Removed dir/old, "},
		"in the first route":       {files: []string{"a.bin", "a.connections.csv"}, swept: true, says: "Removed dir/old, "},
		"in a repetition":          {files: []string{".run-1-123/a.bin", ".run-1-123/a.connections.csv"}, swept: true, says: "Removed dir/old, "},
		"in the second route":      {files: []string{"a.bin", "a.connections.csv", "a.holds.json", "a.checkouts.csv", "b.bin"}, says: "Kept dir/old, "},
		"in the second repetition": {files: []string{".run-1-123/a.holds.json", ".run-2-123/a.bin"}, says: "Kept dir/old, "},
		"while it was saved":       {files: []string{"result.json"}, says: "Kept dir/old, "},
		"the user's own beside it": {files: []string{"a.bin", "notes.txt"}, says: "Kept dir/old, "},
		"on another machine":       {files: []string{"a.bin"}, mark: strings.Replace((&Dir{}).marker(), ", on ", ", on not-", 1)},
		"not pghold's":             {files: []string{"a.bin"}, mark: notOurs},
		"cut off as it started":    {mark: " "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			old, err := New("dir/old", nowhere)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range c.files {
				if err := os.MkdirAll(filepath.Dir(old.in(file)), 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(old.in(file), nil, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if c.mark != "" {
				if err := os.WriteFile(old.in(unfinished), []byte(c.mark), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			before := files(t, "dir")
			if c.alive {
				defer old.Discard()
			} else {
				old.kill()
			}
			for range 2 { // what was said is not said again
				var said []string
				Sweep("dir", func(line string) { said = append(said, line) })
				if len(said) != min(1, len(c.says)) || !strings.HasPrefix(strings.Join(said, ""), c.says) {
					t.Errorf("said %q, want %q", said, c.says)
				}
				want := before
				switch {
				case c.swept:
					want = nil
				case c.says != "": // only the marker has gone
					want = slices.DeleteFunc(slices.Clone(before), func(name string) bool { return name == "dir/old/"+unfinished })
				}
				if got := files(t, "dir"); !slices.Equal(got, want) {
					t.Errorf("there are %q, want %q", got, want)
				}
				c.says = ""
				before = want
			}
		})
	}
}

// The name that a killed run had is free again.
func TestNew_OfARunThatWasKilled(t *testing.T) {
	t.Chdir(t.TempDir())
	killed, err := New("run", nowhere)
	if err != nil {
		t.Fatal(err)
	}
	killed.kill()
	again, err := New("run", nowhere)
	if err != nil {
		t.Fatal(err)
	}
	again.Discard()
}
