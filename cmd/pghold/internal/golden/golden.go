// Package golden compares what a test makes with a file in its testdata. It is for
// tests: whoever imports it has the flag -update, which writes the files anew.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the files in testdata instead of comparing with them")

// Equal fails the test where the file in testdata has another text.
func Equal(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(file))
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run this package's tests with -update, and read what they wrote", err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s: want -, got +; if the change is meant, run this package's tests with -update\n%s", path, diff)
	}
}
