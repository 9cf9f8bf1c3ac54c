package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// compiledIn is the folder with the program, once a test has asked for it.
var compiledIn string

func TestMain(m *testing.M) {
	lab.ServeChild()
	if address := os.Getenv(serviceAt); address != "" {
		if err := serveTest(address); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	pgtest.Main(m, func() error {
		if compiledIn == "" {
			return nil
		}
		return os.RemoveAll(compiledIn)
	})
}

// output collects what a command prints; several goroutines may write.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// pghold runs the command and returns its exit status and what it printed.
func pghold(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, err output
	status = run(ctx, args, streams{&out, &err})
	return status, out.String(), err.String()
}

// quick are flags for a run that takes a second.
func quick(dsn string, more ...string) []string {
	return append([]string{"lab", "--dsn", dsn, "--speed", "20", "--duration", "1s", "--rate", "50"}, more...)
}

const (
	outside = "async_session_sleep_outside_session"
	inside  = "async_session_sleep_inside_session"
)

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"lab", "--help"}, {"serve", "--help"}, {"report", "--help"}} {
		status, out, _ := pghold(t.Context(), args...)
		if status != exitDone || !strings.Contains(out, "Usage: pghold") {
			t.Errorf("%q: status %d, %q", args, status, out)
		}
		if len(args) == 2 && !strings.Contains(out, "Examples:") {
			t.Errorf("%q has no examples", args)
		}
	}
	if status, out, _ := pghold(t.Context(), "--version"); status != exitDone || strings.TrimSpace(out) == "" {
		t.Errorf("--version: status %d, %q", status, out)
	}
}

func TestMistakesInTheCommandLine(t *testing.T) {
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--nonsense", []string{"lab", "--nonsense"}},
		{"nonsense", []string{"nonsense"}},
		{"--rate", []string{"lab", "--rate", "0"}},
		{"--rate", []string{"lab", "--rate=-3"}},
		{"--rate", []string{"lab", "--rate", "many"}},
		{"--rate", []string{"lab", "--rate", "NaN"}},
		{"--duration", []string{"lab", "--duration", "0s"}},
		{"--duration", []string{"lab", "--duration", "5"}},
		{"--pool-size", []string{"lab", "--pool-size", "0"}},
		{"--pool-size", []string{"serve", "--pool-size=-1"}},
		{"--pool ", []string{"lab", "--pool", "hikari"}},
		{"--speed", []string{"lab", "--speed", "0"}},
		{"did you mean async_session_sleep_inside_session", []string{"lab", "async_sesion_sleep_inside"}},
		{"--dsn", []string{"lab", "--dsn", "postgres://u:secret@h:port/"}},
		{"--format", []string{"report", "x", "--format", "pdf"}},
		{"--repeat", []string{"lab", "--repeat", "0"}},
		{"did you mean success_ratio?", []string{"lab", "--expect", outside + ".sucess_ratio>=1"}},
		{"did you mean \"" + outside + "\"?", []string{"lab", "--expect", "async_outside.success_ratio>=1"}},
		{"did you mean \"update_outbox\"?", []string{"lab", "update_outbox", "--expect", outside + ".success_ratio>=1"}},
		{"only there with --predict", []string{"lab", "--expect", outside + ".predicted.throughput_per_s>=1"}},
		{"makes no updates", []string{"lab", "--expect", outside + ".updates.lost==0"}},
		{"is none of >=", []string{"lab", "--expect", outside + ".success_ratio=1"}},
		{"is no number", []string{"report", "nowhere", "--expect", outside + ".success_ratio>=all"}},
		{"did you mean", []string{"report", "seed", "--expect", "async_outside.success_ratio>=1"}},
		{"--expect is about one result", []string{"report", "seed", "seed", "--expect", outside + ".success_ratio>=1"}},
		{"--format vegeta shows one result", []string{"report", "seed", "seed", "--format", "vegeta"}},
	} {
		status, out, err := pghold(t.Context(), c.args...)
		if status != exitUsage || out != "" || !strings.Contains(err, c.want) || strings.Count(err, "\n") != 1 || strings.Contains(err, "secret") {
			t.Errorf("%q: status %d, %q, %q; want status 2 and one line with %q", c.args, status, out, err, c.want)
		}
	}
}

func TestWhatFailsLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	dsn := pgtest.DSN(t)
	if err := os.WriteFile("file", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("full/of", 0o777); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		want string
		args []string
	}{
		"nobody listens":         {"cannot connect", quick("postgres://u:secret@127.0.0.1:1/db")},
		"output folder not free": {"--out", quick(dsn, "--out", "full")},
		"output folder a file":   {"output folder", quick(dsn, "--out", "file")},
		"output folder below it": {"output folder", quick(dsn, "--out", "file/below")},
		"too few open files":     {"ulimit -n", quick(dsn, "--rate", "1000000", "--duration", "1h")},
		"too few connections":    {"max_connections", quick(dsn, "--pool-size", "1000")},
		"port in use":            {"--addr", []string{"serve", "--dsn", dsn, "--addr", taken.Addr().String()}},
		"no such folder":         {"no folder", []string{"report", "nowhere"}},
		"not a run's folder":     {"result.json", []string{"report", "full"}},
	} {
		status, out, err := pghold(t.Context(), c.args...)
		last := err[strings.LastIndex(strings.TrimSpace(err), "\n")+1:]
		if status != exitFailed || out != "" || !strings.HasPrefix(last, "pghold: ") || !strings.Contains(last, c.want) || strings.Contains(err, "secret") {
			t.Errorf("%s: status %d, %q, %q; want status 1 and a last line with %q", name, status, out, err, c.want)
		}
	}
	if left := files(t, "."); !slices.Equal(left, []string{"file", "full", "full/of"}) {
		t.Errorf("left behind: %q", left)
	}
}

// files lists what is below a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if path != dir {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestLab(t *testing.T) {
	t.Chdir(t.TempDir())
	dsn := pgtest.DSN(t)
	status, out, progress := pghold(t.Context(), quick(dsn, "--out", "run")...)
	if status != exitDone {
		t.Fatalf("status %d: %s", status, progress)
	}
	want := []string{"run", "run/report.html", "run/report.md", "run/result.json"}
	for _, r := range experiment.RoutesOf("seed") {
		want = append(want, "run/"+r.Name+".bin", "run/"+r.Name+".checkouts.csv", "run/"+r.Name+".connections.csv", "run/"+r.Name+".holds.json")
		if !strings.Contains(out, r.Name) || !strings.Contains(progress, r.Name+": ") {
			t.Errorf("%s is missing in the table or in the progress", r.Name)
		}
	}
	slices.Sort(want)
	if got := files(t, "."); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	if strings.Contains(out+progress, "\x1b") {
		t.Error("escape sequences in what is not a terminal")
	}
	password := dsn[strings.LastIndex(dsn[:strings.Index(dsn, "@")], ":")+1 : strings.Index(dsn, "@")]
	for _, name := range want[1:] {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(password)) {
			t.Errorf("%s has the password", name)
		}
	}
	if strings.Contains(out+progress, password) {
		t.Error("the password was printed")
	}

	// The same again, from the folder.
	if status, again, err := pghold(t.Context(), "report", "run"); status != exitDone || again != out {
		t.Errorf("report: status %d, %s\n%s\nwant what lab printed:\n%s", status, err, again, out)
	}
	status, vegeta, _ := pghold(t.Context(), "report", "run", "--format", "vegeta")
	if status != exitDone || strings.Count(vegeta, "Requests      [total, rate, throughput]         50, ") != 4 {
		t.Errorf("report --format vegeta: status %d\n%s", status, vegeta)
	}
	if status, markdown, _ := pghold(t.Context(), "report", "run", "--format", "markdown"); status != exitDone || !strings.Contains(markdown, "| `"+outside+"` |") {
		t.Errorf("report --format markdown: status %d\n%s", status, markdown)
	}
}

func TestLab_JSONIsOneDocument(t *testing.T) {
	t.Chdir(t.TempDir())
	status, out, err := pghold(t.Context(), quick(pgtest.DSN(t), "--json", outside)...)
	if status != exitDone {
		t.Fatalf("status %d: %s", status, err)
	}
	res, readErr := experiment.ReadResult([]byte(out))
	if readErr != nil {
		t.Fatalf("%v:\n%s", readErr, out)
	}
	if res.Kind != experiment.Measured || len(res.Routes) != 1 || res.Routes[0].Requests != 50 || res.Settings.Postgres == "" || res.Version == "" {
		t.Errorf("got %+v", res)
	}
	saved, globErr := filepath.Glob("pghold-results/*/result.json")
	if globErr != nil || len(saved) != 1 {
		t.Fatalf("saved as %q, want one folder named after the time", saved)
	}
	b, readErr := os.ReadFile(saved[0])
	if readErr != nil || string(b) != out {
		t.Errorf("the saved result is another one than the printed: %v", readErr)
	}
	_, again, _ := pghold(t.Context(), "report", filepath.Dir(saved[0]), "--json")
	if again != out {
		t.Error("report --json prints another document")
	}
}

func TestLab_TakesTheAddressFromTheEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	dsn := pgtest.DSN(t)
	for _, name := range []string{"PGHOLD_DSN", "DATABASE_URL"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, dsn)
			status, _, err := pghold(t.Context(), "lab", "--speed", "20", "--duration", "200ms", "--out", name, outside)
			if status != exitDone || !strings.Contains(err, "from "+name) {
				t.Errorf("status %d: %s", status, err)
			}
		})
	}
}

func TestLab_InterruptedShowsWhatThereIs(t *testing.T) {
	t.Chdir(t.TempDir())
	dsn := pgtest.DSN(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out output
	progress := &trigger{on: experiment.RoutesOf("seed")[0].Name + ": ", do: cancel}
	status := run(ctx, quick(dsn, "--json", "--out", "run"), streams{&out, progress})
	if status != exitInterrupted {
		t.Fatalf("status %d, want %d: %s", status, exitInterrupted, progress.String())
	}
	var res struct {
		Interrupted bool
		Routes      []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(out.String()), &res); err != nil || !res.Interrupted || len(res.Routes) != 1 {
		t.Errorf("got %+v, %v; want the first route and that it was interrupted", res, err)
	}
	first := "run/" + experiment.RoutesOf("seed")[0].Name
	want := []string{"run", "run/report.html", "run/report.md", "run/result.json", first + ".bin", first + ".checkouts.csv", first + ".connections.csv", first + ".holds.json"}
	slices.Sort(want)
	if got := files(t, "."); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
}

func TestLab_InterruptedBeforeAnythingLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	status, out, err := pghold(ctx, quick(pgtest.DSN(t))...)
	if status != exitInterrupted || out != "" {
		t.Errorf("status %d, %q, %q; want %d and nothing printed", status, out, err, exitInterrupted)
	}
	if left := files(t, "."); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

// trigger is an output that does something when a text has been written.
type trigger struct {
	output
	on   string
	do   func()
	once sync.Once
}

func (w *trigger) Write(b []byte) (int, error) {
	n, err := w.output.Write(b)
	if strings.Contains(w.String(), w.on) {
		w.once.Do(w.do)
	}
	return n, err
}

func TestServe(t *testing.T) {
	dsn := pgtest.DSN(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := make(chan struct{})
	out := &trigger{on: "Ctrl-C", do: func() { close(ready) }}
	ended := make(chan int)
	var stderr output
	go func() {
		ended <- run(ctx, []string{"serve", "--dsn", dsn, "--addr", "127.0.0.1:0", "--slow", "1ms"}, streams{out, &stderr})
	}()
	select {
	case <-ready:
	case status := <-ended:
		t.Fatalf("ended with %d: %s", status, stderr.String())
	}
	text := out.String()
	_, rest, _ := strings.Cut(text, "Serving on ")
	base, _, _ := strings.Cut(rest, " ")
	for _, r := range experiment.Routes {
		if !strings.Contains(text, r.Path()) {
			t.Errorf("%s is not announced", r.Path())
		}
		req, err := http.NewRequestWithContext(t.Context(), r.Method(), base+r.Path(), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 && !(r.AnswersEarly() && res.StatusCode == 202) {
			t.Errorf("%s answers %s", r.Path(), res.Status)
		}
	}
	for _, want := range []string{"| vegeta attack -duration=5s -rate=100", "psql -h 127.0.0.1", "pg_stat_activity"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	cancel()
	if status := <-ended; status != exitDone {
		t.Errorf("ended with %d: %s", status, stderr.String())
	}
}
