package experiment_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold/experiment"
)

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
