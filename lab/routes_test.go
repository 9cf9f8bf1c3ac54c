package lab_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/experiment"
	"github.com/pghold/pghold/lab"
)

// small is a load that 4 connections carry for routes that give theirs back before the
// slow call, and that is four times too much for the others: 80 requests within 2 s,
// for 2 s of slow call each. Clients leave after 10 s, by when 4 connections have
// served five rounds.
func small() experiment.Settings {
	s := experiment.Defaults()
	s.Rate, s.Duration, s.PoolSize, s.MaxOverflow = 40, 2*time.Second, 2, 2
	s.ClientTimeout, s.PoolTimeout, s.Speed = 10*time.Second, 10*time.Second, 5
	return s
}

// patient are clients who wait for 20 s of the clock: where all requests have to
// be answered, it is not the machine that decides whether they are.
func patient(s experiment.Settings) experiment.Settings {
	s.ClientTimeout = time.Duration(20 * float64(time.Second) * s.Speed)
	s.PoolTimeout = s.ClientTimeout
	return s
}

// Every route does what its Steps say: it takes connections, makes round trips, and is
// silent in a transaction as often as they do; and it serves the load, or not,
// accordingly.
func TestRoutes_DoWhatTheirStepsSay(t *testing.T) {
	besideOthersUnderRace(t)
	for _, group := range []string{"remedies", "streaming"} {
		t.Run(group, func(t *testing.T) {
			var inside, outside []string
			for _, r := range experiment.RoutesOf(group) {
				if r.HoldsThroughCall() {
					inside = append(inside, r.Name)
				} else {
					outside = append(outside, r.Name)
				}
			}
			check := func(s experiment.Settings, names []string) {
				res, dir := runUndisturbed(t, s, names...)
				for _, r := range res.Routes {
					checkSteps(t, s, dir, &r)
				}
			}
			check(small(), inside)
			check(patient(small()), outside)
		})
	}
}

func names(routes []experiment.Route) (names []string) {
	for _, r := range routes {
		names = append(names, r.Name)
	}
	return names
}

func checkSteps(t *testing.T, s experiment.Settings, dir string, r *experiment.RouteResult) {
	t.Helper()
	route, snapshot := r.Of(), readHolds(t, dir, r)
	if p := snapshot.Pools[0]; p.Checkouts != p.Releases || len(snapshot.Open) != 0 {
		t.Errorf("%s: %d checkouts and %d releases", r.Name, p.Checkouts, p.Releases)
	}
	if got, want := r.PerRequest.Checkouts, float64(route.Checkouts()); got > want || got < want && !route.HoldsThroughCall() { // who holds makes others time out
		t.Errorf("%s: %.2f checkouts per request, want %v", r.Name, got, want)
	}
	// Of those that had a connection. Opening one prepares each statement once more.
	perCheckout := float64(route.RoundTrips()) / float64(route.Checkouts())
	prepared := float64(5*2*s.Connections()) / float64(r.Requests)
	if got, want := r.PerRequest.RoundTrips, r.PerRequest.Checkouts*perCheckout; got < want-0.2 || got > want+prepared {
		t.Errorf("%s: %.2f round trips per request, want %.2f to %.2f", r.Name, got, want, want+prepared)
	}

	var called, silent time.Duration
	for _, series := range snapshot.Series {
		silent += series.SilentInTransaction
		for _, c := range series.SlowCalls {
			called += c.Duration
			if file := filepath.Base(c.Site.File); !slices.Contains([]string{"seed.go", "chat.go", "remedies.go"}, file) {
				t.Errorf("%s: the slow call is at %s:%d, want a line of the handler", r.Name, file, c.Site.Line)
			}
		}
	}
	slow := s.Slow.Seconds() / s.Speed
	switch {
	case !route.HoldsThroughCall():
		if r.SuccessRatio != 1 {
			t.Errorf("%s: %d of %d requests were answered, want all: %+v, %v", r.Name, r.Outcomes.OK, r.Requests, r.Outcomes, r.Errors)
		}
		if called != 0 {
			t.Errorf("%s: %v of slow calls inside of holds, want none", r.Name, called)
		}
	case raceDetector:
	default:
		// 5 rounds of 4, and those whose turn comes before the last client has left.
		if ok := r.Outcomes.OK; ok < 16 || ok > 28 {
			t.Errorf("%s: %d of %d requests were answered, want 20 or some more", r.Name, ok, r.Requests)
		}
		if r.Connections.Max != s.Connections() {
			t.Errorf("%s: the server saw %d connections, want all %d", r.Name, r.Connections.Max, s.Connections())
		}
		if called.Seconds() < 15*slow {
			t.Errorf("%s: %v of slow calls are known inside of holds, want more than 15 of %v s", r.Name, called, slow)
		}
	}
	if raceDetector {
		return
	}
	if route.SilentInTransaction() {
		if silent.Seconds() < 15*slow || r.Connections.MaxSilentInTransaction != s.Connections() {
			t.Errorf("%s: silent in transaction for %v, at most %d connections at once; want more than 15 of %v s, and all %d",
				r.Name, silent, r.Connections.MaxSilentInTransaction, slow, s.Connections())
		}
		near(t, r.Name+": silent in transaction, the app's count by the server's", r.Holds.SilentInTransaction.Seconds(), r.Connections.SilentInTransaction.Seconds(), 0.05)
	} else if silent.Seconds() > slow {
		t.Errorf("%s: silent in transaction for %v, want next to nothing", r.Name, silent)
	}
}

func readHolds(t *testing.T, dir string, r *experiment.RouteResult) *pghold.Snapshot {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, r.Name+".holds.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Two sessions of the framework's, which the handler cannot tell apart: one is held
// while the answer is streamed.
func TestRoutes_StreamIsInsideTheSessionOnlyPerRequest(t *testing.T) {
	besideOthersUnderRace(t)
	s := small()
	s.Rate, s.Duration = 2, time.Second // nobody has to wait
	res, dir := run(t, s, "stream_session_per_request", "stream_session_per_handler")
	held := func(i int) (longest time.Duration) {
		for _, series := range readHolds(t, dir, &res.Routes[i]).Series {
			longest = max(longest, series.Held.Max())
		}
		return longest
	}
	slow := time.Duration(float64(s.Slow) / s.Speed)
	if got := held(0); got < slow*9/10 {
		t.Errorf("per request: held for %v at most, want the stream's %v", got, slow)
	}
	if got := held(1); !raceDetector && got > slow/2 {
		t.Errorf("per handler: held for %v, want next to nothing of the stream's %v", got, slow)
	}
}

// A read takes one round trip, two, or three, and a database that is away makes each
// longer.
func TestRoutes_RoundTrips(t *testing.T) {
	besideOthersUnderRace(t)
	s := experiment.Defaults()
	s.Rate, s.Duration, s.PoolSize, s.MaxOverflow = 50, time.Second, 1, 0
	for _, distance := range []time.Duration{0, 20 * time.Millisecond} {
		s.Distance = distance
		res, _ := runUndisturbed(t, s, names(experiment.RoutesOf("trips"))...)
		for i, want := range []float64{3, 2, 1} {
			r := res.Routes[i]
			if got := r.PerRequest.RoundTrips; got < want || got > want+2/float64(r.Requests) { // to prepare the statement
				t.Errorf("%s: %.3f round trips per request, want %v", r.Name, got, want)
			}
			if got, least := r.Holds.Held.Min, time.Duration(want)*distance; got < least*95/100 { // the sketch's error
				t.Errorf("%s: held for %v with the database %v away, want at least %v", r.Name, got, distance, least)
			}
			if r.Of().RoundTrips() != int(want) {
				t.Errorf("%s: its steps have %d round trips", r.Name, r.Of().RoundTrips())
			}
		}
	}
}

func TestRun_Guards(t *testing.T) {
	besideOthersUnderRace(t)
	s := small()
	group, err := experiment.FindGroup("guards")
	if err != nil {
		t.Fatal(err)
	}
	var cases []experiment.Case
	for _, c := range group.Cases(s) {
		if c.Settings.Duration == s.Duration && c.Settings.TransactionTimeout == 0 {
			cases = append(cases, c)
		}
	}
	res, _ := runCases(t, s, cases)
	get := func(name string) *experiment.RouteResult {
		t.Helper()
		r := res.Route(name)
		if r == nil {
			t.Fatalf("no case %s", name)
		}
		return r
	}
	none := get(asyncInside + "@none")

	// The server ends the session of a transaction that is silent too long. Who does
	// not use it again does not notice; the pool's place is taken all the same.
	idle := get(asyncInside + "@idle_in_transaction_timeout")
	if !raceDetector && (idle.Outcomes.OK < none.Outcomes.OK/2 || idle.Outcomes.OK > none.Outcomes.OK*3/2) {
		t.Errorf("idle in transaction timeout: %d answered, without it %d; want about as many", idle.Outcomes.OK, none.Outcomes.OK)
	}
	if got, all := idle.Connections.SilentInTransaction, none.Connections.SilentInTransaction; !raceDetector && got > all*3/4 {
		t.Errorf("idle in transaction timeout: silent in transaction for %v, without it %v; want about half", got, all)
	}
	// Who does use it again fails, and has paid for nothing.
	update := get("update_in_one_transaction@idle_in_transaction_timeout")
	if update.Outcomes.OK != 0 || update.Updates.Recorded != 0 || update.Updates.Calls == 0 {
		t.Errorf("idle in transaction timeout: the update that goes on after its call: %+v, %+v; want all failed after the call", update.Outcomes, update.Updates)
	}
	if r := get(asyncInside + "@pool_timeout_short"); r.Outcomes.PoolTimeout == 0 || r.Latency.P50 > s.ClientTimeout/2 {
		t.Errorf("short pool timeout: %+v, p50 %v; want pool timeouts, soon", r.Outcomes, r.Latency.P50)
	}
	if r := get(asyncInside + "@max_in_flight"); r.Outcomes.Rejected == 0 || !raceDetector && r.Outcomes.ClientTimeout != 0 {
		t.Errorf("max in flight: %+v; want some rejected at once and nobody left waiting", r.Outcomes)
	}
	if r := get(asyncInside + "@cancel_on_disconnect"); !raceDetector && r.DrainedAfter > s.Slow {
		t.Errorf("cancel on disconnect: handlers went on for %v after the last client had left", r.DrainedAfter)
	}
	if r := get(asyncInside + "@pool_timeout_below_client"); r.Settings == nil || r.Settings.PoolTimeout != 7500*time.Millisecond || r.Route != asyncInside {
		t.Errorf("a variant's settings and route are %+v, %q", r.Settings, r.Route)
	}
}

func TestRun_LeavesOutWhatTheServerCannot(t *testing.T) {
	s := small()
	s.TransactionTimeout = time.Second
	old := openDatabase(t, dsnOf(t), s)
	if old.Version[:2] >= "17" {
		s.TransactionTimeout = 0
		t.Logf("this is PostgreSQL %s, which has transaction_timeout: nothing is left out", old.Version)
		return
	}
	res, err := lab.Run(t.Context(), old, lab.Options{Settings: s, Cases: seedCases(s)[3:], Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Routes) != 0 || !strings.Contains(strings.Join(res.Warnings, "\n"), "transaction_timeout needs PostgreSQL 17") {
		t.Errorf("got %d routes and %q", len(res.Routes), res.Warnings)
	}
}

// The waiters' order decides who is served while the pool is too small: in order, all
// are served late; at random, some at once and others never.
func TestRun_OrderOfWaiters(t *testing.T) {
	besideOthersUnderRace(t)
	s := small()
	s.Duration = 10 * time.Second
	res, _ := runCases(t, s, []experiment.Case{
		{Name: "fifo", Route: experiment.RoutesOf("seed")[3], Settings: s},
		{Name: "random", Route: experiment.RoutesOf("seed")[3], Settings: with(s, func(s *experiment.Settings) { s.Pool = experiment.SQLPool })},
	})
	fifo, random := res.Routes[0], res.Routes[1]
	if !raceDetector && random.Outcomes.OK <= fifo.Outcomes.OK {
		t.Errorf("under a load that lasts %d were answered in order and %d at random, want more at random: whom it serves has not waited long", fifo.Outcomes.OK, random.Outcomes.OK)
	}
}

func with(s experiment.Settings, change func(*experiment.Settings)) experiment.Settings {
	change(&s)
	return s
}
