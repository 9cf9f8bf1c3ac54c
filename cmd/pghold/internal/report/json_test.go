package report

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestJSON_readsBackAsItWas(t *testing.T) {
	for _, want := range []*experiment.Result{measured(), interrupted(), groups(), experiment.Seed()} {
		var b bytes.Buffer
		if err := JSON(&b, want); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.String(), "}\n") {
			t.Error("no newline at the end")
		}
		got, err := experiment.ReadResult(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +\n%s", diff)
		}
	}
}

func TestJSON_hasListsWhereThereIsNothing(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, &experiment.Result{Kind: experiment.Measured}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"routes": []`, `"warnings": []`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in %s", want, b.String())
		}
	}
}

func TestJSON_refusesNaN(t *testing.T) {
	r := measured()
	r.Routes[0].Throughput = math.NaN()
	var b bytes.Buffer
	if err := JSON(&b, r); err == nil || b.Len() > 0 {
		t.Errorf("got error %v and %d bytes, want an error and none", err, b.Len())
	}
}
