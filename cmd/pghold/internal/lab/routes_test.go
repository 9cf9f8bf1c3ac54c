package lab_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
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
// accordingly (TestVirtual_Groups has how well).
func TestRoutes_DoWhatTheirStepsSay(t *testing.T) {
	t.Parallel()
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
				res, dir := run(t, s, names...)
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
	switch {
	case !route.HoldsThroughCall():
		if r.SuccessRatio != 1 {
			t.Errorf("%s: %d of %d requests were answered, want all: %+v, %v", r.Name, r.Outcomes.OK, r.Requests, r.Outcomes, r.Errors)
		}
		if called != 0 {
			t.Errorf("%s: %v of slow calls inside of holds, want none", r.Name, called)
		}
	case called == 0:
		t.Errorf("%s: no slow call is known inside of its holds", r.Name)
	}
	if route.SilentInTransaction() && silent == 0 {
		t.Errorf("%s: not silent in transaction for a moment", r.Name)
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

// The server ends the session of a transaction that is silent for too long. A request that goes on
// with it fails, and has paid for nothing.
func TestRun_IdleInTransactionTimeout(t *testing.T) {
	t.Parallel()
	s := small()
	s.IdleInTransactionTimeout = s.Slow / 4
	res, _ := run(t, s, "update_in_one_transaction")
	if r := res.Routes[0]; r.Outcomes.OK != 0 || r.Updates.Recorded != 0 || r.Updates.Calls == 0 {
		t.Errorf("%+v, %+v; want all failed after the call", r.Outcomes, r.Updates)
	}
}

func TestGuards_VariantsSettings(t *testing.T) {
	s := small()
	group, err := experiment.FindGroup("guards")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range group.Cases(s) {
		if c.Name == asyncInside+"@pool_timeout_below_client" {
			if c.Settings.PoolTimeout != 7500*time.Millisecond || c.Route.Name != asyncInside {
				t.Errorf("a variant's settings and route are %+v, %q", c.Settings, c.Route.Name)
			}
			return
		}
	}
	t.Error("the variant is missing")
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
