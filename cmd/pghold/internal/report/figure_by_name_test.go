package report

import (
	"strings"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Every figure that the seed has not stands where it belongs.
func TestFigure(t *testing.T) {
	r := groups()
	const held, read, naive, outbox = "async_session_sleep_inside_session@idle_in_transaction_timeout_lasting",
		"read_autobegin@20ms", "update_split_naive", "update_outbox"
	for _, c := range []struct{ route, name, want string }{
		{held, "attack.success", "48.0 %"}, {held, "attack.latency: p50", "30.00 s"}, {held, "attack.connections: silent", "15"},
		{held, "outcomes.answered", "240 of 500"}, {held, "outcomes.client timeout", "200"}, {held, "outcomes.pool timeout", "33"},
		{held, "outcomes.rejected", "20"}, {held, "outcomes.error", "7"}, {read, "outcomes.rejected", "0"},
		{held, "time.held", "2.003 s"}, {read, "silent.by the server", "3.000 s"},
		{held, "requests.checkouts", "0.98"}, {held, "requests.statements", "1.97"}, {held, "requests.round trips", "2.00"},
		{outbox, "requests.round trips", words.None},
		{naive, "updates.recorded", "500"}, {naive, "updates.lost", "304"}, {naive, "updates.retries", "11"},
		{naive, "updates.calls", "512"}, {naive, "updates.calls repeated", "12"}, {outbox, "updates.lost", "0"},
		{outbox, "killed.kills", "5"}, {outbox, "killed.begun", "171"}, {outbox, "killed.recorded", "168"}, {outbox, "killed.lost", "9"},
		{outbox, "killed.paid: not recorded", "7"}, {outbox, "killed.paid: twice", "8"}, {outbox, "killed.calls repeated", "36"},
		{held, "settings.differ", "30 s of load, pool timeout 27.5 s, work cancelled when its client leaves, at most 30 requests in flight, " +
			"idle in transaction timeout 1 s, transaction timeout 1.5 s, database 5 ms away"},
		{read, "settings.differ", "300 requests/s, slow call 1 s in the mean (lognormal), queuepool of 1 + 0 overflow, database 20 ms away, PgBouncer with 5 server connections"},
		{naive, "settings.differ", "database 20 ms away, 1 account"},
	} {
		got, err := Figure(r, c.route, c.name)
		if err != nil || got != c.want {
			t.Errorf("%s of %s: got %q and %v, want %q", c.name, c.route, got, err, c.want)
		}
	}
	for _, c := range []struct{ route, name, want string }{
		{"a", "attack.success", `no route "a"`},
		{held, "attack.fame", `no figure "attack.fame"`},
		{held, "attack", `no figure "attack"`},
		{held, "updates.lost", `has no figure "updates.lost"`},
		{naive, "killed.begun", `has no figure "killed.begun"`},
	} {
		if got, err := Figure(r, c.route, c.name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: got %q and %v, want an error with %q", c.name, c.route, got, err, c.want)
		}
	}
	if got, err := Figure(measured(), measured().Routes[3].Name, "attack.success"); err != nil || got != "48.0 %" {
		t.Errorf("beside the seed's: got %q and %v, want the route's own", got, err)
	}
}

// The tables of the groups are not there where nobody asked.
func TestTables_known(t *testing.T) {
	shown := func(r *experiment.Result) string {
		var names []string
		for _, t := range tables(r) {
			names = append(names, t.name)
		}
		return strings.Join(names, " ")
	}
	of := func(name string, change func(*experiment.RouteResult)) *experiment.Result {
		rr := measured().Routes[3]
		rr.Name, rr.PerRequest = name, experiment.PerRequest{Checkouts: 1, Statements: 2, RoundTrips: 2}
		change(&rr)
		return &experiment.Result{Kind: experiment.Measured, Settings: experiment.Defaults(), Routes: []experiment.RouteResult{rr}}
	}
	unchanged := func(*experiment.RouteResult) {}
	distant := experiment.Defaults()
	distant.Distance = 1
	for _, c := range []struct {
		what string
		r    *experiment.Result
		want string
	}{
		{"the seed's", of("async_session_sleep_inside_session", unchanged), "attack outcomes time"},
		{"a variant of the seed's", of("async_session_sleep_inside_session@x", func(rr *experiment.RouteResult) {
			rr.Route = "async_session_sleep_inside_session"
		}), "attack outcomes time"},
		{"a remedy", of("commit_before_call", unchanged), "attack outcomes time requests"},
		{"a remedy of the past", of("commit_before_call", func(rr *experiment.RouteResult) { rr.PerRequest = experiment.PerRequest{} }), "attack outcomes time"},
		{"at a distance", of("async_session_sleep_inside_session", func(rr *experiment.RouteResult) { rr.Settings = &distant }), "attack outcomes time requests"},
		{"nobody killed it", of("update_outbox", func(rr *experiment.RouteResult) { rr.Updates = &experiment.Updates{} }), "attack outcomes time requests updates"},
		{"from each side", of("async_session_sleep_inside_session", func(rr *experiment.RouteResult) {
			rr.Connections.SilentInTransaction, rr.Sides = ms(60000), &experiment.Sides{}
		}), "attack outcomes time sides"},
		{"all", groups(), "attack outcomes time requests updates killed silent"},
	} {
		if got := shown(c.r); got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}

// What is off in one route and on in the run is said as well.
func TestDifferences(t *testing.T) {
	base := experiment.Defaults()
	base.CancelOnDisconnect, base.MaxInFlight, base.Distance, base.PgBouncer = true, 1, 1, 1
	base.IdleInTransactionTimeout, base.TransactionTimeout, base.SlowShape = 1, 1, experiment.Stalls
	off := experiment.Defaults()
	r := &experiment.Result{Settings: base, Routes: []experiment.RouteResult{{Name: "a", Settings: &off}, {Name: "b"}}}
	all, each := differences(r)
	want := "slow call 2 s, work goes on when its client leaves, no limit of requests in flight, no idle in transaction timeout, " +
		"no transaction timeout, database on this machine, no PgBouncer"
	if all != "" || len(each) != 1 || each[0] != (difference{"a", want}) {
		t.Errorf("got %q and %q, want only a: %s", all, each, want)
	}

	r.Routes[1].Settings = &off
	if all, each := differences(r); all != want || len(each) != 0 {
		t.Errorf("got %q and %q, want nothing but what all have in common", all, each)
	}
	if all, each := differences(groups()); all != "" || len(each) != 4 {
		t.Errorf("got %q for all and %d others, want none and 4: they have nothing in common", all, len(each))
	}
}
