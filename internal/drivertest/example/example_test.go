// Package example_test has examples/holds copied to another place, where it is built and
// tested as whoever copies it would.
package example_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pghold/pghold/internal/pg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestHolds_IsAProgramOfItsOwn(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "holds")
	if err := os.CopyFS(elsewhere, os.DirFS(filepath.Join(root, "examples", "holds"))); err != nil {
		t.Fatal(err)
	}
	command := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = elsewhere
		// The versions that its go.mod names are those of this repository.
		cmd.Env = append(os.Environ(), "GOWORK="+filepath.Join(elsewhere, "go.work"), "DATABASE_URL="+pgtest.DSN(t))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	const module = "github.com/pghold/pghold"
	work := "go 1.26.0\n\nuse .\n\nreplace (\n\t" + module + " v0.1.0 => " + root + "\n\t" + module + "/pgxhold v0.1.0 => " + root + "/pgxhold\n)\n"
	if err := os.WriteFile(filepath.Join(elsewhere, "go.work"), []byte(work), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(command("go", "list", "-deps", "-test", ".")) {
		if strings.HasPrefix(path, module+"/internal/") && path != module+"/internal/callsite" && path != module+"/internal/naming" && path != module+"/internal/framekey" {
			t.Errorf("it depends on %s", path)
		}
	}
	command("go", "vet", ".")
	if out := command("go", "test", "-v", "-count=1", "."); strings.Count(out, "--- PASS") != 2 {
		t.Errorf("its tests say\n%s", out)
	}
}
