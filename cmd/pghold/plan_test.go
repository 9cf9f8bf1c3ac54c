package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	root "github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// planned runs pghold plan --json and reads what it printed.
func planned(t *testing.T, want int, args ...string) *experiment.Result {
	t.Helper()
	status, out, stderr := pghold(t.Context(), append([]string{"plan", "--json"}, args...)...)
	if status != want {
		t.Fatalf("%q: status %d, want %d: %s", args, status, want, stderr)
	}
	r, err := experiment.ReadResult([]byte(out))
	if err != nil {
		t.Fatalf("%q: %v in %q", args, err, out)
	}
	return r
}

// about finds the conclusion of that kind.
func about(t *testing.T, r *experiment.Result, what string) experiment.Conclusion {
	t.Helper()
	for _, c := range r.Conclusions {
		if c.About == what {
			return c
		}
	}
	t.Fatalf("there is no conclusion about %s in %+v", what, r.Conclusions)
	return experiment.Conclusion{}
}

func TestPlan_PredictsTheSeed(t *testing.T) {
	r := planned(t, exitDone)
	if r.Kind != experiment.Predicted || r.Version != "" || r.StartedAt != nil || r.Settings != experiment.Defaults() {
		t.Errorf("got a %s result of %+v", r.Kind, r.Settings)
	}
	for _, want := range experiment.Seed().Routes {
		got := r.Route(want.Name)
		if got == nil {
			t.Fatalf("%s is missing", want.Name)
		}
		if d := got.SuccessRatio - want.SuccessRatio; d > 0.006 || d < -0.006 {
			t.Errorf("%s: success %v, published %v", want.Name, got.SuccessRatio, want.SuccessRatio)
		}
	}
	status, out, _ := pghold(t.Context(), "plan")
	for _, part := range []string{"48.0 %", "as published", "Predicted: 100 requests/s", "with a pool timeout of 27.9", "From settings alone"} {
		if status != exitDone || !strings.Contains(out, part) {
			t.Errorf("status %d; want %q in\n%s", status, part, out)
		}
	}
}

func TestPlan_HelpHasExamples(t *testing.T) {
	status, out, _ := pghold(t.Context(), "plan", "--help")
	if status != exitDone || !strings.Contains(out, "Examples:") {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestPlan_FindsTheRepairByTarget(t *testing.T) {
	c := about(t, planned(t, exitDone, inside, "--duration", "60s", "--target", "throughput>=7"), "connections")
	if got := c.Figures["pool_timeout_s"]; got != 27.9 {
		t.Errorf("a pool timeout of %v s, want 27.9: %s", got, c.Sentence)
	}
	// And it does repair it.
	before := planned(t, exitDone, inside, "--duration", "60s").Routes[0]
	after := planned(t, exitDone, inside, "--duration", "60s", "--pool-timeout", "27.9s").Routes[0]
	if before.Outcomes.OK != 240 || after.Outcomes.OK < 600 {
		t.Errorf("%d answered before, and %d after", before.Outcomes.OK, after.Outcomes.OK)
	}
}

func TestPlan_ExitStatusSaysThatATargetCannotBeReached(t *testing.T) {
	r := planned(t, exitFound, inside, "--target", "success>=0.9", "--target", "p99<=1s")
	if c := about(t, r, "connections"); !c.Unreached || !strings.Contains(c.Sentence, "the slow call alone takes 2 s") {
		t.Errorf("got %+v", c)
	}
	planned(t, exitFound, inside, "--target", "p99<=3s") // max_connections is 100
	planned(t, exitDone, inside, "--target", "p99<=3s", "--max-connections", "500")
}

func TestPlan_AnswersWhatIsAsked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "curve.svg")
	args := []string{inside, "--breaks", "--what-if", "--curve", file, "--arrivals", "poisson", "--replicas", "2", "--replications", "3", "--target", "success>=0.9"}
	r := planned(t, exitDone, args...)
	for _, what := range []string{"timeouts", "connections", "breaks", "what_if"} {
		if c := about(t, r, what); c.Sentence == "" || len(c.Cases) != 1 || c.Cases[0] != inside {
			t.Errorf("%+v", c)
		}
	}
	if len(r.Routes) != 2 || r.Routes[1].Name != inside+"@call_outside" || len(r.Routes[0].Interval) == 0 {
		t.Errorf("got %d routes, intervals %v", len(r.Routes), r.Routes[0].Interval)
	}
	svg, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the curve is no XML: %v", err)
		}
	}
	if !bytes.Contains(svg, []byte("breaks at 1")) { // 15/s, less what chance needs
		t.Errorf("the knee is not marked")
	}

	_, out, _ := pghold(t.Context(), append([]string{"plan"}, args...)...)
	for _, part := range []string{"What follows", "It breaks at", "probability of 95 %", "▲", "Poisson"} {
		if !strings.Contains(out, part) {
			t.Errorf("want %q in\n%s", part, out)
		}
	}
}

// saved writes a snapshot of ten seconds: 100 holds of 1 s, silent in a transaction.
func saved(t *testing.T, change func(*root.Snapshot)) string {
	t.Helper()
	began := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	series := &root.Series{Pool: "main", Route: "GET /bad", Busy: 100 * time.Millisecond, SilentInTransaction: 100 * time.Second, Statements: 200}
	for range 100 {
		series.Held.Add(1001 * time.Millisecond)
		series.Silent.Add(time.Second)
	}
	s := &root.Snapshot{
		Version: 1, Began: began, Taken: began.Add(10 * time.Second), Series: []*root.Series{series},
		Pools: []root.PoolSnapshot{{Name: "main", Max: 4, Checkouts: 100}},
	}
	if change != nil {
		change(s)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "holds.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPlan_FromASnapshot(t *testing.T) {
	r := planned(t, exitDone, "--from", saved(t, nil), "--breaks", "--what-if", "--client-timeout", "10s")
	if s := r.Settings; s.Rate != 10 || s.Connections() != 4 || s.ClientTimeout != 10*time.Second || s.Duration != time.Minute {
		t.Errorf("got %+v", s)
	}
	if got := about(t, r, "breaks").Figures["breaks_per_s"]; got < 3.6 || got > 4.01 {
		t.Errorf("breaks at %v, want nearly 4/s: 4 connections, a second each, and requests at random", got)
	}
	if c := about(t, r, "what_if"); c.Figures["success_ratio"] > 0.5 || c.Figures["success_ratio_moved"] != 1 {
		t.Errorf("got %+v", c.Figures)
	}
	// What is named on the command line counts.
	r = planned(t, exitDone, "--from", saved(t, nil), "--rate", "3", "--slow", "500ms", "--pool-size", "2", "GET /bad")
	if s := r.Settings; s.Rate != 3 || s.Slow != 500*time.Millisecond || s.Connections() != 2 || r.Routes[0].Time.Slow != 500*time.Millisecond {
		t.Errorf("got %+v", s)
	}
}

func TestPlan_FromARun(t *testing.T) {
	b, err := os.ReadFile("../../docs/results/seed.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "result.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	r := planned(t, exitDone, "--from", dir)
	if len(r.Routes) != 4 || r.Routes[2].Time.Busy == 0 || r.Settings.Postgres != "" {
		t.Errorf("got %d routes, SQL took %v", len(r.Routes), r.Routes[2].Time.Busy)
	}
	if len(r.Routes[0].Interval) == 0 {
		t.Error("calls differ, and yet there is no interval")
	}
	if same := planned(t, exitDone, "--from", "../../docs/results/seed.json"); same.Routes[0].Throughput != r.Routes[0].Throughput {
		t.Errorf("the result's file and its folder: %v and %v/s", same.Routes[0].Throughput, r.Routes[0].Throughput)
	}
	r = planned(t, exitDone, "--from", dir, "commit_before_call", "--rate", "50")
	if len(r.Routes) != 1 || r.Routes[0].Requests != 250 || r.Routes[0].Time.Busy == 0 {
		t.Errorf("a route that was not run: %+v", r.Routes)
	}
}

func TestPlan_MistakesAreOneSentence(t *testing.T) {
	empty, missing := t.TempDir(), filepath.Join(t.TempDir(), "nothing")
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{exitUsage, "--threads", []string{"--threads", "0"}},
		{exitUsage, "--slow", []string{"--slow=-1s"}},
		{exitUsage, "--replicas", []string{"--replicas", "0"}},
		{exitUsage, "--cores", []string{"--cores=-1"}},
		{exitUsage, "would take more than 1 GB of memory: lower --rate, --duration or --pool-timeout", []string{inside, "--rate", "1e6", "--duration", "1000s"}},
		{exitUsage, "would take more than 1 GB of memory: lower --accounts", []string{"update_in_one_transaction", "--accounts", "2000000000"}},
		{exitUsage, "would take more than 1 GB of memory: lower --replicas", []string{inside, "--cores", "1", "--replicas", "2000000000"}},
		{exitUsage, "--shape must be one of fixed, exponential, lognormal, stalls", []string{"--shape", "round"}},
		{exitUsage, "--load must be a factor above zero", []string{"--load", "0"}},
		{exitUsage, "--load must be a factor above zero", []string{"--load=-2"}},
		{exitUsage, "--load must be a factor above zero", []string{"--load", "NaN"}},
		{exitUsage, "--load must be a factor above zero", []string{"--load", "Inf"}},
		{exitUsage, "--validate must be above zero", []string{"--validate=-1"}},
		{exitUsage, "no group", []string{"--validate", "1", "--group", "none"}},
		{exitUsage, "--surge", []string{"--surge=-1"}},
		{exitUsage, "--surge", []string{"--surge", "NaN"}},
		{exitUsage, "--replications", []string{"--replications=-1"}},
		{exitUsage, "--max-connections", []string{"--max-connections=-1"}},
		{exitUsage, "--arrivals", []string{"--arrivals", "never"}},
		{exitUsage, "is no target", []string{"--target", "soon"}},
		{exitUsage, "did you mean", []string{"async_inside"}},
		{exitUsage, "either routes or a --group", []string{inside, "--group", "seed"}},
		{exitUsage, "--curve is about one route", []string{"--curve", "x.svg"}},
		{exitUsage, "no --group", []string{"--from", saved(t, nil), "--group", "seed"}},
		{exitUsage, `no route "GET /good"; it has GET /bad`, []string{"--from", saved(t, nil), "GET /good"}},
		{exitFailed, "there is no file or folder", []string{"--from", missing}},
		{exitFailed, "has no result.json", []string{"--from", empty}},
		{exitFailed, "the snapshot is empty", []string{"--from", saved(t, func(s *root.Snapshot) { s.Series = nil })}},
		{exitFailed, "but of version 7", []string{"--from", saved(t, func(s *root.Snapshot) { s.Version = 7 })}},
		{exitFailed, "covers no time", []string{"--from", saved(t, func(s *root.Snapshot) { s.Taken = s.Began })}},
		{exitFailed, "the curve could not be saved", []string{inside, "--curve", filepath.Join(missing, "x.svg")}},
	} {
		status, out, stderr := pghold(t.Context(), append([]string{"plan"}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 || out != "" {
			t.Errorf("%q: status %d, %q, want %d and %q", c.args, status, stderr, c.status, c.want)
		}
	}
}

// A load above capacity is an answer, not an error.
func TestPlan_OverloadIsAnAnswer(t *testing.T) {
	r := planned(t, exitDone, inside, "--rate", "20000", "--duration", "1s", "--client-timeout", "3s")
	if got := r.Routes[0]; got.SuccessRatio >= 0.01 || got.Requests != 20000 {
		t.Errorf("got %v of %d answered", got.SuccessRatio, got.Requests)
	}
}

func TestPlan_EndsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	status, out, _ := pghold(ctx, "plan", inside, "--rate", "2000", "--duration", "5m")
	if status != exitInterrupted || out != "" {
		t.Errorf("status %d: %q", status, out)
	}
}

// Twice the load of the snapshot: 20 requests/s of 1 s each on 4 connections.
func TestPlan_LoadIsAFactorOnTheRate(t *testing.T) {
	r := planned(t, exitDone, "--from", saved(t, nil), "--load", "2")
	if s := r.Settings; s.Rate != 20 || r.Routes[0].Requests != 1200 {
		t.Errorf("%v requests/s, %d requests, want 20 and 1200", s.Rate, r.Routes[0].Requests)
	}
	if !strings.Contains(strings.Join(r.Warnings, " "), "the load is 2 times as much") {
		t.Errorf("the result does not say so: %q", r.Warnings)
	}
	// On the settings' rate, and on one that is named.
	if r = planned(t, exitDone, inside, "--rate", "10", "--load", "0.5"); r.Routes[0].Requests != 25 || r.Settings.Rate != 5 {
		t.Errorf("%d requests, want 25", r.Routes[0].Requests)
	}
}

func TestPlan_ShapeIsOfAnyRoute(t *testing.T) {
	mean := func(args ...string) (p50, p99 time.Duration) {
		q := planned(t, exitDone, append(args, "--rate", "20", "--duration", "30s", "--pool-size", "200")...).Routes[0].Latency
		return q.P50, q.P99
	}
	fixed, _ := mean(inside)
	p50, p99 := mean(inside, "--shape", "exponential") // with a mean of 2 s
	if fixed != 2*time.Second || p50 < 1200*time.Millisecond || p50 > 1600*time.Millisecond || p99 < 7*time.Second {
		t.Errorf("fixed p50 %v, exponential p50 %v and p99 %v, want 2 s, 1.4 s and 9.2 s", fixed, p50, p99)
	}
	// In place of the lengths that a snapshot recorded, with their mean.
	p50, _ = mean("--from", saved(t, nil), "--shape", "exponential")
	if p50 < 600*time.Millisecond || p50 > 800*time.Millisecond {
		t.Errorf("of a snapshot whose calls take 1 s, p50 %v, want 0.7 s", p50)
	}
}

func TestPlan_SaysThatTheRunWasDisturbed(t *testing.T) {
	r := readResult(t, "../../docs/results/seed.json")
	for i := range r.Routes {
		r.Routes[i].SentLate.P99 = 50 * time.Millisecond
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "disturbed.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(planned(t, exitDone, "--from", file).Warnings, " "); !strings.Contains(got, "The machine was busy while the run was measured: of 4 of 4 routes") {
		t.Errorf("got %q", got)
	}
}

// A snapshot of an incident: 10 requests come per second, a pool of 4 serves fewer, and
// the holds it served look like a load that it carries.
func TestPlan_SaysFirstWhatWasRecordedAgainstThePrediction(t *testing.T) {
	incident := saved(t, func(s *root.Snapshot) {
		s.Taken = s.Began.Add(30 * time.Second) // it began in the last ten seconds or so
		s.Pools[0].Waiting, s.Pools[0].Waits, s.Pools[0].WaitTime = 49, 36, 87*time.Second
	})
	r := planned(t, exitDone, "--from", incident)
	if got := r.Routes[0]; got.SuccessRatio < 0.99 || got.Holds.MaxWaiting > 25 {
		t.Fatalf("%v answered, %d wait: the test is about nothing", got.SuccessRatio, got.Holds.MaxWaiting)
	}
	const says = `What was recorded of pool "main" contradicts the prediction: 49 callers were waiting for a connection when the snapshot was taken and 36 waits until then took 87 s in all`
	if len(r.ContradictedBy) != 1 || !strings.HasPrefix(r.Warnings[0], says) || r.Warnings[0] != r.ContradictedBy[0].Sentence {
		t.Fatalf("got warnings %q, contradicted by %+v", r.Warnings, r.ContradictedBy)
	}
	by := r.ContradictedBy[0]
	if f := by.Figures; f["waiting"] != 49 || f["waits"] != 36 || f["wait_s"] != 87 || f["predicted_max_waiting"] > 25 {
		t.Errorf("figures %v", f)
	}
	if by.About != "waiting" || len(by.Cases) != 1 || by.Cases[0] != "GET /bad" {
		t.Errorf("got %+v", by)
	}
	_, out, _ := pghold(t.Context(), "plan", "--from", incident)
	if first := "Warning: What was recorded"; !strings.HasPrefix(out, first) || strings.Count(out, first) != 1 {
		t.Errorf("it does not stand first, and once, in\n%s", out)
	}
	// Less load is no answer to it; the rate that comes is.
	if r = planned(t, exitDone, "--from", incident, "--load", "0.5"); len(r.ContradictedBy) != 1 {
		t.Error("at half of a load that was not carried, nothing is said")
	}
	if r = planned(t, exitDone, "--from", incident, "--rate", "10"); r.ContradictedBy != nil {
		t.Errorf("with the rate that came, which gives an overload: %+v", r.ContradictedBy)
	}
	// Of a pool that carries its load nothing is said.
	if r = planned(t, exitDone, "--from", saved(t, func(s *root.Snapshot) { s.Taken = s.Began.Add(30 * time.Second) })); r.ContradictedBy != nil {
		t.Errorf("got %+v", r.ContradictedBy)
	}
}

// The size of a PgBouncer counts with --from, whose run has one or not.
func TestPlan_FromCountsThePgBouncersSize(t *testing.T) {
	const with, without = "../../docs/results/pgbouncer.json", "../../docs/results/seed.json"
	for _, c := range []struct {
		want int
		args []string
	}{
		{5, []string{"--from", with, inside}},
		{20, []string{"--from", with, inside, "--pgbouncer-size", "20"}},
		{20, []string{"--from", with, inside, "--pgbouncer", "--pgbouncer-size", "20"}},
		{0, []string{"--from", with, inside, "--pgbouncer=false", "--pgbouncer-size", "20"}},
		{0, []string{"--from", without, inside}},
		{20, []string{"--from", without, inside, "--pgbouncer-size", "20"}},
		{5, []string{"--from", without, inside, "--pgbouncer"}},
		{2, []string{"--from", saved(t, nil), "--pgbouncer-size", "2"}},
	} {
		r := planned(t, exitDone, c.args...)
		for i := range r.Routes {
			if got := r.SettingsOf(&r.Routes[i]).PgBouncer; got != c.want {
				t.Errorf("%q: %s has %d server connections, want %d", c.args, r.Routes[i].Name, got, c.want)
			}
		}
	}
	status, _, stderr := pghold(t.Context(), "plan", "--from", with, "--pgbouncer-size", "0")
	if status != exitUsage || !strings.Contains(stderr, "--pgbouncer-size must be above zero, not 0") {
		t.Errorf("status %d: %q", status, stderr)
	}
}

// --max-connections is a question of its own, without a target.
func TestPlan_SaysWhetherThePoolsHaveRoom(t *testing.T) {
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{exitDone, "A pool has up to 15 connections. All in all 60 connections, 75 during a rolling deploy. The server has room for 97: they fit.",
			[]string{inside, "--replicas", "4", "--max-connections", "100"}},
		{exitFound, "All in all 120 connections, 150 during a rolling deploy. The server has room for 97 (max_connections less 3 reserved): they do not fit.",
			[]string{inside, "--replicas", "8", "--max-connections", "100"}},
		{exitFound, "A pool has up to 15 connections. The server has room for 7 (max_connections less 3 reserved): they do not fit.",
			[]string{inside, "--max-connections", "10", "--surge", "0"}},
		{exitFound, "All in all 60 connections, 120 during a rolling deploy.", []string{inside, "--replicas", "4", "--surge", "1"}},
		{exitDone, "The server has room for 57: the 50 of PgBouncer fit.", []string{inside, "--replicas", "8", "--max-connections", "60", "--pgbouncer", "--pgbouncer-size", "50"}},
		{exitDone, "A pool has up to 4 connections.", []string{"--from", saved(t, nil), "--max-connections", "100"}},
	} {
		r := planned(t, c.status, c.args...)
		if got := about(t, r, "room"); !strings.Contains(got.Sentence, c.want) || got.Unreached != (c.status == exitFound) || got.Figures["room_connections"] == 0 {
			t.Errorf("%q: got %+v, want %q", c.args, got, c.want)
		}
	}
	for _, args := range [][]string{{inside}, {inside, "--max-connections", "0"}, {inside, "--max-connections", "500", "--target", "success>=0.1"}} {
		for _, c := range planned(t, exitDone, args...).Conclusions {
			if c.About == "room" {
				t.Errorf("%q: nobody asked, and %q", args, c.Sentence)
			}
		}
	}
	_, out, _ := pghold(t.Context(), "plan", "--max-connections", "100")
	if strings.Count(out, "A pool has") != 1 {
		t.Errorf("of four routes on the same pool it is not said once in\n%s", out)
	}
}
