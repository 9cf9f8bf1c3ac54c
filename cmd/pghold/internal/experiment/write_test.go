package experiment_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// Whatever can be in a result is read as it was written.
func TestWriteResult_ReadsBackAsItWas(t *testing.T) {
	files, err := filepath.Glob("../report/testdata/*.json") // of all kinds
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := experiment.ReadResult(want)
		if err != nil {
			continue // a comparison
		}
		read++
		var got bytes.Buffer
		if err := experiment.WriteResult(&got, r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s: want -, got +\n%s", file, diff)
		}
	}
	if read < 3 {
		t.Errorf("%d results were read of %q, want 3 at least", read, files)
	}
}

func TestWriteResult_HasListsWhereThereIsNothing(t *testing.T) {
	var b bytes.Buffer
	if err := experiment.WriteResult(&b, &experiment.Result{Kind: experiment.Measured}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"routes": []`, `"warnings": []`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
}

func TestWriteResult_RefusesNaN(t *testing.T) {
	r := *experiment.Seed()
	r.Routes = []experiment.RouteResult{{Name: "a", Throughput: math.NaN()}}
	var b bytes.Buffer
	if err := experiment.WriteResult(&b, &r); err == nil || b.Len() > 0 {
		t.Errorf("got error %v and %d bytes, want an error and none", err, b.Len())
	}
}
