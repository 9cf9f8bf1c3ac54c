package lab_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"flag"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/internal/pg/pgtemp"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

func TestMain(m *testing.M) {
	lab.ServeChild()
	// Tests in parallel wait for slow calls, and none asks how long they took.
	flag.Set("test.parallel", "6")
	pgtest.Main(m)
}

const (
	syncOutside  = "sync_session_sleep_outside_session"
	syncInside   = "sync_session_sleep_inside_session"
	asyncOutside = "async_session_sleep_outside_session"
	asyncInside  = "async_session_sleep_inside_session"
)

// run runs routes on a database of the test's own and returns the result and the
// folder with the files.
func run(t *testing.T, s experiment.Settings, names ...string) (*experiment.Result, string) {
	t.Helper()
	routes := experiment.RoutesOf("seed")
	if len(names) > 0 {
		var err error
		if routes, err = experiment.FindRoutes(names); err != nil {
			t.Fatal(err)
		}
	}
	return runCases(t, s, experiment.CasesOf(routes, s))
}

func runCases(t *testing.T, s experiment.Settings, cases []experiment.Case) (*experiment.Result, string) {
	t.Helper()
	most := s
	for _, c := range cases {
		if c.Settings.ServerConnections() > most.ServerConnections() {
			most = c.Settings
		}
	}
	dsn := pgtest.DSN(t)
	db := openDatabase(t, dsn, most)
	dir := t.TempDir()
	res, err := lab.Run(t.Context(), db, lab.Options{Settings: s, Cases: cases, Dir: dir, Bouncer: bouncer(dsn)})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Routes) != len(cases) || res.Interrupted {
		t.Fatalf("%d of %d routes were finished", len(res.Routes), len(cases))
	}
	for i := range res.Routes {
		checkWhole(t, cases[i].Settings, &res.Routes[i])
	}
	return res, dir
}

// bouncer starts a PgBouncer in front of a database, for lab.Options.
func bouncer(dsn string) func(context.Context, int) (*lab.Bouncer, error) {
	return func(ctx context.Context, connections int) (*lab.Bouncer, error) {
		b, err := pgtemp.StartBouncer(ctx, pgtemp.BouncerConfig{DSN: dsn, PoolSize: connections})
		if err != nil {
			return nil, err
		}
		return &lab.Bouncer{DSN: b.DSN(), Refused: b.Refused, Stop: b.Stop}, nil
	}
}

// seedCases are the seed's four routes.
func seedCases(s experiment.Settings) []experiment.Case {
	return experiment.CasesOf(experiment.RoutesOf("seed"), s)
}

func openDatabase(t *testing.T, dsn string, s experiment.Settings) *lab.Database {
	t.Helper()
	db, err := lab.OpenDatabase(t.Context(), dsn, s.ServerConnections())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	return db
}

// checkWhole checks what holds for every route, whatever the settings.
func checkWhole(t *testing.T, s experiment.Settings, r *experiment.RouteResult) {
	t.Helper()
	o := r.Outcomes
	if r.Requests != s.Requests() || o.OK+o.ClientTimeout+o.PoolTimeout+o.Rejected+o.Error != r.Requests {
		t.Errorf("%s: %d requests, want %d; they ended as %+v", r.Name, r.Requests, s.Requests(), o)
	}
	if o.Error != 0 && s.IdleInTransactionTimeout+s.TransactionTimeout == 0 {
		t.Errorf("%s: %d requests failed: %v", r.Name, o.Error, r.Errors)
	}
	if r.NotValid != "" {
		t.Errorf("%s is not valid: %s", r.Name, r.NotValid)
	}
	codes := 0
	for _, n := range r.StatusCodes {
		codes += n
	}
	if codes != r.Requests || r.StatusCodes["200"]+r.StatusCodes["202"] != o.OK || r.StatusCodes["503"] != o.PoolTimeout {
		t.Errorf("%s: status codes %v do not fit the outcomes %+v", r.Name, r.StatusCodes, o)
	}
	if r.Connections.Max > s.ServerConnections() && !s.CancelOnDisconnect { // a cancelled statement lingers on the server
		t.Errorf("%s: the server saw %d connections, want at most %d", r.Name, r.Connections.Max, s.Connections())
	}
	if want := int64(26 * o.OK); r.Of().Group == "seed" && o.PoolTimeout+o.Rejected == 0 && r.BytesIn != want {
		t.Errorf("%s: %d bytes in, want %d: 26 an answer, as the seed's", r.Name, r.BytesIn, want)
	}
}

// near fails unless got is within so large a share of want.
func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*want {
		t.Errorf("%s is %.4g, want %.4g ± %g %%", what, got, want, share*100)
	}
}

// The experiment on a real Postgres, at twenty times the speed. How it comes out then is
// the machine's affair (TestVirtual_TheSeed has that); what it says has to fit together.
func TestRun_TheSeed(t *testing.T) {
	t.Parallel()
	s := experiment.Defaults()
	s.Speed = 20
	res, dir := run(t, s)
	for _, r := range res.Routes {
		checkFiles(t, dir, &r)
		checkHolds(t, dir, &r)
		if r.Connections.Left > s.PoolSize {
			t.Errorf("%s: %d connections were left in the pool, want %d at most", r.Name, r.Connections.Left, s.PoolSize)
		}
	}
	for _, want := range []string{"not capacity", "falls to nothing", "20 times the speed"} {
		if !strings.Contains(strings.Join(res.Warnings, "\n"), want) {
			t.Errorf("no warning says %q: %q", want, res.Warnings)
		}
	}
}

// checkHolds checks what the recorder has to say of a route of the seed.
func checkHolds(t *testing.T, dir string, r *experiment.RouteResult) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, r.Name+".holds.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := pghold.ReadSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Pools) != 1 || s.Pools[0].Checkouts != s.Pools[0].Releases || len(s.Open) != 0 || len(s.Series) != 1 {
		t.Fatalf("%s: pools %+v, %d open, %d series; want every checkout of the one line released", r.Name, s.Pools, len(s.Open), len(s.Series))
	}
	series := s.Series[0]
	if series.Route != "GET /"+r.Name || filepath.Base(series.Site.File) != "seed.go" || !strings.Contains(series.Site.Func, "readUser") {
		t.Errorf("%s: the holds are of %q, taken at %+v", r.Name, series.Route, series.Site)
	}
	if r.Name == syncOutside || r.Name == asyncOutside {
		if len(series.SlowCalls) != 0 {
			t.Errorf("%s: slow calls %v in its holds, want none", r.Name, series.SlowCalls)
		}
		return
	}
	if c := series.SlowCalls; len(c) != 1 || c[0].What != "sleep" || int(c[0].Count) != r.Holds.Count || c[0].Site.Func != "github.com/pghold/pghold/cmd/pghold/internal/lab.(*App).inside" {
		t.Errorf("%s: %d holds with the slow calls %+v; want one sleep in each, with the handler's line", r.Name, r.Holds.Count, series.SlowCalls)
	}
}

// checkFiles checks that a route's files say what its result says, and returns what
// vegeta makes of its requests.
func checkFiles(t *testing.T, dir string, r *experiment.RouteResult) *vegeta.Metrics {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, r.Name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	var m vegeta.Metrics
	decoder := vegeta.NewDecoder(bytes.NewReader(b))
	for {
		var hit vegeta.Result
		if decoder.Decode(&hit) != nil {
			break
		}
		m.Add(&hit)
	}
	m.Close()
	if int(m.Requests) != r.Requests || m.Success != r.SuccessRatio {
		t.Errorf("%s: vegeta counts %d requests and success %v, the result %d and %v", r.Name, m.Requests, m.Success, r.Requests, r.SuccessRatio)
	}
	near(t, r.Name+": vegeta's throughput", m.Throughput, r.Throughput, 0.001)
	near(t, r.Name+": vegeta's rate", m.Rate, r.Rate, 0.001)
	near(t, r.Name+": vegeta's mean", m.Latencies.Mean.Seconds(), r.Latency.Mean.Seconds(), 0.001)

	f, err := os.Open(filepath.Join(dir, r.Name+".connections.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", f.Name(), err)
	}
	most, at := 0, map[string]int{}
	for _, row := range rows[1:] {
		at[row[0]]++
		most = max(most, at[row[0]])
	}
	if most != r.Connections.Max {
		t.Errorf("%s: at most %d connections in a sample, the result says %d", f.Name(), most, r.Connections.Max)
	}
	return &m
}

func TestRun_EveryPool(t *testing.T) {
	t.Parallel()
	for _, pool := range experiment.Pools {
		t.Run(pool, func(t *testing.T) {
			s := experiment.Defaults()
			s.Pool, s.Duration, s.Speed = pool, time.Second, 10
			s.Rate, s.PoolSize, s.MaxOverflow, s.Threads = 40, 3, 4, 20
			res, dir := run(t, patient(s))
			for _, r := range res.Routes {
				checkHolds(t, dir, &r)
				if q := r.Holds.Opening; q.Min <= 0 || q.Max > r.Elapsed+r.DrainedAfter {
					t.Errorf("%s: opening a connection took %v to %v, of the %v that the route took", r.Name, q.Min, q.Max, r.Elapsed+r.DrainedAfter)
				}
				if r.Name == syncOutside || r.Name == asyncOutside {
					near(t, r.Name+": success", r.SuccessRatio, 1, 0)
					continue
				}
				if r.Connections.Max != 7 || r.Connections.MaxSilentInTransaction != 7 {
					t.Errorf("%s: the server saw %+v, want 7 connections, all silent in transaction", r.Name, r.Connections)
				}
			}
		})
	}
}

// When ctx ends, the finished routes stay, the unfinished leaves no file, and no
// connection is left on the server.
func TestRun_Interrupted(t *testing.T) {
	s := experiment.Defaults()
	s.Duration, s.Speed = time.Second, 10
	db := openDatabase(t, pgtest.DSN(t), s)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	res, err := lab.Run(ctx, db, lab.Options{
		Settings: s, Cases: seedCases(s), Dir: dir,
		Progress: func(p lab.Progress) {
			if p.Case.Name == syncInside && p.Done == nil && p.Sent > 10 {
				cancel()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Interrupted || len(res.Routes) != 1 || res.Routes[0].Name != syncOutside {
		t.Errorf("interrupted %v with %d routes, want the first route only", res.Interrupted, len(res.Routes))
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 4 {
		t.Errorf("files %q, want the first route's four", files)
	}
}

func TestRun_PostgresDies(t *testing.T) {
	pg, err := pgtemp.Start(t.Context(), pgtemp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	s := experiment.Defaults()
	db, err := lab.OpenDatabase(t.Context(), pg.DSN(), s.Connections())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	res, err := lab.Run(t.Context(), db, lab.Options{
		Settings: s, Cases: seedCases(s)[1:2], Dir: dir,
		Progress: func(p lab.Progress) {
			if p.Sent > 10 {
				pg.Stop()
			}
		},
	})
	if res != nil || err == nil || !strings.Contains(err.Error(), "no longer answers") {
		t.Errorf("got %v, want an error that says that Postgres no longer answers", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); len(files) != 0 {
		t.Errorf("files %q were left", files)
	}
}

func TestRun_RefusesBadSettings(t *testing.T) {
	good := experiment.Defaults()
	db := openDatabase(t, pgtest.DSN(t), good)
	bad := good
	bad.PoolSize = 0
	if _, err := lab.Run(t.Context(), db, lab.Options{Settings: bad, Cases: seedCases(bad), Dir: t.TempDir()}); err == nil {
		t.Error("a pool of no connection was run")
	}
	many := good
	many.Rate, many.Duration, many.ClientTimeout = 1e6, time.Hour, time.Hour
	_, err := lab.Run(t.Context(), db, lab.Options{Settings: many, Cases: seedCases(many), Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "ulimit -n") {
		t.Errorf("with more requests than files: got %v, want an error that says how to allow more", err)
	}
}

// The app by itself, asked by an ordinary client.
func TestApp(t *testing.T) {
	s := experiment.Defaults()
	s.Slow, s.PoolSize, s.MaxOverflow, s.PoolTimeout = time.Millisecond, 1, 0, 20*time.Millisecond
	db := openDatabase(t, pgtest.DSN(t), s)
	app, err := lab.NewApp(lab.AppConfig{Database: db, Settings: s, Routes: experiment.RoutesOf("seed"), Application: "lab test"})
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	server := httptest.NewServer(app)
	defer server.Close()
	get := func(path string) (int, string) {
		t.Helper()
		res, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(res.Body)
		return res.StatusCode, b.String()
	}
	for _, r := range experiment.RoutesOf("seed") {
		if status, body := get(r.Path()); status != 200 || body != `{"id":1,"name":"John Doe"}` {
			t.Errorf("%s answers %d %s", r.Path(), status, body)
		}
	}
	if status, _ := get("/nothing"); status != 404 {
		t.Errorf("/nothing answers %d, want 404", status)
	}
}

func TestApp_PoolTimeoutIs503(t *testing.T) {
	for _, pool := range experiment.Pools {
		t.Run(pool, func(t *testing.T) {
			s := experiment.Defaults()
			s.Pool, s.Slow, s.PoolSize, s.MaxOverflow, s.PoolTimeout = pool, time.Hour, 1, 0, 500*time.Millisecond
			db := openDatabase(t, pgtest.DSN(t), s)
			app, err := lab.NewApp(lab.AppConfig{Database: db, Settings: s, Routes: experiment.RoutesOf("seed"), Application: "lab test"})
			if err != nil {
				t.Fatal(err)
			}
			defer app.Close()
			answers := make(chan *httptest.ResponseRecorder, 2)
			for range 2 {
				go func() {
					w := httptest.NewRecorder()
					app.ServeHTTP(w, httptest.NewRequest("GET", "/"+asyncInside, nil))
					answers <- w
				}()
			}
			first := <-answers // the one that did not get the connection
			if first.Code != 503 || !strings.Contains(first.Body.String(), "reached") {
				t.Errorf("answered %d %s, want 503 and the pool's error", first.Code, first.Body)
			}
			app.Stop()
			if second := <-answers; second.Code != 499 {
				t.Errorf("the other one was answered %d when the app stopped, want 499", second.Code)
			}
		})
	}
}

func TestOpenDatabase_SaysWhatIsWrong(t *testing.T) {
	s := experiment.Defaults()
	dsn := pgtest.DSN(t)
	open := func(dsn string, s experiment.Settings) string {
		t.Helper()
		db, err := lab.OpenDatabase(t.Context(), dsn, s.Connections())
		if err == nil {
			db.Close()
			return ""
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("not one line: %q", err)
		}
		return err.Error()
	}
	for name, c := range map[string]struct{ dsn, want string }{
		"no URL":         {"postgres://127.0.0.1:x/", "not valid"},
		"nobody listens": {"postgres://u:secret@127.0.0.1:1/db", "cannot connect"},
		"wrong password": {strings.Replace(dsn, "postgres://", "postgres://wrong-", 1), "cannot connect"},
	} {
		got := open(c.dsn, s)
		if !strings.Contains(got, c.want) || strings.Contains(got, "secret") {
			t.Errorf("%s: %q, want %q and no password", name, got, c.want)
		}
	}
	many := s
	many.PoolSize = 10000
	if got := open(dsn, many); !strings.Contains(got, "max_connections") {
		t.Errorf("more connections than the server has: %q", got)
	}
	if got := open(roleWithoutCreate(t, dsn), s); !strings.Contains(got, "grant create on database") {
		t.Errorf("a role that may not create a schema: %q", got)
	}
}
