//go:build linux || darwin

package pgtemp

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNPM_IsTheFirstProgramOfThatName(t *testing.T) {
	folder, text, program := t.TempDir(), t.TempDir(), t.TempDir()
	check(t, os.Mkdir(filepath.Join(folder, "npm"), 0o755))
	check(t, os.WriteFile(filepath.Join(text, "npm"), nil, 0o644))
	check(t, os.WriteFile(filepath.Join(program, "npm"), nil, 0o755))
	for path, want := range map[string]int{"": 0, t.TempDir(): 0, folder: 0, text: 0, program: 1} {
		if got := len(npm(path)); got != want {
			t.Errorf("with PATH=%s: %d ways, want %d", path, got, want)
		}
	}
	all := folder + string(filepath.ListSeparator) + text + string(filepath.ListSeparator) + program
	if got := len(npm(all)); got != 1 {
		t.Errorf("with PATH=%s: %d ways, want 1", all, got)
	}
}
