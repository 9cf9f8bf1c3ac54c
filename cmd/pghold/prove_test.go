//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// myService are arguments that prove takes for the service, at an address of its own.
func myService(t *testing.T) (base string, args []string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.%d.%d.%d:8080", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	return "http://" + address, []string{"--env", serviceAt + "=" + address, "--", program}
}

// runProve runs the verb on the service, for a moment.
func runProve(t *testing.T, args func(base string) []string) (status int, out, err string) {
	t.Helper()
	base, service := myService(t)
	all := append([]string{"prove", "--rate", "50", "--duration", "400ms", "--warm-up", "0s", "--out", filepath.Join(t.TempDir(), "out")}, args(base)...)
	return pghold(t.Context(), append(all, service...)...)
}

// measuredOf is the result that was printed. A run that is not valid because the machine was
// busy is one all the same.
func measuredOf(t *testing.T, status int, out, stderr string) *experiment.Result {
	t.Helper()
	r, err := experiment.ReadResult([]byte(out))
	if err != nil {
		t.Fatalf("status %d, %v:\n%s", status, err, stderr)
	}
	busy := func(why string) bool {
		return strings.Contains(why, "could not keep up") || strings.Contains(why, "processors were busy")
	}
	for _, rr := range r.Routes {
		if rr.NotValid != "" && !busy(rr.NotValid) {
			t.Errorf("%s is not valid: %s", rr.Name, rr.NotValid)
		}
	}
	if status != exitDone && (r.NotValid() == "" || status != exitFailed) {
		t.Errorf("status %d:\n%s", status, stderr)
	}
	return r
}

func TestProve(t *testing.T) {
	t.Parallel()
	status, out, stderr := runProve(t, func(base string) []string {
		return []string{"--json", "--allow", "example.com", "--max-requests", "100", "--setup", "psql -c 'create table notes (n int)'", "--attack", base + "/hold/1?key=kanarie", "--attack", "POST " + base + "/note"}
	})
	r := measuredOf(t, status, out, stderr)
	if len(r.Routes) != 2 || r.Routes[0].Name != "GET /hold/{n}" || r.Routes[1].Name != "POST /note" {
		t.Fatalf("got the routes %+v", r.Routes)
	}
	if got := r.Command(); !strings.Contains(got, " --warm-up 0s --allow example.com --max-requests 100 ") {
		t.Errorf("it is repeated with %s", got)
	}
	hold, note := r.Routes[0], r.Routes[1]
	for _, rr := range r.Routes {
		if rr.Requests != 20 || rr.Outcomes.OK != 20 {
			t.Errorf("%s: %+v of %d requests", rr.Name, rr.Outcomes, rr.Requests)
		}
	}
	if hold.Wire.Transactions != 20 || len(hold.Wire.Gaps) == 0 {
		t.Fatalf("got %+v", hold.Wire)
	}
	i := slices.IndexFunc(hold.Wire.Gaps, func(g experiment.GapGroup) bool { return g.Route == "/hold" && strings.HasPrefix(g.After, "SELECT ?") })
	if i < 0 || hold.Wire.Gaps[i].Count != 20 || time.Duration(hold.Wire.Gaps[i].Silent) < 20*gapOfService {
		t.Errorf("the gaps of a route that holds: %+v", hold.Wire.Gaps)
	}
	if note.Wire.Statements < 20 {
		t.Errorf("the other route: %+v", note.Wire)
	}
	silent, counted := time.Duration(r.Service.SilentInTransaction), r.Service.CountedByServer
	if counted == nil || silent < 21*gapOfService || silent > time.Duration(*counted) {
		t.Errorf("idle in transaction for %v by the tap, and by the server's counter %v", silent, counted)
	}
	for _, want := range []string{"its database: a throwaway Postgres", "21 POSTs will write to a throwaway Postgres", "GET /hold/{n} answers 200 in "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it did not say %q:\n%s", want, stderr)
		}
	}
	if strings.Contains(out+stderr, "kanarie") || strings.Contains(out, "secret") {
		t.Errorf("what may be secret was kept:\n%s\n%s", out, stderr)
	}
}

func TestProve_Together(t *testing.T) {
	t.Parallel()
	dir, dsn := filepath.Join(t.TempDir(), "out"), pgtest.DSN(t)
	status, out, stderr := runProve(t, func(base string) []string {
		return []string{"--dsn", dsn, "--together", "--out", dir, "--header", "X-Key: kanarie", "--name", "the holder", "--attack", base + "/hold/1", "--attack", base + "/header",
			"--expect", "GET /header.requests==20", "--expect", "the holder.outcomes.ok==20", "--expect", "all together.wire.transactions==20", "--expect", "GET /header alone.wire.transactions==0"}
	})
	if status != exitDone && !strings.Contains(stderr, "the run is not valid") {
		t.Errorf("status %d:\n%s", status, stderr)
	}
	if strings.Contains(stderr, "missed") && !strings.Contains(stderr, "got nothing that counts") {
		t.Errorf("it said\n%s", stderr)
	}
	for _, want := range []string{"the holder", "GET /header", "all together"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	var files []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, e.Name())
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil || strings.Contains(string(b), "kanarie") {
			t.Errorf("%s has the header, or cannot be read: %v", e.Name(), err)
		}
	}
	for _, want := range []string{"\n1/3 the holder alone: 20 of 20 answered in ", "\n2/3 GET /header alone: ", "\n3/3 all together: 40 of 40 ", "\n    the holder: 20 of 20 "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not in\n%s", want, stderr)
		}
	}
	want := []string{"GET-header.bin", "GET-header@alone.bin", "GET-header@alone.checkouts.csv", "the-holder@alone.bin", "the-holder@alone.checkouts.csv", "all-together.checkouts.csv", rundir.MarkdownFile, rundir.HTMLFile, rundir.ResultFile, rundir.OutputFile, "the-holder.bin"}
	slices.Sort(want)
	if !slices.Equal(files, want) {
		t.Errorf("the folder has %q, want %q", files, want)
	}
	page, err := os.ReadFile(filepath.Join(dir, rundir.HTMLFile))
	if err != nil || strings.Count(string(page), "those of all routes are under “all together”") != 2 || strings.Contains(string(page), "not kept") {
		t.Errorf("the page does not say where the connections are, or that they were not kept (%v)", err)
	}
	if status, again, stderr := pghold(t.Context(), "report", dir); status != exitDone || again != out {
		t.Errorf("report shows something else, status %d: %s", status, stderr)
	}
}

// What is wrong is said in one sentence, with the right status, and nothing is kept.
func TestProve_WhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args   func(base string) []string
		status int
		want   string
	}{
		"answers 500":     {func(base string) []string { return []string{"--attack", base + "/header"} }, exitFailed, "/header answers 500 before there is any load: who are you?. No connection has come over the tap so far: if the service reads its database's address elsewhere"},
		"what it printed": {func(base string) []string { return []string{"--attack", base + "/header"} }, exitFailed, ". Of the service, the end of its output:\n  It listens."},
		"answers 404":     {func(base string) []string { return []string{"--attack", base + "/nothing"} }, exitFailed, "answers 404 before there is any load: 404 page not found"},
		"ends":            {func(base string) []string { return []string{"--attack", base + "/exit"} }, exitFailed, "exit status 7"},
		"what it said":    {func(base string) []string { return []string{"--attack", base + "/exit"} }, exitFailed, "I have had enough."},
		"setup fails": {func(base string) []string {
			return []string{"--setup-on-dsn", "--setup", "echo no such luck; exit 3", "--attack", base + "/none"}
		}, exitFailed, "--setup: /bin/sh has ended: exit status 3; the end of its output:\n  no such luck"},
		"no database":             {func(base string) []string { return []string{"--attack", base + "/none"} }, exitFailed, "No connection came over the tap"},
		"fails under load":        {func(base string) []string { return []string{"--attack", base + "/once"} }, exitFailed, "20 of 20 requests failed, and as far as can be told not for the lack of a connection; most often: 500"},
		"what it said under load": {func(base string) []string { return []string{"--attack", base + "/once"} }, exitFailed, "\nOf the service, the end of its output:\n  I have had enough of this."},
		"another route": {func(base string) []string {
			return []string{"--attack", base + "/none", "--expect", "GET /nine.requests>1"}
		}, exitUsage, `did you mean "GET /none"?`},
		"nothing to attack": {func(string) []string { return nil }, exitUsage, "say what to attack: --attack 'GET http"},
		"not this machine":  {func(string) []string { return []string{"--attack", "http://example.com/"} }, exitUsage, "--allow example.com attacks it all the same"},
		"too many":          {func(base string) []string { return []string{"--rate", "1e6", "--attack", base + "/none"} }, exitUsage, "--max-requests 400000 lets them be sent"},
		"a name too many":   {func(base string) []string { return []string{"--name", "a", "--name", "b", "--attack", base + "/none"} }, exitUsage, "each name is that of one --attack"},
		"together, of one":  {func(base string) []string { return []string{"--together", "--attack", base + "/none"} }, exitUsage, "--together is for two routes or more"},
		"too many at once": {func(base string) []string {
			return []string{"--together", "--rate", "1e5", "--max-requests", "79999", "--attack", base + "/none", "--attack", base + "/header"}
		}, exitUsage, "to each of 2 routes are 80000 requests: --max-requests 80000 lets"},
		"the name of one alone": {func(base string) []string {
			return []string{"--together", "--name", "b alone", "--attack", base + "/none", "--attack", base + "/header"}
		}, exitUsage, "is how b is called where it is attacked alone"},
		"the name of all":  {func(base string) []string { return []string{"--name", "all together", "--attack", base + "/none"} }, exitUsage, "take another"},
		"a header":         {func(base string) []string { return []string{"--header", "kanarie", "--attack", base + "/none"} }, exitUsage, "a --header is NAME: VALUE"},
		"env":              {func(base string) []string { return []string{"--env", "A={pasword}", "--attack", base + "/none"} }, exitUsage, "{pasword}, which is not known"},
		"slow for nothing": {func(base string) []string { return []string{"--slow", "1s", "--attack", base + "/none"} }, exitUsage, "those of the slow API that --upstream starts"},
		"setup on a dsn": {func(base string) []string {
			return []string{"--setup", "x", "--attack", base + "/none"}
		}, exitUsage, "add --setup-on-dsn"},
		"no targets file":   {func(string) []string { return []string{"--targets", "/no/such/file"} }, exitUsage, "no such file"},
		"a dsn on the left": {func(base string) []string { return []string{"--attack", base + "/none", "postgres://u:kanarie@h/d"} }, exitUsage, "give the whole of it to --dsn"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.DSN(t)
			status, out, stderr := runProve(t, func(base string) []string { return append([]string{"--dsn", dsn}, c.args(base)...) })
			if status != c.status || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "kanarie") {
				t.Errorf("status %d, want %d and %q:\n%s", status, c.status, c.want, stderr)
			}
			if measured := name == "no database" || strings.Contains(name, "under load"); !measured && out != "" {
				t.Errorf("it printed\n%s", out)
			}
		})
	}
}

func TestProve_OnADatabaseOfOnesOwn(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	withTable := func(base string) []string {
		return []string{"--dsn", dsn, "--setup-on-dsn", "--setup", "psql -c 'create table notes (n int)'", "--json", "--attack", "POST " + base + "/note"}
	}
	status, out, stderr := runProve(t, withTable)
	r := measuredOf(t, status, out, stderr)
	if !strings.Contains(stderr, "its database: database ") || r.Service.CountedByServer != nil {
		t.Errorf("it said\n%s\nand the server's counter has other sessions too: %v", stderr, r.Service.CountedByServer)
	}
	if rows := query(t, dsn, "select count(*)::text from notes"); rows[0] != "21" {
		t.Errorf("the table has %s rows", rows)
	}
	if status, _, stderr := runProve(t, withTable); status != exitFailed || !strings.Contains(stderr, "has 1 tables and views: --setup runs on an empty database only") {
		t.Errorf("again: status %d:\n%s", status, stderr)
	}
}

// A service that runs already is sampled.
func TestProve_AServiceThatRunsAlready(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := pool.Ping(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})}
	go server.Serve(l)
	defer server.Close()
	status, out, stderr := pghold(t.Context(), "prove", "--dsn", dsn, "--rate", "50", "--duration", "400ms", "--warm-up", "0s", "--json",
		"--out", filepath.Join(t.TempDir(), "out"), "--attack", "http://"+l.Addr().String()+"/ping")
	r := measuredOf(t, status, out, stderr)
	if r.Service.CountedByServer != nil {
		t.Errorf("the sessions go on, and the server's counter is said to have all: %v", *r.Service.CountedByServer)
	}
	if !r.Service.Sampled || len(r.Service.Command) > 0 || r.Routes[0].Outcomes.OK != 20 {
		t.Errorf("got %+v, %+v", r.Service, r.Routes[0].Outcomes)
	}
	if r.NotValid() == "" && !strings.Contains(r.Conclusions[0].Sentence, "Samples do not show whether connections are held outside of transactions.") {
		t.Errorf("got %q", r.Conclusions[0].Sentence)
	}
}

// A slow API is started for the service, and its address handed to it.
func TestProve_Upstream(t *testing.T) {
	t.Parallel()
	dir, dsn := t.TempDir(), pgtest.DSN(t)
	status, _, stderr := runProve(t, func(base string) []string {
		return []string{"--dsn", dsn, "--setup-on-dsn", "--upstream", "--slow", "1ms", "--env", "PAY={upstream}/v1/charges", "--setup", "env > " + filepath.Join(dir, "env"), "--attack", base + "/hold/1"}
	})
	b, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatalf("status %d, %v:\n%s", status, err, stderr)
	}
	env := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	if !strings.HasPrefix(env["PAY"], "http://127.0.0.1:") || env["OPENAI_BASE_URL"] != strings.TrimSuffix(env["PAY"], "/charges") || env["PGHOST"] != "127.0.0.1" {
		t.Errorf("the command's environment has %q", env)
	}
}

// Whenever it is told to end, it ends, and leaves nothing running.
func TestProcess_ProveToldToEnd(t *testing.T) {
	t.Parallel()
	program, _ := build(t)
	for _, at := range []string{"Starting", "Attacking", "answers 200", "1/2 "} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			temp, err := os.MkdirTemp("", "pghold test ")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(temp)
			if err := os.Chmod(temp, 0o777); err != nil {
				t.Fatal(err)
			}
			base, service := myService(t)
			args := append([]string{"prove", "--rate", "50", "--duration", "200ms", "--warm-up", "0s", "--attack", base + "/hold/1", "--attack", base + "/none"}, service...)
			// The folder is in the arguments of the service, so that it is found if it is left.
			cmd := command(t, program, temp, append(args, temp)...)
			stderr := &trigger{on: at, do: func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }}
			cmd.Stderr = stderr
			err = cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit status %d (%v), want %d:\n%s", code, err, exitInterrupted, stderr)
			}
			saysWhatIsKept(t, stderr.String(), "pghold-results/")
			nothingLeft(t, temp)
		})
	}
}

// saysWhatIsKept checks the sentence of a run that was interrupted.
func saysWhatIsKept(t *testing.T, stderr, folder string) {
	t.Helper()
	want := "\nInterrupted: what was started has ended, and nothing is kept.\n"
	if strings.Contains(stderr, "\nSaved in ") {
		want = "\nInterrupted: what was started has ended, and the routes that were finished are in " + folder
	}
	if strings.Count("\n"+stderr, "\nInterrupted") != 1 || !strings.Contains("\n"+stderr, want) {
		t.Errorf("it did not say %q once:\n%s", want, stderr)
	}
}

// events counts what happens to a command, and does something at one of them.
type events struct {
	output
	mu sync.Mutex
	n  int
	at int // from 1
	do func()
}

func (e *events) happened() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n++; e.n == e.at {
		e.do()
	}
}

func (e *events) Write(b []byte) (int, error) {
	n, err := e.output.Write(b)
	for range bytes.Count(b, []byte("\n")) {
		e.happened()
	}
	return n, err
}

func (e *events) ServeHTTP(http.ResponseWriter, *http.Request) { e.happened() }

// Ctrl-C at any line that it says, at any request, and when the service starts or ends: what was
// started has ended when it has, and its folder is whole or not there.
func TestProcess_ProveInterruptedAnywhere(t *testing.T) {
	t.Parallel()
	program, _ := build(t)
	run := func(t *testing.T, at int) (happened int) {
		temp, err := os.MkdirTemp("", "pghold test ")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(temp)
		e := &events{at: at}
		heard := httptest.NewServer(e)
		defer heard.Close()
		base, service := myService(t)
		args := append([]string{"prove", "--dsn", pgtest.DSN(t), "--out", "out", "--rate", "50", "--duration", "200ms", "--warm-up", "20ms", "--env", toldAt + "=" + heard.URL,
			"--attack", base + "/hold/1", "--attack", base + "/none"}, service...)
		cmd := command(t, program, temp, append(args, temp)...) // the folder as in TestProcess_ProveToldToEnd
		e.do = func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
		cmd.Stderr = e
		cmd.Run()
		stderr, out := e.String(), filepath.Join(cmd.Dir, "out")
		interrupted := cmd.ProcessState.ExitCode() == exitInterrupted
		switch {
		case interrupted:
			saysWhatIsKept(t, stderr, "out.\n")
		case at > 0 && !strings.Contains(stderr, "\n2/2 "):
			t.Errorf("exit status %d, want %d:\n%s", cmd.ProcessState.ExitCode(), exitInterrupted, stderr)
		}
		if left := leftovers(t, temp); len(left) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
		switch _, err := os.Stat(out); {
		case err == nil:
			r, err := rundir.Load(out)
			if err != nil || r.Interrupted != interrupted || !strings.Contains(stderr, "Saved in out") {
				t.Errorf("its folder is not whole (%v), or not told of:\n%s", err, stderr)
			}
			if _, err := os.Stat(filepath.Join(out, "unfinished")); err == nil {
				t.Error("its folder says that it is unfinished")
			}
		case strings.Contains(stderr, "Saved in"):
			t.Errorf("its folder is gone (%v)", err)
		}
		l, err := net.Listen("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Errorf("somebody listens still: %v", err)
		} else {
			l.Close()
		}
		return e.n
	}
	all := run(t, 0)
	if all < 30 { // two times 10 requests and more
		t.Fatalf("%d things happen in a whole run", all)
	}
	for _, at := range rand.New(rand.NewPCG(19, 20)).Perm(all)[:20] {
		t.Run(fmt.Sprint("at event ", at+1, " of ", all), func(t *testing.T) {
			t.Parallel()
			run(t, at+1)
		})
	}
}

// Where it is killed, its service and its database end all the same.
func TestProcess_ProveKilled(t *testing.T) {
	t.Parallel()
	program, temp := build(t)
	base, service := myService(t)
	args := append([]string{"prove", "--rate", "50", "--duration", "100s", "--warm-up", "0s", "--attack", base + "/hold/1"}, service...)
	cmd := command(t, program, temp, append(args, temp)...)
	cmd.Stderr = &trigger{on: "answers 200", do: func() { cmd.Process.Kill() }}
	cmd.Run()
	nothingLeft(t, temp)
	if _, err := http.Get(base + "/none"); err == nil {
		t.Error("the service goes on")
	}
	var stderr output
	again := command(t, program, temp, "prove", "--attack", base+"/none", "--", "/no/such/program")
	again.Stderr = &stderr
	again.Run()
	if !strings.Contains(stderr.String(), "left by a run that was killed before a route was finished") {
		t.Errorf("the next one did not sweep its folder:\n%s", &stderr)
	}
}
