package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	root "github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/recording"
)

// A service's page is asked for its snapshot, with the header that guards it.
func TestPlan_FromAURL(t *testing.T) {
	file := saved(t, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/holds", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer s3cret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Query().Get("format") == "json":
			http.ServeFile(w, r, file)
		}
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<p>a page")) })
	server := httptest.NewServer(mux)
	defer server.Close()
	page := server.URL + "/debug/holds"
	r := planned(t, exitDone, "--from", page, "--header", "Authorization: Bearer s3cret")
	if r.Routes[0].Name != "GET /bad" || r.Settings.Rate != 10 {
		t.Errorf("got %+v", r.Settings)
	}
	for _, c := range []struct {
		says string
		exit int
		args []string
	}{
		{"--header", exitFailed, []string{"--from", page}},
		{"httphold.Handler", exitFailed, []string{"--from", server.URL}},
		{"answers 404", exitFailed, []string{"--from", server.URL + "/elsewhere"}},
		{"refused", exitFailed, []string{"--from", "http://127.0.0.1:1/"}},
		{"needs a colon", exitUsage, []string{"--from", page, "--header", "Authorization"}},
	} {
		exit, _, stderr := pghold(t.Context(), append([]string{"plan"}, c.args...)...)
		if exit != c.exit || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: status %d, %q; want %d, %q", c.args, exit, stderr, c.exit, c.says)
		}
	}
}

// Several replicas' snapshots are added up, the same one's twice is one.
func TestPlan_FromSeveralReplicas(t *testing.T) {
	other := func(s *root.Snapshot) {
		s.Began, s.Taken = s.Began.Add(time.Millisecond), s.Taken.Add(time.Millisecond)
	}
	r := planned(t, exitDone, "--from", saved(t, nil), "--from", saved(t, other), "--from", saved(t, nil))
	if r.Settings.Rate != 20 || r.Settings.Connections() != 4 || r.Routes[0].Connections.Max != 8 {
		t.Errorf("%v requests/s, %d connections each, %d in all; want 20, 4 and 8", r.Settings.Rate, r.Settings.Connections(), r.Routes[0].Connections.Max)
	}
	says := strings.Join(r.Warnings, " ")
	if !strings.Contains(says, "of 2 replicas") || !strings.Contains(says, "Of 1 snapshot there is a later one") {
		t.Errorf("got %q", says)
	}
	if exit, _, stderr := pghold(t.Context(), "plan", "--from", saved(t, nil), "--from", "../../docs/results/seed.json"); exit != exitUsage || !strings.Contains(stderr, "the result of a run") {
		t.Errorf("status %d, %q", exit, stderr)
	}
}

func TestPlan_FromARecording(t *testing.T) {
	began := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	w, err := recording.NewWriter(&b, "a test", began)
	if err != nil {
		t.Fatal(err)
	}
	for range 120 {
		w.Add(watch.Transaction{Client: watch.Client{Application: "shop"}, Route: "/checkout", StartedAt: began,
			Sums: watch.Sums{Busy: watch.Seconds(4 * time.Millisecond), Silent: watch.Seconds(2 * time.Second)}})
	}
	if err := w.Close(&watch.Report{From: began, To: began.Add(time.Minute), SessionsMost: 15}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "recording.gz")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	r := planned(t, exitDone, "--from", file)
	if got := r.Routes[0]; got.Name != "/checkout" || r.Settings.Rate != 2 || r.Settings.Connections() != 15 || got.SuccessRatio != 1 {
		t.Errorf("got %+v with %d connections", got, r.Settings.Connections())
	}
	if says := strings.Join(r.Warnings, " "); !strings.Contains(says, "A recording has transactions only") || !strings.Contains(says, "15 connections") {
		t.Errorf("got %q", says)
	}
}
