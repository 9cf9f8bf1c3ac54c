//go:build unix

package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
)

// examples/fastapi as it is, with calls that are short. The tap has a gap for each request
// that holds, as long as the call, and no more than the server counted.
func TestProve_FastAPI(t *testing.T) {
	t.Parallel()
	python := "/usr/bin/python3"
	const imports = "import fastapi, uvicorn, sqlalchemy, asyncpg, psycopg2"
	if exec.Command("python3", "-c", imports).Run() == nil {
		python = "python3"
	} else if exec.Command(python, "-c", imports).Run() != nil {
		t.Skip("NOT TESTED: this machine has no FastAPI (install the packages python3-fastapi python3-uvicorn python3-sqlalchemy python3-asyncpg python3-psycopg2)")
	}
	const slow, requests = 100 * time.Millisecond, 10
	dir := filepath.Join(t.TempDir(), "out")
	base, _ := myService(t)
	host, port, _ := strings.Cut(strings.TrimPrefix(base, "http://"), ":")
	args := []string{"prove", "--json", "--rate", "100", "--duration", "100ms", "--warm-up", "0s", "--out", dir, "--env", "SLOW=0.1", "--env", "SLOW_URL="}
	routes := []string{"sync_session_sleep_outside_session", "sync_session_sleep_inside_session", "async_session_sleep_outside_session", "async_session_sleep_inside_session"}
	for _, route := range routes {
		args = append(args, "--name", route, "--attack", base+"/"+route)
	}
	args = append(args, "--", python, "-B", "-m", "uvicorn", "--app-dir", "../../examples/fastapi", "--host", host, "--port", port, "app:app")
	status, out, stderr := pghold(t.Context(), args...)
	r := measuredOf(t, status, out, stderr)
	if len(r.Routes) != len(routes) {
		t.Fatalf("got %d routes:\n%s", len(r.Routes), stderr)
	}
	traces, err := rundir.Traces(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, rr := range r.Routes {
		if rr.Requests != requests || rr.Outcomes.OK != requests || rr.Wire.Transactions != requests {
			t.Errorf("%s: %+v of %d requests, %d transactions", rr.Name, rr.Outcomes, rr.Requests, rr.Wire.Transactions)
		}
		if !strings.Contains(rr.Name, "inside") {
			continue
		}
		// asyncpg may pause a moment after its PREPARE, too.
		if !slices.ContainsFunc(rr.Wire.Gaps, func(g experiment.GapGroup) bool {
			return strings.Contains(g.After, " FROM example_users WHERE example_users.id = ") && g.Count >= requests
		}) {
			t.Errorf("%s has the gaps %+v", rr.Name, rr.Wire.Gaps)
		}
		for _, tx := range traces[rr.Name].Checkouts {
			if tx.SilentInTransaction < slow {
				t.Errorf("%s: a transaction was idle for %v", rr.Name, tx.SilentInTransaction)
			}
		}
	}
	tap, counted := time.Duration(r.Service.SilentInTransaction), r.Service.CountedByServer
	if counted == nil || tap < 2*requests*slow || tap > time.Duration(*counted) {
		t.Errorf("idle in transaction for %v by the tap, and by the server's counter %v", tap, counted)
	}
}
