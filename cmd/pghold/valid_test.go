package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// A run that was refused connections shows and saves what is known, and concludes nothing.
func TestLab_ThatWasRefusedConnections(t *testing.T) {
	t.Chdir(t.TempDir())
	dsn := pgtest.DSN(t)
	admin := func(sql string) {
		t.Helper()
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	database := strings.TrimPrefix(u.Path, "/")
	role := "role_of_" + database
	admin(fmt.Sprintf("create role %s login password 'secret'; grant create on database %s to %[1]s", role, database))
	defer admin(fmt.Sprintf("drop owned by %s; drop role %[1]s", role))
	u.User = url.UserPassword(role, "secret")

	status, _, stderr := pghold(t.Context(), quick(u.String(), "--pool-size", "4", "--max-overflow", "0", "--out", "run", outside)...)
	if status != exitDone {
		t.Fatalf("without a limit: status %d: %s", status, stderr)
	}
	admin("alter role " + role + " connection limit 4")
	status, stdout, stderr := pghold(t.Context(), quick(u.String(), "--out", "refused", outside, inside)...)
	// A session of the run before may still be leaving the server.
	if status != exitFailed || stdout != "" || !regexp.MustCompile(`pghold: role "`+role+`" has room for [0-3] more connections? and the experiment needs 17`).MatchString(stderr) {
		t.Errorf("refused at the start: status %d, %q, %q", status, stdout, stderr)
	}

	// Refused in the middle: the first route was run.
	limit := func() { admin("alter role " + role + " connection limit 4") }
	admin("alter role " + role + " connection limit -1")
	var out output
	progress := &trigger{on: "1/2 ", do: limit}
	status = run(t.Context(), quick(u.String(), "--out", "middle", "--predict", outside, inside, "--client-timeout", "10m", "--pool-timeout", "10m",
		"--expect", outside+".success_ratio>=0", "--expect", inside+".success_ratio>=0"), streams{&out, progress})
	admin("alter role " + role + " connection limit -1")
	stderr = progress.String()
	why := `FATAL: too many connections for role "` + role + `" (SQLSTATE 53300)`
	if status != exitFailed || !strings.Contains(stderr, "pghold: the run is not valid: "+inside+": ") || !strings.Contains(stderr, why) {
		t.Errorf("status %d, want %d and why:\n%s", status, exitFailed, stderr)
	}
	if !strings.Contains(stderr, "missed: want "+inside+".success_ratio >= 0, got nothing that counts") || strings.Contains(stderr, "want "+outside) {
		t.Errorf("the expectation of the route that is not valid, and only that, should be missed:\n%s", stderr)
	}
	saved, err := os.ReadFile("middle/result.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := experiment.ReadResult(saved)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Routes) != 2 || r.Routes[0].NotValid != "" || !strings.Contains(r.Routes[1].NotValid, why) || r.Routes[1].Predicted != nil {
		t.Errorf("saved: %q and %q, want the second route not valid and not predicted", r.Routes[0].NotValid, r.Routes[1].NotValid)
	}
	for _, f := range []string{"", "middle/report.md", "middle/report.html"} {
		text := out.String()
		if f != "" {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if !strings.Contains(text, "NOT VALID") || strings.Contains(text, "connections answered") {
			t.Errorf("%q has a headline, or does not say that it is not valid:\n%s", f, text)
		}
	}

	// And afterwards.
	for _, c := range []struct {
		expect string
		status int
	}{{outside, exitDone}, {inside, exitFailed}} {
		status, _, stderr := pghold(t.Context(), "report", "middle", "--expect", c.expect+".success_ratio>=0")
		if status != c.status {
			t.Errorf("report --expect of %s: status %d, want %d: %s", c.expect, status, c.status, stderr)
		}
	}
	if kept := files(t, "middle"); !slices.Contains(kept, "middle/"+inside+".bin") {
		t.Errorf("the requests of the route that is not valid are not kept: %q", kept)
	}
}

// A run that an error ends shows and saves the routes before it, as Ctrl-C does.
func TestLab_ThatFailsInALateRoute(t *testing.T) {
	t.Chdir(t.TempDir())
	pg, err := pgtemp.Start(t.Context(), pgtemp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	var out output
	progress := &trigger{on: "1/2 ", do: func() { pg.Stop() }}
	status := run(t.Context(), quick(pg.DSN(), "--out", "run", "--predict", outside, inside, "--expect", outside+".success_ratio>=0"), streams{&out, progress})
	stderr := progress.String()
	if status != exitFailed || !strings.Contains(stderr, "pghold: "+inside+": ") || !strings.Contains(stderr, "nothing was checked") {
		t.Errorf("status %d, want %d and what failed:\n%s", status, exitFailed, stderr)
	}
	if !strings.Contains(out.String(), "FAILED before the last route was done: "+inside) || !strings.Contains(out.String(), "The routes shown are whole") {
		t.Errorf("shown:\n%s", out.String())
	}
	r, err := rundir.Load("run")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Routes) != 1 || r.Routes[0].Name != outside || r.Routes[0].Predicted == nil || !strings.HasPrefix(r.Failed, inside+": ") {
		t.Errorf("saved: %+v", r)
	}
	for _, f := range []string{"report.md", "report.html"} {
		b, err := os.ReadFile("run/" + f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "FAILED before the last route was done") {
			t.Errorf("%s does not say that the run failed", f)
		}
	}
}
