package rundir

import (
	"net/http"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestOutcomeOf(t *testing.T) {
	const patience = 30 * time.Second
	later := http.Header{"Retry-After": {"1"}}
	for _, c := range []struct {
		hit  vegeta.Result
		want experiment.Outcome
	}{
		{vegeta.Result{Code: 199}, experiment.Failed},
		{vegeta.Result{Code: 200}, experiment.OK},
		{vegeta.Result{Code: 399}, experiment.OK},
		{vegeta.Result{Code: 400}, experiment.Failed},
		{vegeta.Result{Code: 429}, experiment.Rejected},
		{vegeta.Result{Code: 503}, experiment.PoolTimeout},
		{vegeta.Result{Code: 503, Headers: later}, experiment.Failed},
		{vegeta.Result{Latency: patience}, experiment.ClientTimeout},
		{vegeta.Result{Latency: patience - time.Microsecond}, experiment.ClientTimeout},
		{vegeta.Result{Latency: patience - 2*time.Microsecond}, experiment.Failed},
	} {
		if got := outcomeOf(&c.hit, patience); got != c.want {
			t.Errorf("code %d, %v, %v: got %v, want %v", c.hit.Code, c.hit.Latency, c.hit.Headers, got, c.want)
		}
	}
}
