package rundir

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestLoad_readsAFolderOrItsFile(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	if err := experiment.WriteResult(&b, experiment.Seed()); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ResultFile), b.Bytes())
	one, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(one.Routes) != 4 {
		t.Errorf("got %d routes, want 4", len(one.Routes))
	}
	other, err := Load(filepath.Join(dir, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(one, other); diff != "" {
		t.Error(diff)
	}
}

func TestLoad_saysWhatIsMissing(t *testing.T) {
	empty, broken, other := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(broken, "result.json"), []byte(`{"kind": "measu`))
	write(t, filepath.Join(other, "result.json"), []byte(`{"routes": []}`))
	for _, c := range []struct {
		dir    string
		want   []string
		exists bool
	}{
		{filepath.Join(empty, "nowhere"), []string{"there is no folder", "pghold lab wrote"}, false},
		{empty, []string{"not the folder of a run", "no result.json", "pghold lab wrote"}, false},
		{broken, []string{"result.json", "not a pghold result", "run pghold lab again"}, true},
		{other, []string{"result.json", `has no "kind"`, "run pghold lab again"}, true},
	} {
		r, err := Load(c.dir)
		if err == nil {
			t.Errorf("%s: got %v and no error", c.dir, r)
			continue
		}
		for _, want := range append(c.want, c.dir) {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %q, want %q in it", c.dir, err, want)
			}
		}
		if errors.Is(err, fs.ErrNotExist) == c.exists {
			t.Errorf("%s: errors.Is(%q, fs.ErrNotExist) is %v", c.dir, err, !c.exists)
		}
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
