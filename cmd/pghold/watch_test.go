package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/watch"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// tapping runs pghold watch in front of a server while an app does something through it,
// and then interrupts it.
func tapping(t *testing.T, dsn string, app func(through string, stderr *trigger), more ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready := make(chan struct{})
	errs := &trigger{on: "keep the rest", do: func() { close(ready) }}
	ended := make(chan int, 1)
	var out output
	go func() {
		ended <- run(ctx, append([]string{"watch", "--listen", "127.0.0.1:0", "--dsn", dsn}, more...), streams{&out, errs})
	}()
	select {
	case <-ready:
	case status := <-ended:
		return status, out.String(), errs.String()
	}
	cc, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(errs.String(), "Passing ")
	address, _, _ := strings.Cut(rest, " ")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	app(fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=%s sslmode=disable application_name=shop", host, port, cc.User, cc.Password, cc.Database), errs)
	cancel()
	return <-ended, out.String(), errs.String()
}

// idle is an app that is idle in a transaction for 20 ms.
func idle(t *testing.T, through string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), through)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range []string{"begin", "select 'secret' /*route='/checkout'*/"} {
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(20 * time.Millisecond)
	if _, err := conn.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
}

func TestWatch(t *testing.T) {
	dsn := pgtest.DSN(t)
	file := filepath.Join(t.TempDir(), "monday.watch")
	status, out, stderr := tapping(t, dsn, func(through string, stderr *trigger) {
		idle(t, through)
		_, rest, _ := strings.Cut(stderr.String(), "Metrics on ")
		url, _, _ := strings.Cut(rest, "\n")
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if page, _ := io.ReadAll(res.Body); !strings.Contains(string(page), `pghold_watch_gap_seconds_bucket{application_name="shop"`) {
			t.Errorf("the metrics are %s", page)
		}
	}, "--record", file, "--metrics", "127.0.0.1:0")
	if status != exitDone {
		t.Fatalf("ended with %d: %s", status, stderr)
	}
	checkScreen := func(text string) {
		t.Helper()
		joined := strings.Join(strings.Fields(text), " ")
		if !strings.Contains(joined, "/checkout (shop): was idle in transaction once, for up to ") || !strings.Contains(joined, "SELECT ?") || strings.Contains(text, "secret") {
			t.Errorf("the screen is\n%s", text)
		}
	}
	checkScreen(out)

	// The recording has the same.
	status, again, stderr := pghold(t.Context(), "watch", file)
	if status != exitDone || !strings.HasSuffix(again, out) {
		t.Errorf("status %d, %s\ngot\n%s\nwant at the end\n%s", status, stderr, again, out)
	}
	status, doc, stderr := pghold(t.Context(), "watch", file, "--json")
	var r watch.Report
	if err := json.Unmarshal([]byte(doc), &r); err != nil || status != exitDone || stderr != "" {
		t.Fatalf("status %d, %q, %v", status, stderr, err)
	}
	if len(r.Listed) != 1 || r.Listed[0].Route != "/checkout" || r.Listed[0].Silent < watch.Seconds(20*time.Millisecond) || r.Listed[0].Application != "shop" {
		t.Errorf("transactions are %+v", r.Listed)
	}
	// It is there already.
	if status, _, stderr := tapping(t, dsn, nil, "--record", file); status != exitUsage || !strings.Contains(stderr, "name another file") {
		t.Errorf("recorded over another: status %d, %s", status, stderr)
	}
	if status, _, stderr := pghold(t.Context(), "watch", file, "--fail-over", "silent>19ms"); status != exitFound || !strings.Contains(stderr, "a transaction was idle for ") {
		t.Errorf("--fail-over on a recording: status %d, %s", status, stderr)
	}
}

// A server that cannot be reached is told at the start, before an app comes, and where one
// has come to the end.
func TestWatch_ServerAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := &trigger{on: "cannot reach the server: ", do: cancel}
	var none output
	if status := run(ctx, []string{"watch", "--listen", "127.0.0.1:0", "--dsn", "postgresql+psycopg2://u@127.0.0.1:1/d?sslmode=disable"}, streams{&none, errs}); status != exitDone || !strings.Contains(none.String(), "No session was seen.") || strings.Contains(none.String(), "could not be passed on") {
		t.Errorf("status %d, %s, %s", status, none.String(), errs.String())
	}
	status, out, stderr := tapping(t, "postgres://u@127.0.0.1:1/d?sslmode=disable", func(through string, _ *trigger) {
		if _, err := pgx.Connect(t.Context(), through); err == nil {
			t.Error("connected")
		}
	})
	if status != exitDone || !strings.Contains(strings.Join(strings.Fields(out), " "), "1 connection could not be passed on, the last because: cannot reach the server: ") || strings.Count(stderr, "cannot reach the server") != 1 {
		t.Errorf("status %d, %s, %s", status, out, stderr)
	}
}

// Who waits for a lock is asked as the role that --dsn names, and of its database.
func TestWatch_AsksForLocks(t *testing.T) {
	u, err := url.Parse(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/nowhere"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := &trigger{on: `who waits for a lock is not known`, do: cancel}
	if status := run(ctx, []string{"watch", "--listen", "127.0.0.1:0", "--dsn", u.String()}, streams{&output{}, errs}); status != exitDone || !strings.Contains(errs.String(), `database "nowhere" does not exist`) {
		t.Errorf("status %d, %s", status, errs.String())
	}
	// Where it names none, nobody is asked: the tap has no credentials.
	u.User = nil
	if status, _, stderr := tapping(t, u.String(), func(string, *trigger) {}); status != exitDone || strings.Contains(stderr, "lock") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

func TestWatch_FailOver(t *testing.T) {
	dsn := pgtest.DSN(t)
	for limit, want := range map[string]int{
		"silent>19ms": exitFound, "silent>1h": exitDone, "transaction > 19ms": exitFound, "aborted>0s": exitDone,
	} {
		status, out, stderr := tapping(t, dsn, func(through string, _ *trigger) { idle(t, through) }, "--fail-over", limit, "--json")
		if status != want || (want == exitFound) != strings.Contains(stderr, "pghold: --fail-over: ") || !json.Valid([]byte(out)) {
			t.Errorf("%s: status %d, want %d: %s", limit, status, want, stderr)
		}
	}
}

// It ends by itself where it was told when, and is interrupted before that.
func TestWatch_For(t *testing.T) {
	dsn := pgtest.DSN(t)
	if status, out, stderr := pghold(t.Context(), "watch", "--listen", "127.0.0.1:0", "--dsn", dsn, "--for", "1ms"); status != exitDone || !strings.Contains(out, "No session was seen.") {
		t.Errorf("status %d, %s, %s", status, out, stderr)
	}
	if status, _, stderr := tapping(t, dsn, func(string, *trigger) {}, "--for", "1h"); status != exitInterrupted {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// One sample sees who is idle in a transaction now.
func TestWatch_Once(t *testing.T) {
	dsn := pgtest.DSN(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "begin; select 'secret' /*route='/checkout'*/", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	status, out, stderr := pghold(t.Context(), "watch", "--dsn", dsn, "--once", "--json")
	var r watch.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != exitDone {
		t.Fatalf("status %d, %v, %s: %s", status, err, stderr, out)
	}
	if r.InTransaction != 1 || len(r.Listed) != 1 || !r.Listed[0].Open || r.Listed[0].PID != conn.PgConn().PID() || strings.Contains(out, "secret") {
		t.Errorf("got %+v", r)
	}
	// Where an output cannot be opened it ends, and says so.
	for _, more := range [][]string{{"--record", "no/such/folder"}, {"--metrics", "127.0.0.1:99999"}} {
		if status, _, stderr := pghold(t.Context(), append([]string{"watch", "--dsn", dsn}, more...)...); status != exitFailed || !strings.Contains(stderr, "pghold: "+more[0]) {
			t.Errorf("%q: status %d, %s", more, status, stderr)
		}
	}
	status, out, stderr = pghold(t.Context(), "watch", "--dsn", dsn, "--once")
	if status != exitDone || !strings.Contains(out, "1 session, 1 transaction open, 1 idle in transaction (the longest for ") || strings.Contains(out, "counted") || strings.Contains(out, " ended in ") || !strings.Contains(stderr, "Sampling the sessions of database") {
		t.Errorf("status %d, %s, %s", status, out, stderr)
	}
}

// A tap does not connect to itself.
func TestConnectsToItself(t *testing.T) {
	folder, link := t.TempDir(), filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(folder, ".s.PGSQL.6432"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 6432} }
	type dsns map[string]bool
	cases := []struct {
		at net.Addr
		to dsns
	}{
		{tcp("127.0.0.1"), dsns{
			"host=127.0.0.1": true, "host=localhost": true, "host=0.0.0.0": true, "host=db.example,127.0.0.1": true,
			"host=127.0.0.1 port=5432": false, "host=db.example": false, "host=127.0.0.2": false, "host=" + folder: false,
		}},
		{tcp("::1"), dsns{"host=::1": true, "host=localhost": true, "host=127.0.0.1": false}},
		{tcp("192.0.2.1"), dsns{"host=192.0.2.1": true, "host=localhost": false, "host=127.0.0.1": false, "host=0.0.0.0": false}},
		{socket.Addr(), dsns{"host=" + folder: true, "host=" + link: true, "host=" + folder + " port=5432": false, "host=" + t.TempDir(): false, "host=localhost": false}},
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, every := range []string{"0.0.0.0", "::"} {
		to := dsns{
			"host=127.0.0.1": true, "host=127.0.0.2": true, "host=::1": true, "host=localhost": true, "host=0.0.0.0": true, "host=::": true,
			"host=127.0.0.1 port=5432": false, "host=db.example": false, "host=192.0.2.1": false, "host=" + folder: false,
		}
		for _, a := range own {
			to["host="+a.(*net.IPNet).IP.String()] = true
		}
		cases = append(cases, struct {
			at net.Addr
			to dsns
		}{tcp(every), to})
	}
	for _, c := range cases {
		for dsn, want := range c.to {
			cc, err := pgx.ParseConfig("port=6432 sslmode=disable " + dsn)
			if err != nil {
				t.Fatal(err)
			}
			if got := connectsToItself(c.at, cc); got != want {
				t.Errorf("%s, listening at %s: %v, want %v", dsn, c.at, got, want)
			}
		}
	}
}

// In a folder it listens where clients look. What a tap that was killed has left is no
// obstacle, and nobody else's is taken.
func TestListenUnix(t *testing.T) {
	folder := t.TempDir()
	socket := filepath.Join(folder, ".s.PGSQL.5432")
	left, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenUnix(folder); err == nil || !strings.Contains(err.Error(), "a server or another tap listens at "+socket) {
		t.Errorf("where another listens: %v", err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	left.Close()
	if _, err := os.Lstat(socket); err != nil {
		t.Fatal(err)
	}
	l, err := listenUnix(folder)
	if err != nil {
		t.Fatal("where the socket of a killed one is left: ", err)
	}
	l.Close()

	for name, is := range map[string]func(string) error{
		"a file":            func(path string) error { return os.WriteFile(path, nil, 0o666) },
		"a link to nothing": func(path string) error { return os.Symlink("nothing", path) },
	} {
		if err := is(socket); err != nil {
			t.Fatal(err)
		}
		if _, err := listenUnix(folder); err == nil {
			t.Errorf("listens where there is %s", name)
		}
		if err := os.Remove(socket); err != nil {
			t.Errorf("%s is gone: %v", name, err)
		}
	}

	other := filepath.Join(folder, ".s.PGSQL.6432")
	t.Chdir(folder)
	l, err = listenUnix("./.s.PGSQL.6432")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if got := l.Addr().String(); got != other {
		t.Errorf("listens at %s, want %s", got, other)
	}
}

func TestConnectHere(t *testing.T) {
	for want, at := range map[string]net.Addr{
		"the host 127.0.0.1 and the port 6432, and": &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6432},
		"this machine's address and the port 6432,": &net.TCPAddr{IP: net.IPv6unspecified, Port: 6432},
		"this machine's address and the port 6433,": &net.TCPAddr{IP: net.IPv4zero, Port: 6433},
		"host=/tmp port=5432, and keep":             &net.UnixAddr{Net: "unix", Name: "/tmp/.s.PGSQL.5432"},
		"host=/run/a port=6432, and keep":           &net.UnixAddr{Net: "unix", Name: "/run/a/.s.PGSQL.6432"},
	} {
		if got := connectHere(at); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
}

func TestWatch_Mistakes(t *testing.T) {
	t.Setenv("PGHOLD_DSN", "")
	t.Setenv("DATABASE_URL", "")
	const dsn = "postgres://127.0.0.1:1/db"
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte("hello"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want   string
		status int
		args   []string
	}{
		{"name the server with --dsn", exitUsage, []string{"--listen", "127.0.0.1:0"}},
		{"name the server with --dsn", exitUsage, nil},
		{"connection refused: check --dsn", exitFailed, []string{"--dsn", dsn}},
		{"--interval must be 10ms or more", exitUsage, []string{"--dsn", dsn, "--interval", "1ms"}},
		{"add --listen", exitUsage, []string{"--dsn", dsn, "--tls-cert", "a", "--tls-key", "b"}},
		{"--once takes one sample", exitUsage, []string{"--listen", "127.0.0.1:0", "--dsn", dsn, "--once"}},
		{"--once and --for do not go together", exitUsage, []string{"--dsn", dsn, "--once", "--for", "1s"}},
		{"add --listen-beyond-loopback", exitUsage, []string{"--listen", "0.0.0.0:0", "--dsn", dsn}},
		{"--tls-cert and --tls-key go together", exitUsage, []string{"--listen", "127.0.0.1:0", "--dsn", dsn, "--tls-cert", "a"}},
		{"no such file", exitUsage, []string{"--listen", "127.0.0.1:0", "--dsn", dsn, "--tls-cert", "nowhere", "--tls-key", "nowhere"}},
		{"as in 'silent>2s'", exitUsage, []string{"--listen", "127.0.0.1:0", "--dsn", dsn, "--fail-over", "silent"}},
		{"the classes are silent, aborted and transaction", exitUsage, []string{"--listen", "127.0.0.1:0", "--dsn", dsn, "--fail-over", "holds>2s"}},
		{"--for must not be below zero", exitUsage, []string{"--listen", "127.0.0.1:0", "--dsn", dsn, "--for=-1s"}},
		{"target_session_attrs", exitUsage, []string{"--listen", "127.0.0.1:0", "--dsn", dsn + "?target_session_attrs=primary"}},
		{"name another address", exitFailed, []string{"--listen", "127.0.0.1:99999", "--dsn", dsn}},
		{"name another address", exitFailed, []string{"--listen", "127.0.0.1:0", "--dsn", dsn, "--metrics", "127.0.0.1:99999"}},
		{"there is no folder " + filepath.Join(folder, "none") + ": make it", exitFailed, []string{"--listen", filepath.Join(folder, "none"), "--dsn", dsn}},
		{"there is no folder " + text, exitFailed, []string{"--listen", text, "--dsn", dsn}},
		{"the tap would connect to itself", exitUsage, []string{"--listen", folder, "--dsn", "user=u host=" + folder}},
		{"--record", exitFailed, []string{"--listen", "127.0.0.1:0", "--dsn", dsn, "--record", "no/such/folder"}},
		{"there is no recording nowhere.watch (a server is named with --dsn)", exitFailed, []string{"nowhere.watch"}},
		{"as HOST:PORT", exitFailed, []string{"--listen", "6432", "--dsn", dsn}},
		{"this is no recording of pghold watch", exitFailed, []string{text}},
		{"a recording is shown as it is", exitUsage, []string{text, "--for", "1s"}},
	} {
		status, out, err := pghold(t.Context(), append([]string{"watch"}, c.args...)...)
		if status != c.status || out != "" || !strings.Contains(err, c.want) || strings.Count(err, "\n") != 1 {
			t.Errorf("%q: status %d, %q, %q; want status %d and one line with %q", c.args, status, out, err, c.status, c.want)
		}
	}
}
