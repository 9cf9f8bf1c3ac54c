package report

import (
	"testing"
	"time"

	"github.com/pghold/pghold/experiment"
)

func TestRepeatCommand(t *testing.T) {
	names := func(r *experiment.Result, names ...string) *experiment.Result {
		r.Routes = nil
		for _, n := range names {
			r.Routes = append(r.Routes, experiment.RouteResult{Name: n})
		}
		return r
	}
	all := measured()
	all.Settings.Rate, all.Settings.ClientTimeout, all.Settings.Threads = 12.5, 2*time.Hour, 7
	for _, c := range []struct {
		r    *experiment.Result
		want string
	}{
		{measured(), "pghold lab"},
		{names(measured()), "pghold lab"},
		{all, "pghold lab --rate 12.5 --client-timeout 2h --threads 7"},
		{interrupted(), "pghold lab --rate 50 --duration 1m30s --slow 500ms --pool pgxpool --pool-size 20 --max-overflow 0 --pool-timeout 27.5s --cancel-on-disconnect=true --speed 10 sync_session_sleep_outside_session sync_session_sleep_inside_session"},
		{names(measured(), "a", "b'c", "--dsn=x"), `pghold lab -- a 'b'\''c' --dsn=x`},
	} {
		if got := repeatCommand(c.r); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
