package plan

import (
	"reflect"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func modes(t *testing.T, name string, change func(*experiment.Settings)) (transaction, session *experiment.RouteResult) {
	t.Helper()
	s := experiment.Defaults()
	change(&s)
	c := experiment.Case{Route: route(t, name), Settings: s}
	var err error
	if transaction, err = predictCase(c, Model{}); err != nil {
		t.Fatal(err)
	}
	if session, err = predictCase(c, Model{SessionMode: true}); err != nil {
		t.Fatal(err)
	}
	return transaction, session
}

// In session mode it does not matter that the transaction is over during the call: the
// app's connection keeps its server connection, and the others wait for theirs.
func TestPredict_sessionModeKeepsTheServerConnection(t *testing.T) {
	transaction, session := modes(t, "autocommit_inside", func(s *experiment.Settings) { s.PgBouncer, s.PoolSize, s.MaxOverflow = 5, 500, 0 })
	if transaction.SuccessRatio != 1 {
		t.Errorf("in transaction mode %v are answered, want all", transaction.SuccessRatio)
	}
	// 5 at once, of 2 s each: those who come while one is idle have it, and the others
	// never get one, since no connection is closed.
	if ok := session.Outcomes.OK; ok < 5 || ok > 20 || session.Connections.Max != 5 {
		t.Errorf("in session mode %d are answered, with %d server connections", ok, session.Connections.Max)
	}
}

// Where each of the pool's connections can have one, it is as without a PgBouncer.
func TestPredict_sessionModeWithEnoughIsAsWithout(t *testing.T) {
	with := func(servers int) *experiment.RouteResult {
		_, r := modes(t, "async_session_sleep_inside_session", func(s *experiment.Settings) { s.PgBouncer, s.PoolSize, s.MaxOverflow = servers, 10, 0 })
		return r
	}
	if none, enough := with(0), with(10); none.Latency != enough.Latency || !reflect.DeepEqual(none.Outcomes, enough.Outcomes) {
		t.Errorf("without a PgBouncer %+v, with enough server connections %+v", none.Latency, enough.Latency)
	}
}

// Overflow connections are closed when they are given back, and their server connections
// are others'.
func TestPredict_sessionModeOfConnectionsThatAreClosed(t *testing.T) {
	s := experiment.Defaults()
	s.PgBouncer, s.PoolSize, s.MaxOverflow, s.Slow = 2, 1, 9, time.Second
	m := Model{SessionMode: true, Times: []time.Duration{0, 0, 0, 0}}
	c := experiment.Case{Route: route(t, "async_session_sleep_inside_session"), Settings: s}
	sm, err := newSim(Question{Case: c, Model: m}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // again with the same memory
		sm.forget()
		sm.run(m.arrivals(s, nil))
		// Two at once. The connection of the first to end is kept, with its server connection,
		// and the others' are closed: so it is one after the other from then on.
		if r := sm.seen().of(0).result(c); r.Outcomes.OK != 4 || r.Latency.Max != 3*time.Second {
			t.Errorf("%d of 4 answered, the last after %v, want 3 s", r.Outcomes.OK, r.Latency.Max)
		}
		if rep := sm.replicas[0]; rep.open != 1 || rep.attached != 1 || sm.servers.used != 1 {
			t.Errorf("at the end %d connections are open, %d of them attached, and %d server connections in use", rep.open, rep.attached, sm.servers.used)
		}
	}
}

// Who has waited 120 s of the clock for a server connection is disconnected.
func TestPredict_pgBouncerDisconnectsWhoWaitsTooLong(t *testing.T) {
	s := experiment.Defaults()
	s.PgBouncer, s.PoolSize, s.Slow, s.ClientTimeout = 1, 10, 200*time.Second, 1000*time.Second
	m := Model{Times: []time.Duration{0, 0}}
	c := experiment.Case{Route: route(t, "async_session_sleep_inside_session"), Settings: s}
	sm, err := newSim(Question{Case: c, Model: m}, 1)
	if err != nil {
		t.Fatal(err)
	}
	sm.run(m.arrivals(s, nil))
	if o := sm.seen().of(0).result(c).Outcomes; o.OK != 1 || o.Error != 1 {
		t.Errorf("got %+v, want one answer and one error", o)
	}
	if open := sm.replicas[0].open; open != 1 {
		t.Errorf("%d connections are open at the end, want that of the one who was answered", open)
	}
}
