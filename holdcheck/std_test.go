package holdcheck

import "testing"

// raceDetector is whether the test was built with -race.
var raceDetector bool

// TestCheck_std reads the whole standard library as if it were the program: much
// source, in every style. Nothing in it may be found: it lends connections out, and
// holds none while it waits for something else. That took 9 s and 1.3 GB.
func TestCheck_std(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("reads 350 packages")
	}
	r, err := Check(t.Context(), Options{Patterns: []string{"std"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range r.Errors {
		t.Error(text)
	}
	for _, text := range r.Unread { // with cgo
		t.Log(text)
	}
	for _, f := range r.Findings {
		t.Errorf("got %s %s: %s; chain %v, want nothing found in the standard library", f.Worst().Severity, f.Worst().Kind, f.Message, f.Worst().Chain)
	}
}
