package lab_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/memnet"
	"github.com/pghold/pghold/internal/pg/pgmem"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// In virtual time the tap has what the recorder has, to the nanosecond, where nothing is on
// its way between the two. An answer that is on its way for so long is idle time for the
// tap, and SQL for the app; and where the server ends a transaction, the app finds out at
// its next statement only.
func TestVirtual_TapIsTheRecorder(t *testing.T) {
	var cases []experiment.Case
	for _, name := range []string{"seed", "remedies", "guards"} {
		group, err := experiment.FindGroup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range group.Cases(untied()) {
			if !strings.HasSuffix(c.Name, "_lasting") { // the same, for longer
				cases = append(cases, c)
			}
		}
	}
	distant := untied()
	distant.Distance = 3 * time.Millisecond
	cases = append(cases, experiment.CasesOf(experiment.RoutesOf("seed"), distant)[3])
	silent := 0
	for _, c := range cases {
		r := withTap(t, c)
		ended, lost := c.Settings.IdleInTransactionTimeout, c.Settings.TransactionTimeout
		want := r.Sides.Recorder
		switch {
		case ended > 0 && r.Of().HoldsThroughCall():
			want = time.Duration(r.Holds.Count) * ended.Truncate(time.Millisecond) // as Postgres counts
		case lost > 0 && r.Of().HoldsThroughCall():
			if got, least := r.Sides.Tap, time.Duration(r.Holds.Count)*(lost-2*roundTrip); got < least || got >= time.Duration(r.Holds.Count)*lost {
				t.Errorf("%s: the tap has %v, want %v or more, and less than the transactions lasted", r.Name, got, least)
			}
			continue
		default:
			want += time.Duration(r.Holds.Count) * c.Settings.Distance
		}
		if r.Sides.Tap != want {
			t.Errorf("%s: the recorder has %v, the tap %v, want %v", r.Name, r.Sides.Recorder, r.Sides.Tap, want)
		}
		if want > 0 {
			silent++
		}
	}
	if silent < 10 {
		t.Errorf("only %d cases are silent in a transaction at all", silent)
	}
}

// withTap runs a case in virtual time, with a tap.
func withTap(t *testing.T, c experiment.Case) (r experiment.RouteResult) {
	t.Helper()
	if !raceDetector { // one processor is quicker, as in virtually
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	synctest.Test(t, func(t *testing.T) {
		network := &memnet.Network{}
		server := pgmem.Start(pgmem.Config{Network: network, RoundTrip: roundTrip})
		defer server.Close()
		db, err := lab.OpenDatabaseIn(t.Context(), network, server.DSN(), c.Settings.ServerConnections())
		if err != nil {
			t.Fatal(err)
		}
		res, err := lab.Run(t.Context(), db, lab.Options{Settings: c.Settings, Cases: []experiment.Case{c}, Dir: t.TempDir(), Tap: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		r = res.Routes[0]
		time.Sleep(time.Minute) // for timers of net/http
	})
	return r
}

// On a real server each side sees what the one before does, and what was on its way
// beside it.
func TestRun_Sides(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db := openDatabase(t, dsn, experiment.Defaults())
	for name, change := range map[string]func(*experiment.Settings){
		"queuepool": func(s *experiment.Settings) {},
		"pgxpool":   func(s *experiment.Settings) { s.Pool = experiment.PgxPool },
		"sql":       func(s *experiment.Settings) { s.Pool = experiment.SQLPool },
		"pgbouncer": func(s *experiment.Settings) { s.PgBouncer = 5 },
	} {
		s := experiment.Defaults()
		s.Duration, s.Speed = time.Second, 10
		change(&s)
		res, err := lab.Run(t.Context(), db, lab.Options{Settings: s, Cases: seedCases(s)[2:], Dir: t.TempDir(), Bouncer: bouncer(dsn), Tap: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range res.Routes {
			checkWhole(t, s, &r)
			v := *r.Sides
			if v.Recorder != r.Holds.SilentInTransaction || v.Tap < v.Recorder {
				t.Errorf("%s, %s: the recorder has %v, and %v in the sides, the tap %v; want these in order", name, r.Name, r.Holds.SilentInTransaction, v.Recorder, v.Tap)
			}
			if r.Of().HoldsThroughCall() && v.Sampled == 0 || v.Sampled > v.SampledAtMost {
				t.Errorf("%s, %s: the samples saw %v to %v", name, r.Name, v.Sampled, v.SampledAtMost)
			}
			switch {
			case s.PgBouncer > 0 || strings.HasPrefix(db.Version, "13."):
				if v.Counted != 0 {
					t.Errorf("%s, %s: the server counted %v, of which a PgBouncer's sessions have not told all, or that it does not count", name, r.Name, v.Counted)
				}
			case v.Counted < v.Tap || v.Counted < v.Sampled:
				t.Errorf("%s, %s: the server counted %v, the tap has %v, the samples saw %v", name, r.Name, v.Counted, v.Tap, v.Sampled)
			}
		}
	}
}
