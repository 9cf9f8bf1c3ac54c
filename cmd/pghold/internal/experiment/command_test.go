package experiment_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestResult_Command(t *testing.T) {
	names := func(r *experiment.Result, names ...string) *experiment.Result {
		r.Routes = nil
		for _, n := range names {
			r.Routes = append(r.Routes, experiment.RouteResult{Name: n})
		}
		return r
	}
	measured := func() *experiment.Result {
		r := *experiment.Seed()
		r.Settings = experiment.Defaults()
		return &r
	}
	all := measured()
	all.Settings.Rate, all.Settings.ClientTimeout, all.Settings.Threads = 12.5, 2*time.Hour, 7
	// of is a result of a group's cases, as the lab makes it.
	of := func(group string, keep func(i int) bool) *experiment.Result {
		g, err := experiment.FindGroup(group)
		if err != nil {
			t.Fatal(err)
		}
		r := &experiment.Result{Kind: experiment.Measured, Settings: experiment.Defaults()}
		for i, c := range g.Cases(r.Settings) {
			rr := experiment.RouteResult{Name: c.Name}
			if c.Name != c.Route.Name {
				rr.Route = c.Route.Name
			}
			if c.Settings != r.Settings {
				rr.Settings = &c.Settings
			}
			if keep(i) {
				r.Routes = append(r.Routes, rr)
			}
		}
		return r
	}
	everything := func(int) bool { return true }
	every := measured()
	every.Repeat = 3
	every.Settings = experiment.Settings{Rate: 1, Duration: time.Second, Slow: time.Minute, ClientTimeout: time.Hour, Pool: "sql", PoolSize: 2, MaxOverflow: 3,
		PoolTimeout: 4 * time.Second, Threads: 5, SlowShape: "lognormal", MaxInFlight: 6, IdleInTransactionTimeout: 7 * time.Second, TransactionTimeout: 8 * time.Second,
		Distance: 9 * time.Millisecond, PgBouncer: 1, Accounts: 11, CancelOnDisconnect: true, Speed: 12}
	interrupted := names(measured(), "sync_session_sleep_outside_session", "sync_session_sleep_inside_session")
	interrupted.Settings = experiment.Settings{Rate: 50, Duration: 90 * time.Second, Slow: 500 * time.Millisecond, SlowShape: "fixed", ClientTimeout: 30 * time.Second, Pool: "pgxpool",
		PoolSize: 20, PoolTimeout: 27500 * time.Millisecond, Threads: 40, CancelOnDisconnect: true, Accounts: 100, Speed: 10}
	turned := of("pools", everything)
	slices.Reverse(turned.Routes)
	service := func(change func(*experiment.Result)) *experiment.Result {
		r := &experiment.Result{Kind: experiment.Measured, Settings: experiment.Defaults(), Service: &experiment.Service{
			Command: []string{"uvicorn", "app:app", "--port", "8000"}, Attacks: []experiment.Attacked{{Name: "GET /a", Method: "GET", URL: "http://127.0.0.1:8000/a?b=1"}},
		}, Routes: []experiment.RouteResult{{Name: "GET /a"}}}
		change(r)
		return r
	}
	for _, c := range []struct {
		r    *experiment.Result
		want string
	}{
		{service(func(*experiment.Result) {}), "pghold prove --attack 'GET http://127.0.0.1:8000/a?b=1' -- uvicorn app:app --port 8000"},
		{service(func(r *experiment.Result) {
			r.Settings.Rate, r.Repeat = 20, 6
			r.Service.Together, r.Service.Flags, r.Service.Command = true, []string{"--setup", "psql -f a.sql"}, nil
		}), "pghold prove --rate 20 --repeat 6 --attack 'GET http://127.0.0.1:8000/a?b=1' --together --setup 'psql -f a.sql'"},
		{of("seed", everything), "pghold lab"},
		{of("remedies", everything), "pghold lab --group remedies"},
		{of("remedies", func(i int) bool { return i < 2 }), "pghold lab commit_before_call commit_then_touch"},
		{of("guards", everything), "pghold lab --group guards"},
		{of("guards", func(i int) bool { return i != 3 && i < 9 }), "pghold lab --group guards"}, // interrupted, on an old server
		{of("pgbouncer", everything), "pghold lab --group pgbouncer"},
		{of("pgbouncer", func(i int) bool { return i == 0 }), "pghold lab --group pgbouncer"},
		{of("trips", everything), "pghold lab --group trips"},
		{turned, "pghold lab async_session_sleep_inside_session"}, // no group's, but to be run all the same
		{measured(), "pghold lab"},
		{&experiment.Result{Kind: experiment.Measured, Settings: experiment.Defaults(), Routes: []experiment.RouteResult{{Name: "async_session_sleep_inside_session", Predicted: &experiment.Prediction{}}}},
			"pghold lab --predict async_session_sleep_inside_session"},
		{&experiment.Result{Kind: experiment.Measured, Settings: experiment.Defaults(), Routes: []experiment.RouteResult{{Name: "async_session_sleep_inside_session", Sides: &experiment.Sides{}}}},
			"pghold lab --tap async_session_sleep_inside_session"},
		{names(measured()), "pghold lab"},
		{&experiment.Result{Kind: experiment.Measured, Settings: experiment.Defaults(), Repeat: 1}, "pghold lab"},
		{every, "pghold lab --rate 1 --duration 1s --slow 1m --slow-shape lognormal --client-timeout 1h --pool sql --pool-size 2 --max-overflow 3 --pool-timeout 4s --threads 5 " +
			"--cancel-on-disconnect=true --max-in-flight 6 --idle-in-transaction-timeout 7s --transaction-timeout 8s --distance 9ms --pgbouncer --pgbouncer-size 1 --accounts 11 --speed 12 --repeat 3"},
		{all, "pghold lab --rate 12.5 --client-timeout 2h --threads 7"},
		{interrupted, "pghold lab --rate 50 --duration 1m30s --slow 500ms --pool pgxpool --pool-size 20 --max-overflow 0 --pool-timeout 27.5s --cancel-on-disconnect=true --speed 10 sync_session_sleep_outside_session sync_session_sleep_inside_session"},
		{names(measured(), "a", "b'c", "--dsn=x"), `pghold lab -- a 'b'\''c' --dsn=x`},
	} {
		if got := c.r.Command(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// Who repeats a prediction predicts, and does not start a Postgres.
func TestResult_CommandOfAPrediction(t *testing.T) {
	r := &experiment.Result{Kind: experiment.Predicted, Settings: experiment.Defaults()}
	if got := r.Command(); got != "pghold plan" {
		t.Errorf("got %q, want pghold plan", got)
	}
}
