package experiment_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestCheckouts_SurviveTheirFile(t *testing.T) {
	want := []experiment.Checkout{
		{At: 1500 * time.Millisecond, Wait: 2 * time.Second},
		{At: 2 * time.Second, Connection: 3, Wait: time.Microsecond, Held: 1234567 * time.Microsecond, Busy: 21 * time.Microsecond, SilentInTransaction: time.Second},
	}
	var file strings.Builder
	if err := experiment.WriteCheckouts(&file, want); err != nil {
		t.Fatal(err)
	}
	const text = `at_s,connection,wait_s,held_s,busy_s,silent_in_transaction_s
1.500000,0,2.000000,0.000000,0.000000,0.000000
2.000000,3,0.000001,1.234567,0.000021,1.000000
`
	if diff := cmp.Diff(text, file.String()); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	got, err := experiment.ReadCheckouts(strings.NewReader(file.String()))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, want -, got +\n%s", err, diff)
	}
}

func TestReadCheckouts_Refuses(t *testing.T) {
	const header = "at_s,connection,wait_s,held_s,busy_s,silent_in_transaction_s\n"
	for text, want := range map[string]string{
		"":                         "first line",
		"a,b,c,d,e,f\n":            "first line",
		"at_s,connection\n":        "wrong number of fields",
		header + "1,2,3\n":         "wrong number of fields",
		header + "1,x,3,4,5,6\n":   "line 2",
		header + "1,2,3,4,5,six\n": "line 2",
	} {
		if got, err := experiment.ReadCheckouts(strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), "not a file of checkouts: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v and %v, want an error that has %q", text, got, err, want)
		}
	}
}

func TestHandovers(t *testing.T) {
	ms := time.Millisecond
	got := experiment.Handovers([]experiment.Checkout{
		{At: 0, Connection: 1, Held: 10 * ms},
		{At: 1 * ms, Connection: 2, Held: 20 * ms},
		{At: 8 * ms, Wait: 8 * ms},                                  // got none
		{At: 12 * ms, Connection: 1, Wait: 7 * ms, Held: 10 * ms},   // released at 10
		{At: 24 * ms, Connection: 2, Wait: 1 * ms, Held: 10 * ms},   // was free for 2 ms when it came
		{At: 25 * ms, Connection: 1, Wait: 3 * ms, Held: 10 * ms},   // came when it was released, and did not queue
		{At: 35*ms + 1, Connection: 1, Wait: 2 * ms, Held: 10 * ms}, // released at 35
		{At: 60 * ms, Connection: 1, Wait: 19 * ms, Held: 10 * ms},  // came when one was free, and opened it
	}, 2)
	if diff := cmp.Diff([]time.Duration{2 * ms, 1}, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}
