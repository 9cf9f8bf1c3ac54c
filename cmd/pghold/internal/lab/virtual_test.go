package lab_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/golden"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
)

// roundTrip is how long the Postgres in memory takes for an answer.
const roundTrip = 307 * time.Microsecond

// untied are the seed's settings but for a moment more of the slow call and of the
// time-outs: so no two events fall on the same instant, where their order would be chance.
// A group makes time-outs of its own, of a sixth of the clients' for example.
func untied() experiment.Settings {
	s := experiment.Defaults()
	s.Slow += 137 * time.Microsecond
	s.ClientTimeout += 6 * 53 * time.Microsecond
	s.PoolTimeout += time.Millisecond
	return s
}

// virtually runs cases in virtual time, on a Postgres in memory: nothing of it depends
// on the machine. It returns the results, and the folder with the files.
func virtually(t *testing.T, s experiment.Settings, cases []experiment.Case) (*experiment.Result, string) {
	t.Helper()
	if !raceDetector { // one processor is quicker: in a bubble hardly two things happen at once
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	dir := t.TempDir()
	all := &experiment.Result{}
	for i, c := range cases {
		// A bubble each: how long a server takes to shut down is chance, and moves what
		// comes after it.
		synctest.Test(t, func(t *testing.T) {
			network := &memnet.Network{}
			server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: roundTrip})
			defer server.Close()
			db, err := lab.OpenDatabaseIn(t.Context(), network, server.DSN(), c.Settings.ServerConnections())
			if err != nil {
				t.Fatal(err)
			}
			res, err := lab.Run(t.Context(), db, lab.Options{Settings: s, Cases: cases[i : i+1], Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			all.Settings, all.Routes = res.Settings, append(all.Routes, res.Routes...)
			time.Sleep(time.Minute) // for timers of net/http
		})
	}
	for i := range all.Routes {
		checkWhole(t, cases[i].Settings, &all.Routes[i])
		checkSeen(t, cases[i].Settings, &all.Routes[i])
	}
	return all, dir
}

// checkSeen checks that the server saw as much silence as the app, but for what lies
// between two samples of each connection's beginning and end.
func checkSeen(t *testing.T, s experiment.Settings, r *experiment.RouteResult) {
	t.Helper()
	switch {
	case s.IdleInTransactionTimeout+s.TransactionTimeout > 0:
		return // the app counts on until it notices that its transaction is gone
	case s.CancelOnDisconnect:
		return // most holds are cut to less than what lies between two samples
	}
	app, server := r.Holds.SilentInTransaction, r.Connections.SilentInTransaction
	apart := 200 * time.Millisecond * time.Duration(s.Connections())
	if r.Of().HoldsThroughCall() && (app-server).Abs() > apart {
		t.Errorf("%s: silent in transaction for %v, and the server saw %v", r.Name, app, server)
	}
}

// Every group comes out the same to the nanosecond, whatever else the machine does.
func TestVirtual_Groups(t *testing.T) {
	for _, name := range []string{"seed", "remedies", "streaming", "price", "trips", "guards", "pools"} {
		t.Run(name, func(t *testing.T) {
			group, err := experiment.FindGroup(name)
			if err != nil {
				t.Fatal(err)
			}
			var cases []experiment.Case
			for _, c := range group.Cases(untied()) {
				if c.Settings.Pool != experiment.SQLPool { // whose order is chance
					cases = append(cases, c)
				}
			}
			res, dir := virtually(t, untied(), cases)
			var got strings.Builder
			for _, r := range res.Routes {
				describe(&got, &r)
				// vegeta estimates its quantiles: how well depends on how they are spread.
				m := checkFiles(t, dir, &r)
				near(t, r.Name+": vegeta's p50", m.Latencies.P50.Seconds(), r.Latency.P50.Seconds(), 0.02)
				near(t, r.Name+": vegeta's p99", m.Latencies.P99.Seconds(), r.Latency.P99.Seconds(), 0.02)
			}
			golden.Equal(t, "virtual/"+name+".txt", got.String())
		})
	}
}

// describe writes what a route's result says, but for what samples happen to see.
func describe(w *strings.Builder, r *experiment.RouteResult) {
	o, h, l := r.Outcomes, r.Holds, r.Latency
	fmt.Fprintf(w, "%s: %d of %d answered\n", r.Name, o.OK, r.Requests)
	fmt.Fprintf(w, "  client timeout %d, pool timeout %d, rejected %d, error %d\n", o.ClientTimeout, o.PoolTimeout, o.Rejected, o.Error)
	fmt.Fprintf(w, "  %.4f/s in %v", r.Throughput, r.Elapsed)
	if !r.Of().AnswersEarly() { // whose outbox is looked at from time to time
		fmt.Fprintf(w, ", handlers %v longer", r.DrainedAfter)
	}
	fmt.Fprintln(w)
	fmt.Fprintf(w, "  latency min %v, p50 %v, p90 %v, p99 %v, max %v, mean %v\n", l.Min, l.P50, l.P90, l.P99, l.Max, l.Mean)
	fmt.Fprintf(w, "  time: thread %v, pool %v, busy %v, slow call %v\n", r.Time.ThreadWait, r.Time.PoolWait, r.Time.Busy, r.Time.Slow)
	fmt.Fprintf(w, "  %d holds of %v to %v, silent in transaction for %v, at most %d waiting\n", h.Count, h.Held.Min, h.Held.Max, h.SilentInTransaction, h.MaxWaiting)
	fmt.Fprintf(w, "  connections %d, silent in transaction %d, left %d\n", r.Connections.Max, r.Connections.MaxSilentInTransaction, r.Connections.Left)
	fmt.Fprintf(w, "  per request: %.4f checkouts, %.4f statements, %.4f round trips\n", r.PerRequest.Checkouts, r.PerRequest.Statements, r.PerRequest.RoundTrips)
	if u := r.Updates; u != nil {
		fmt.Fprintf(w, "  updates: %d recorded, %d lost, %d retries, %d calls, %d of them again\n", u.Recorded, u.Lost, u.Retries, u.Calls, u.CallsRepeated)
	}
}

// one runs one route in virtual time.
func one(t *testing.T, s experiment.Settings, route string) (*experiment.RouteResult, string) {
	t.Helper()
	routes, err := experiment.FindRoutes([]string{route})
	if err != nil {
		t.Fatal(err)
	}
	res, dir := virtually(t, s, experiment.CasesOf(routes, s))
	return &res.Routes[0], dir
}

// What the experiment says, from its own figures and in its own words: 40 threads or 15
// connections, for 500 requests within 5 s, of clients who wait for 30 s.
func TestVirtual_TheSeed(t *testing.T) {
	s := untied()
	const interval = 10 * time.Millisecond // between two requests
	hold := s.Slow + 2*roundTrip           // BEGIN with the read, and the rollback
	// In its k-th round a connection is at k holds after its first request, and serves
	// the one that was sent k-1 times fifteen requests later.
	turn := time.Duration(s.Connections()) * interval
	rounds := int((s.ClientTimeout - turn) / (hold - turn))
	for _, name := range []string{syncInside, asyncInside} {
		r, _ := one(t, s, name)
		if want := rounds * s.Connections(); r.Outcomes.OK != want || want != 240 || r.Outcomes.ClientTimeout != 260 {
			t.Errorf("%s: %+v, want %d answered and all others given up", name, r.Outcomes, want)
		}
		if want := 499*interval + s.ClientTimeout; r.Elapsed != want {
			t.Errorf("%s: it took %v, want %v, until the last client had left", name, r.Elapsed, want)
		}
	}
	r, _ := one(t, s, asyncOutside)
	if want := 2*roundTrip + s.Slow; r.Outcomes.OK != 500 || near1(r.Latency.P50, want) || near1(r.Latency.P99, want) {
		t.Errorf("%s: %+v, %v; want all answered within %v", asyncOutside, r.Outcomes, r.Latency, want)
	}
	r, _ = one(t, s, syncOutside)
	// 500 requests on 40 threads: the last twenty begin when twelve rounds are over.
	if want := 12*hold + time.Duration(19)*interval + hold; r.Outcomes.OK != 500 || near1(r.Elapsed, want) {
		t.Errorf("%s: %+v in %v, want all answered in %v", syncOutside, r.Outcomes, r.Elapsed, want)
	}
}

// near1 reports whether two times are a millisecond apart or more: what opening a
// connection and preparing a statement cost the first requests.
func near1(a, b time.Duration) bool { return (a - b).Abs() >= time.Millisecond }

// A load that lasts longer brings not one success more. A pool timeout below client
// timeout minus slow call does.
func TestVirtual_LastingOverload(t *testing.T) {
	s := untied()
	s.Duration = 30 * time.Second
	before, _ := one(t, s, asyncInside)
	if before.Outcomes.OK != 240 {
		t.Errorf("after 30 s of overload %d of %d were answered, want 240, as after 5 s", before.Outcomes.OK, before.Requests)
	}
	s.PoolTimeout = 27500 * time.Millisecond
	after, _ := one(t, s, asyncInside)
	// 15 connections answer 15 in every 2 s, from the first request until the last that
	// has a connection before its pool timeout.
	if after.Outcomes.OK != 435 || after.Outcomes.ClientTimeout != 0 {
		t.Errorf("with a shorter pool timeout %+v, want 435 answered and nobody who left", after.Outcomes)
	}
}

// With cancel-on-disconnect nobody works for clients that have gone; without, the sync
// route works on for all of them.
func TestVirtual_CancelOnDisconnect(t *testing.T) {
	s := untied()
	without, _ := one(t, s, syncInside)
	if without.Holds.Count != without.Requests || without.DrainedAfter < 30*time.Second {
		t.Errorf("without it %d of %d requests were worked on, %v longer than clients waited; want all, for as long as that takes",
			without.Holds.Count, without.Requests, without.DrainedAfter)
	}
	s.CancelOnDisconnect = true
	with, _ := one(t, s, syncInside)
	if with.Outcomes != without.Outcomes || near1(with.DrainedAfter, roundTrip) {
		t.Errorf("with it %+v, and handlers went on for %v; want the same outcomes, and no longer than a rollback takes", with.Outcomes, with.DrainedAfter)
	}
	if got, most := with.Holds.SilentInTransaction, with.Elapsed*time.Duration(s.Connections()); got > most || without.Holds.SilentInTransaction < 2*got*9/10 {
		t.Errorf("silent in transaction for %v with it, and for %v without; want %v at most, and nearly twice that", got, without.Holds.SilentInTransaction, most)
	}
}

// Two sessions of the framework's, which the handler cannot tell apart: one is held
// while the answer is streamed.
func TestVirtual_StreamIsInsideTheSessionOnlyPerRequest(t *testing.T) {
	s := untied()
	s.Rate, s.Duration = 2, time.Second // nobody has to wait
	for route, want := range map[string]time.Duration{
		"stream_session_per_request": s.Slow + 2*roundTrip,
		"stream_session_per_handler": 2 * roundTrip,
	} {
		r, dir := one(t, s, route)
		for _, series := range readHolds(t, dir, r).Series {
			if near1(series.Held.Max(), want) {
				t.Errorf("%s: held for %v at most, want %v", route, series.Held.Max(), want)
			}
		}
	}
}

// A read takes one round trip, two, or three, and a database that is away makes each
// longer.
func TestVirtual_RoundTrips(t *testing.T) {
	s := untied()
	s.Rate, s.Duration, s.PoolSize, s.MaxOverflow = 50, time.Second, 1, 0
	for i, route := range experiment.RoutesOf("trips") {
		for _, s.Distance = range []time.Duration{0, 3 * time.Millisecond} {
			n := 3 - i
			r, _ := one(t, s, route.Name)
			if got, want := r.PerRequest.RoundTrips, float64(n)+1/float64(r.Requests); got != want || route.RoundTrips() != n { // to prepare the statement
				t.Errorf("%s: %v round trips per request, want %v; its steps have %d", r.Name, got, want, route.RoundTrips())
			}
			if got, want := r.Latency.P50, time.Duration(n)*(roundTrip+s.Distance); near1(got, want) {
				t.Errorf("%s: answered in %v with the database %v away, want %v", r.Name, got, s.Distance, want)
			}
		}
	}
}

// The server ends transactions that are silent for too long, or last for too long. A
// request that does not use its transaction again does not notice; one that does fails,
// and has paid for nothing.
func TestVirtual_TransactionsThatAreEnded(t *testing.T) {
	for name, limit := range map[string]func(*experiment.Settings){
		"idle in transaction": func(s *experiment.Settings) { s.IdleInTransactionTimeout = time.Second },
		"transaction":         func(s *experiment.Settings) { s.TransactionTimeout = time.Second },
	} {
		s := untied()
		limit(&s)
		if r, _ := one(t, s, asyncInside); r.Outcomes.OK != 240 || r.Connections.Left != 0 {
			t.Errorf("%s timeout: %+v, %d connections left; want 240 answered as without, and no connection left", name, r.Outcomes, r.Connections.Left)
		}
		r, _ := one(t, s, "update_in_one_transaction")
		if u := r.Updates; r.Outcomes.OK != 0 || r.Outcomes.Error == 0 || u.Recorded != 0 || u.Calls != r.Holds.Count {
			t.Errorf("%s timeout: the update that goes on after its call: %+v, %+v; want all failed after the call", name, r.Outcomes, u)
		}
	}
}

// The waiters' order decides who is served while the pool is too small: in order, all
// are served late; at random, some at once and others never.
func TestVirtual_OrderOfWaiters(t *testing.T) {
	s := untied()
	s.Duration = 30 * time.Second
	for _, s.Pool = range []string{experiment.QueuePool, experiment.PgxPool} {
		if r, _ := one(t, s, asyncInside); r.Outcomes.OK != 240 {
			t.Errorf("%s: %d answered, want 240", s.Pool, r.Outcomes.OK)
		}
	}
	s.Pool = experiment.SQLPool
	// 450 are served. Chance gives 390 to 410 of these to clients who are still there.
	if r, _ := one(t, s, asyncInside); r.Outcomes.OK < 340 || r.Outcomes.OK > 450 {
		t.Errorf("%s: %d answered, want about 400", s.Pool, r.Outcomes.OK)
	}
}
