package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

func TestMeaning(t *testing.T) {
	const (
		syncOut, syncIn   = "sync_session_sleep_outside_session", "sync_session_sleep_inside_session"
		asyncOut, asyncIn = "async_session_sleep_outside_session", "async_session_sleep_inside_session"
	)
	route := func(name string, ok, requests int, elapsed, median time.Duration) experiment.RouteResult {
		return experiment.RouteResult{Name: name, Requests: requests, Elapsed: elapsed,
			Outcomes:       experiment.Outcomes{OK: ok, ClientTimeout: requests - ok},
			SuccessLatency: experiment.Quantiles{P50: median}}
	}
	const s = time.Second
	for _, c := range []struct {
		name   string
		routes []experiment.RouteResult
		want   string
	}{
		{"the seed", experiment.Seed().Routes, "The same 15 connections answered 500 of 500 requests when the session was closed before the slow call, and 240 of 500 when it was held through it: 2.1 times as many, in a fifth of the time (async)."},
		{"the sync pair", experiment.Seed().Routes[:2], "The same 15 connections answered 500 of 500 requests when the session was closed before the slow call, and 238 of 500 when it was held through it: 2.1 times as many, in 75 % of the time (sync)."},
		{"nobody answered inside", []experiment.RouteResult{route(asyncIn, 0, 50, 30*s, 0), route(asyncOut, 50, 50, 7*s, 2*s)},
			"The same 15 connections answered 50 of 50 requests when the session was closed before the slow call, and none of 50 when it was held through it (async)."},
		{"nobody answered at all", []experiment.RouteResult{route(asyncIn, 0, 50, 30*s, 0), route(asyncOut, 0, 50, 30*s, 0)},
			"No request was answered, whether the session was closed before the slow call or held through it (async)."},
		{"a light load", []experiment.RouteResult{route(asyncIn, 5, 5, 7*s, 2*s), route(asyncOut, 5, 5, 7*s, 2*s)},
			"Closing the session before the slow call made no difference at this load: the same 15 connections answered 5 of 5 requests when it was closed, and 5 of 5 when it was held (async)."},
		{"all answered, but late", []experiment.RouteResult{route(asyncIn, 100, 100, 20*s, 9*s), route(asyncOut, 100, 100, 7*s, 2*s)},
			"The same 15 connections answered 100 of 100 requests when the session was closed before the slow call, and 100 of 100 when it was held through it: as many, but half of the answers took longer than 9.000 s in place of 2.000 s (async)."},
		{"all answered, the last ones late", []experiment.RouteResult{route(asyncIn, 100, 100, 14*s, 2*s), route(asyncOut, 100, 100, 7*s, 2*s)},
			"The same 15 connections answered 100 of 100 requests when the session was closed before the slow call, and 100 of 100 when it was held through it: as many, in half the time (async)."},
		{"as many, but slower outside", []experiment.RouteResult{route(asyncIn, 100, 100, 7*s, 2*s), route(asyncOut, 100, 100, 20*s, 9*s)},
			"The same 15 connections answered 100 of 100 requests when the session was closed before the slow call, and 100 of 100 when it was held through it: closing it did not help here (async)."},
		{"worse outside", []experiment.RouteResult{route(asyncIn, 100, 100, 7*s, 2*s), route(asyncOut, 50, 100, 7*s, 2*s)},
			"The same 15 connections answered 50 of 100 requests when the session was closed before the slow call, and 100 of 100 when it was held through it: closing it did not help here (async)."},
		{"as many requests were not sent", []experiment.RouteResult{route(asyncIn, 10, 200, 35*s, 2*s), route(asyncOut, 100, 100, 35*s, 2*s)},
			"The same 15 connections answered 100 of 100 requests when the session was closed before the slow call, and 10 of 200 when it was held through it: 20 times as large a share, in the same time (async)."},
		{"async was sent nothing", append([]experiment.RouteResult{route(asyncIn, 0, 0, 0, 0), route(asyncOut, 9, 9, 7*s, 2*s)}, experiment.Seed().Routes[:2]...),
			"The same 15 connections answered 500 of 500 requests when the session was closed before the slow call, and 238 of 500 when it was held through it: 2.1 times as many, in 75 % of the time (sync)."},
		{"no pair", []experiment.RouteResult{route(asyncIn, 1, 1, s, s), route(syncOut, 1, 1, s, s)}, ""},
		{"a pair that was sent nothing", []experiment.RouteResult{route(syncIn, 0, 0, 0, 0), route(syncOut, 0, 0, 0, 0)}, ""},
		{"routes unheard of", []experiment.RouteResult{route("a", 1, 1, s, s), route("b", 1, 1, s, s)}, ""},
		{"nothing", nil, ""},
	} {
		r := &experiment.Result{Settings: experiment.Defaults(), Routes: c.routes}
		if got := Meaning(r); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}

	invalid := &experiment.Result{Settings: experiment.Defaults(), Routes: slices.Clone(experiment.Seed().Routes)}
	invalid.Routes[0].NotValid = "1 of 500 requests failed." // not of the pair that it would be about
	if got := Meaning(invalid); got != "" {
		t.Errorf("of a result that is not valid: got %s", got)
	}

	bouncer := &experiment.Result{Settings: experiment.Defaults(), Routes: slices.Clone(experiment.Seed().Routes[2:])}
	own := bouncer.Settings
	own.PgBouncer, own.PoolSize = 5, 500
	bouncer.Routes[0].Settings, bouncer.Routes[1].Settings = &own, &own
	if got := Meaning(bouncer); !strings.HasPrefix(got, "The same 5 connections answered") {
		t.Errorf("behind a PgBouncer: got %s", got)
	}
	bouncer.Routes[1].Settings = nil
	if got := Meaning(bouncer); got != "" {
		t.Errorf("of different settings: got %s", got)
	}

	one := &experiment.Result{Settings: experiment.Defaults(), Routes: experiment.Seed().Routes}
	one.Settings.PoolSize, one.Settings.MaxOverflow = 1, 0
	if got := Meaning(one); !strings.HasPrefix(got, "The same single connection answered") {
		t.Errorf("got %s", got)
	}
}

func TestInTime(t *testing.T) {
	for inside, want := range map[time.Duration]string{
		0:                        "",
		10 * time.Second:         ", in the same time",
		5 * time.Second:          ", in 2.0 times the time",
		13 * time.Second:         ", in 77 % of the time",
		20 * time.Second:         ", in half the time",
		31 * time.Second:         ", in about a third of the time",
		34 * time.Second:         ", in 29 % of the time",
		100 * time.Second:        ", in a tenth of the time",
		148 * time.Second:        ", in 1/15 of the time",
		103 * time.Second:        ", in 1/10 of the time",
		98 * time.Second:         ", in a tenth of the time",
		9800 * time.Second:       ", in 1/980 of the time",
		10200 * time.Millisecond: ", in the same time",
	} {
		if got := inTime(10*time.Second, inside); got != want {
			t.Errorf("10 s to %v: got %q, want %q", inside, got, want)
		}
	}
	if got := inTime(0, time.Second) + inTime(time.Second, 0); got != "" {
		t.Errorf("beside no time: got %q, want nothing", got)
	}
}
