// Package foreigntest watches apps in other languages, by a tap and by samples: examples/fastapi,
// with SQLAlchemy on asyncpg and on psycopg2, and a service with express and
// node-postgres. It also runs the recipes of docs/recipes.md that put a route into a
// comment, which are in testdata. It has no code but tests.
package foreigntest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/tap"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, func() error { return goleak.Find() }) }

// connections is how many each of the apps' pools has.
const connections = 15

// app is a service that runs with a tap between it and its database, or whose database is
// sampled.
type app struct {
	ledger *watch.Ledger
	look   func() // takes a sample, where it is sampled
	url    string
	client *http.Client
	// calls are its slow calls. Each lasts until its channel is closed.
	calls chan chan struct{}
}

// source is how a database is watched. It returns its address for the app, and what takes a
// sample.
type source func(t *testing.T, dsn string, ledger *watch.Ledger) (address string, look func())

// start runs a service until the test ends. It has DATABASE_URL and SLOW_URL, and says
// at what address it listens.
func start(t *testing.T, watched source, cmd *exec.Cmd) *app {
	t.Helper()
	a := &app{ledger: watch.New(time.Now()), calls: make(chan chan struct{})}
	var address string
	address, a.look = watched(t, pgtest.DSN(t), a.ledger)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end := make(chan struct{})
		select {
		case a.calls <- end:
		case <-r.Context().Done():
		}
		select {
		case <-end:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	cmd.Env = append(append(os.Environ(), "DATABASE_URL="+address, "SLOW_URL="+slow.URL, "no_proxy=*"), cmd.Env...)
	a.url = run(t, cmd)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	a.client = &http.Client{Transport: transport}
	return a
}

// sampled samples the database when it is told.
func sampled(t *testing.T, dsn string, ledger *watch.Ledger) (string, func()) {
	t.Helper()
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	from, err := activity.Connect(t.Context(), activity.Config{Server: cc, Ledger: ledger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close(context.Background()) })
	return dsn, func() {
		t.Helper()
		if err := from.Sample(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// tapped puts a tap in front of the database.
func tapped(t *testing.T, dsn string, ledger *watch.Ledger) (string, func()) {
	t.Helper()
	server, err := pgconn.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	between := tap.New(tap.Config{Server: server, Ledger: ledger, Log: func(line string) { t.Error("the tap:", line) }})
	served := make(chan error, 1)
	go func() { served <- between.Serve(l) }()
	t.Cleanup(func() {
		between.Close()
		if err := <-served; err != nil {
			t.Error("serving:", err)
		}
	})
	u := url.URL{
		Scheme: "postgresql", User: url.UserPassword(server.User, server.Password),
		Host: l.Addr().String(), Path: "/" + server.Database, RawQuery: "sslmode=disable",
	}
	return u.String(), func() {}
}

var listening = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// run starts a process and returns the address that it says it listens at. It is killed
// when the test ends.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	said, out := io.Pipe()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var (
		reading sync.WaitGroup
		log     strings.Builder
	)
	found := make(chan string, 1)
	reading.Go(func() {
		cmd.Wait()
		out.Close()
	})
	reading.Go(func() {
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			log.WriteString(lines.Text() + "\n")
			if at := listening.FindString(lines.Text()); at != "" {
				select {
				case found <- at:
				default: // it says so again
				}
			}
		}
		close(found)
	})
	t.Cleanup(func() {
		cmd.Process.Kill()
		reading.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", cmd, &log)
		}
	})
	at, ok := <-found
	if !ok {
		t.Fatalf("%s ended", cmd)
	}
	return at
}

// ask sends requests, all at once. It returns the answers as they come.
func (a *app) ask(paths ...string) <-chan string {
	answers := make(chan string, len(paths))
	for _, path := range paths {
		go func() {
			res, err := a.client.Get(a.url + path)
			answers <- answer(res, err)
		}()
	}
	return answers
}

// askInOrder sends requests, each when the one before has the header of its answer.
func (a *app) askInOrder(paths ...string) <-chan string {
	answers := make(chan string, len(paths))
	for _, path := range paths {
		res, err := a.client.Get(a.url + path)
		go func() { answers <- answer(res, err) }()
	}
	return answers
}

// answer is the status and the body, or the error.
func answer(res *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

// inCalls waits until n requests are in their slow calls, and returns the function
// that ends these.
func (a *app) inCalls(t *testing.T, n int, answers <-chan string) (end func()) {
	t.Helper()
	var calls []chan struct{}
	for range n {
		select {
		case call := <-a.calls:
			calls = append(calls, call)
		case answer := <-answers:
			t.Fatalf("answered without a slow call: %s", answer)
		}
	}
	return func() {
		for _, call := range calls {
			close(call)
		}
	}
}

// answered waits for n answers, which have to be good.
func answered(t *testing.T, n int, answers <-chan string) {
	t.Helper()
	for range n {
		if answer := <-answers; !strings.HasPrefix(answer, "200 ") {
			t.Fatalf("an answer is %s", answer)
		}
	}
}

// report is the ledger's, of now.
func (a *app) report() *watch.Report {
	a.look()
	return a.ledger.Report(time.Now())
}

// slow is how long the slow calls last that held looks at.
const slow = 20 * time.Millisecond

// held is the one group of gaps that are open. In it are all connections, each for as
// long as its slow call at least.
func (a *app) held(t *testing.T) watch.Group {
	t.Helper()
	time.Sleep(slow)
	r := a.report()
	for _, g := range r.Groups {
		if g.Connections == connections && g.Silent >= watch.Seconds(connections*slow) && r.InTransaction == connections {
			return g
		}
	}
	t.Fatalf("in the slow call %d are idle in transaction, and not all %d alike: %+v", r.InTransaction, connections, r.Groups)
	return watch.Group{}
}
