//go:build linux || darwin

package pgtemp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sys/unix"
)

// shared is the cluster behind every PgBouncer of these tests.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

func stopShared() error {
	if shared.server == nil {
		return nil
	}
	return shared.server.Stop()
}

// behind returns the address of the shared cluster. It skips the test where there
// is no PgBouncer; .ci/run has one.
func behind(t *testing.T) string {
	t.Helper()
	a, err := runAs()
	check(t, err)
	if _, _, err := thisMachine().bouncer(t.Context(), a); err != nil {
		if none := new(NoBouncerError); errors.As(err, &none) && none.Cause == nil {
			t.Skipf("NOT TESTED, since the package pgbouncer is not installed: %v", err)
		}
		t.Fatal(err)
	}
	shared.once.Do(func() { shared.server, shared.err = Start(context.Background(), Config{}) })
	check(t, shared.err)
	return shared.server.DSN()
}

func bouncerAt(t *testing.T, cfg BouncerConfig, m machine) *bouncer {
	t.Helper()
	b, err := buildBouncer(t.Context(), cfg, m)
	check(t, err)
	t.Cleanup(func() { check(t, b.remove()) })
	return b
}

// connect connects for statements that need no prepared ones, since PgBouncer gives
// each to whatever connection is free.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	check(t, err)
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	check(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func scan(t *testing.T, conn *pgx.Conn, sql string, into ...any) {
	t.Helper()
	check(t, conn.QueryRow(t.Context(), sql).Scan(into...))
}

// with is the address with one part changed.
func with(t *testing.T, dsn string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(dsn)
	check(t, err)
	change(u)
	return u.String()
}

// console connects to PgBouncer's own database.
func console(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	return connect(t, with(t, dsn, func(u *url.URL) { u.Path = "/pgbouncer" }))
}

// show returns the rows that the console shows.
func show(t *testing.T, console *pgx.Conn, what string) []map[string]any {
	t.Helper()
	rows, err := console.Query(t.Context(), "show "+what)
	check(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowToMap)
	check(t, err)
	return list
}

// waiting is the number of clients that wait for a connection to the server.
func waiting(t *testing.T, console *pgx.Conn) string {
	t.Helper()
	for _, pool := range show(t, console, "pools") {
		if pool["database"] == "postgres" {
			return fmt.Sprint(pool["cl_waiting"])
		}
	}
	t.Fatal("PgBouncer has no pool for the database")
	return ""
}

func TestBouncer_whole(t *testing.T) {
	t.Parallel()
	admin := connect(t, behind(t))
	const user, database, password = `it's "a" user=x`, `it's "a", database=x`, `it's "a"; #password=x@/:?% \ `
	// Somebody else's server: another user's database, a password as it is stored
	// today, and names that must be quoted in three places.
	quoted := pgx.Identifier{database}.Sanitize()
	for _, sql := range []string{
		"set password_encryption = 'scram-sha-256'",
		fmt.Sprintf("create role %s login password '%s'", pgx.Identifier{user}.Sanitize(), strings.ReplaceAll(password, "'", "''")),
		fmt.Sprintf("create database %s owner %s", quoted, pgx.Identifier{user}.Sanitize()),
	} {
		_, err := admin.Exec(t.Context(), sql)
		check(t, err)
	}
	t.Cleanup(func() {
		for _, sql := range []string{"drop database " + quoted + " with (force)", "drop role " + pgx.Identifier{user}.Sanitize()} {
			if _, err := admin.Exec(context.Background(), sql); err != nil {
				t.Error(err)
			}
		}
	})
	var method string
	scan(t, admin, fmt.Sprintf("select left(rolpassword, 13) from pg_authid where rolname = '%s'", strings.ReplaceAll(user, "'", "''")), &method)
	if method != "SCRAM-SHA-256" {
		t.Fatalf("the server will not ask for scram-sha-256, but for %s", method)
	}

	var told []string
	b, err := buildBouncer(t.Context(), BouncerConfig{
		DSN: with(t, behind(t), func(u *url.URL) {
			u.User, u.Path = url.UserPassword(user, password), "/"+database
			u.RawQuery = "sslmode=prefer&application_name=whole"
		}),
		PoolSize:   3,
		MaxClients: 77,
		Log:        func(s string) { told = append(told, s) },
	}, at(newBase(t)))
	check(t, err)
	s := b.handle()
	t.Cleanup(func() { check(t, s.Stop()) })

	var gotUser, gotDatabase, gotName string
	scan(t, connect(t, s.DSN()), "select current_user, current_database(), current_setting('application_name')", &gotUser, &gotDatabase, &gotName)
	if gotUser != user || gotDatabase != database || gotName != "whole" {
		t.Errorf("through PgBouncer: got %q in %q as %q, want %q in %q as whole", gotUser, gotDatabase, gotName, user, database)
	}

	ask := console(t, s.DSN())
	if got := ask.PgConn().ParameterStatus("server_version"); got != s.Version()+"/bouncer" {
		t.Errorf("Version: got %q, PgBouncer says %q", s.Version(), got)
	}
	config := map[string]string{}
	for _, row := range show(t, ask, "config") {
		config[fmt.Sprint(row["key"])] = fmt.Sprint(row["value"])
	}
	for name, want := range map[string]string{
		"listen_addr":        "127.0.0.1",
		"unix_socket_dir":    "",
		"pool_mode":          "transaction",
		"max_client_conn":    "77",
		"query_wait_timeout": "120",
		"server_tls_sslmode": "prefer",
	} {
		if got := strings.TrimSuffix(config[name], "<nil>"); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "Starting a throwaway PgBouncer "+s.Version()) {
		t.Errorf("Log was told %q, want one sentence on the start", told)
	}

	// The password is in one file, which is for the account.
	refused := with(t, s.DSN(), func(u *url.URL) { u.User = url.UserPassword(user, "wrong") })
	if conn, err := pgx.Connect(t.Context(), refused); err == nil {
		conn.Close(t.Context())
		t.Error("PgBouncer let a wrong password in")
	}
	users, err := os.ReadFile(b.folder.in(bouncerUsersName))
	check(t, err)
	secret := doubled(password, `"`)
	if !strings.Contains(string(users), secret) {
		t.Fatalf("looking for a password that is nowhere: %s", secret)
	}
	var mode unix.Stat_t
	check(t, unix.Stat(b.folder.in(bouncerUsersName), &mode))
	if mode.Uid != uint32(b.account.uid) || mode.Mode&0o777 != 0o600 {
		t.Errorf("the file with the password: owner %d and mode %o, want %d and 600", mode.Uid, mode.Mode&0o777, b.account.uid)
	}
	texts := map[string]string{"what Log was told": strings.Join(told, "\n")}
	for _, name := range []string{"log", bouncerConfigName} {
		text, err := os.ReadFile(b.folder.in(name))
		check(t, err)
		texts[name] = string(text)
	}
	arguments, err := exec.Command("ps", "-A", "-ww", "-o", "args=").Output()
	check(t, err)
	texts["the arguments of processes"] = string(arguments)
	if !strings.Contains(texts["the arguments of processes"], b.folder.in(bouncerConfigName)) || !strings.Contains(texts["log"], "process up") {
		t.Fatalf("looking in the wrong places: %s\n%s", arguments, texts["log"])
	}
	for where, text := range texts {
		if strings.Contains(text, "#password") {
			t.Errorf("the password is in %s:\n%s", where, text)
		}
	}

	select {
	case <-s.Done():
		t.Error("Done is closed before Stop")
	default:
	}
	// However many stop it, and with clients.
	var stops sync.WaitGroup
	for range 3 {
		stops.Go(func() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			b.report().gone(t)
		})
	}
	stops.Wait()
	<-s.Done()
}

// Clients that come and stay use no more connections than there are.
func TestBouncer_fewConnections(t *testing.T) {
	t.Parallel()
	const clients, size = 20, 3
	b := bouncerAt(t, BouncerConfig{DSN: behind(t), PoolSize: size}, at(newBase(t)))
	var mu sync.Mutex
	backends := map[int]int{}
	var once, all sync.WaitGroup
	once.Add(clients)
	for range clients {
		conn := connect(t, b.dsn())
		all.Go(func() {
			for round := range 5 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				var pid int
				// Long enough for all clients to want a connection at a time.
				err := conn.QueryRow(ctx, "select pg_backend_pid() from pg_sleep(0.02)").Scan(&pid)
				cancel()
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				backends[pid]++
				mu.Unlock()
				if round == 0 {
					once.Done()
					once.Wait() // every client has been served, and is still there
				}
			}
		})
	}
	all.Wait()
	if len(backends) > size {
		t.Errorf("%d clients used %d connections, want at most %d", clients, len(backends), size)
	}
}

func TestBouncer_transactionKeepsConnection(t *testing.T) {
	t.Parallel()
	b := bouncerAt(t, BouncerConfig{DSN: behind(t), PoolSize: 1}, at(newBase(t)))
	holder, other, ask := connect(t, b.dsn()), connect(t, b.dsn()), console(t, b.dsn())

	var kept, got int
	_, err := holder.Exec(t.Context(), "begin")
	check(t, err)
	scan(t, holder, "select pg_backend_pid()", &kept)
	served := make(chan error, 1)
	go func() { served <- other.QueryRow(t.Context(), "select pg_backend_pid()").Scan(&got) }()
	eventually(t, "PgBouncer lets the other client wait", func() bool { return waiting(t, ask) == "1" })
	if state := query(t, behind(t), fmt.Sprintf("select state from pg_stat_activity where pid = %d", kept)); state != "idle in transaction" {
		t.Errorf("the kept connection is %s, want idle in transaction", state)
	}
	select {
	case err := <-served:
		t.Errorf("the other client was served meanwhile: %v", err)
	default:
	}
	_, err = holder.Exec(t.Context(), "commit")
	check(t, err)
	check(t, <-served)
	if got != kept {
		t.Errorf("the other client was served by backend %d, want %d", got, kept)
	}
}

func TestBouncer_killed(t *testing.T) {
	t.Parallel()
	b, err := buildBouncer(t.Context(), BouncerConfig{DSN: behind(t), PoolSize: 1}, at(newBase(t)))
	check(t, err)
	s := b.handle()
	check(t, syscall.Kill(b.server.Pid, syscall.SIGKILL))
	<-s.Done()
	check(t, s.Stop())
	b.report().gone(t)
}

func TestBouncer_ownerKilled(t *testing.T) {
	t.Parallel()
	o := startOwner(t, newBase(t), "PGTEMP_TEST_BEHIND="+behind(t))
	var one int
	client := connect(t, o.DSN) // and it stays
	scan(t, client, "select 1", &one)
	o.kill(t)
	o.eventuallyGone(t)
}

// The owner dies before PgBouncer listens, and so before it has told its pid.
func TestBouncer_ownerKilledEarly(t *testing.T) {
	t.Parallel()
	dsn, base := behind(t), newBase(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PGTEMP_TEST_OWNER="+base, "PGTEMP_TEST_BEHIND="+dsn)
	check(t, cmd.Start())
	eventually(t, "its settings are there", func() bool {
		found, _ := filepath.Glob(base + "/" + bouncerPrefix + "*/" + bouncerConfigName)
		return len(found) == 1
	})
	check(t, cmd.Process.Kill())
	_ = cmd.Wait()
	eventually(t, "the folder is gone", func() bool { return len(names(t, base)) == 0 })
}

// Owner and watchdog are killed: the next start sweeps, and not what has an owner.
func TestBouncer_swept(t *testing.T) {
	t.Parallel()
	dsn, base := behind(t), newBase(t)
	neighbour := startOwner(t, base, "PGTEMP_TEST_BEHIND="+dsn)
	dead := startOwner(t, base, "PGTEMP_TEST_BEHIND="+dsn)
	dead.killBoth(t)
	var one int
	scan(t, connect(t, dead.DSN), "select 1", &one) // nobody was there to stop it

	var told []string
	b := bouncerAt(t, BouncerConfig{DSN: dsn, PoolSize: 1, Log: func(s string) { told = append(told, s) }}, at(base))
	dead.gone(t)
	if !strings.Contains(told[0], dead.Folder) {
		t.Errorf("Log was told %q, want the folder that was removed first", told)
	}
	scan(t, connect(t, neighbour.DSN), "select 1", &one)
	scan(t, connect(t, b.dsn()), "select 1", &one)
}

func TestStartBouncer_portTaken(t *testing.T) {
	t.Parallel()
	dsn := behind(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	// Nobody but PgBouncer may be asked, for whoever is asked may get the password.
	strangers := make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			conn.Close()
		}
		strangers <- n
	}()

	a, err := runAs()
	check(t, err)
	m := at(newBase(t))
	program, _, err := m.bouncer(t.Context(), a)
	check(t, err)
	// One that is slow to find out that the port is taken.
	slow := newBase(t) + "/pgbouncer"
	defer os.Remove(slow)
	writeScript(t, slow, `[ "$1" = --version ] || sleep 0.2; exec `+shellQuote(program)+` "$@"`)
	m.getenv = func(name string) string { return map[string]string{"PGHOLD_PGBOUNCER": slow}[name] }
	asked := 0
	m.freePort = func() (int, error) {
		if asked++; asked == 1 {
			return l.Addr().(*net.TCPAddr).Port, nil
		}
		return freePort()
	}
	b := bouncerAt(t, BouncerConfig{DSN: dsn, PoolSize: 1}, m)
	var one int
	scan(t, connect(t, b.dsn()), "select 1", &one)
	if asked != 2 {
		t.Errorf("asked for a port %d times, want 2", asked)
	}
	check(t, l.Close())
	if n := <-strangers; n > 0 {
		t.Errorf("whoever had the port was asked %d times", n)
	}
}

// writeScript has a shell write it, since a file that we write ourselves may still
// be open in a child that a parallel test has just forked, and cannot be run then.
func writeScript(t *testing.T, path, text string) {
	t.Helper()
	check(t, exec.Command("/bin/sh", "-c", `printf '#!/bin/sh\n%s\n' "$2" >"$1" && chmod 755 "$1"`, "sh", path, text).Run())
}

func TestStartBouncer_cannot(t *testing.T) {
	t.Parallel()
	dsn := behind(t)
	for _, c := range []struct {
		name string
		cfg  BouncerConfig
		want string
	}{
		{"no connections", BouncerConfig{DSN: dsn}, "PoolSize is 0"},
		{"not an address", BouncerConfig{DSN: "postgres://u:geheim%@h/d", PoolSize: 1}, "hexadecimal digits"},
		{"wrong password", BouncerConfig{DSN: with(t, dsn, func(u *url.URL) { u.User = url.UserPassword("postgres", "geheim") }), PoolSize: 1},
			"the server behind PgBouncer: "},
		{"a setting that PgBouncer does not pass on", BouncerConfig{DSN: dsn + "&search_path=x", PoolSize: 1}, "search_path"},
		{"a server without TLS", BouncerConfig{DSN: strings.Replace(dsn, "disable", "require", 1), PoolSize: 1}, "refused TLS"},
		{"a certificate to verify", BouncerConfig{DSN: strings.Replace(dsn, "disable", "verify-full", 1), PoolSize: 1}, "certificate"},
		{"a line break", BouncerConfig{DSN: strings.Replace(dsn, "/postgres?", "/a%0Aauth_type=any?", 1), PoolSize: 1}, "control character"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := startBouncer(t.Context(), c.cfg, at(newBase(t)))
			if err == nil {
				check(t, b.Stop())
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("got %v, want an error with %q and without the password", err, c.want)
			}
			var refused *pgconn.PgError
			if c.name == "wrong password" && (!errors.As(err, &refused) || refused.Code != "28P01" || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got %v, want the server's own error, once", err)
			}
			t.Log(err)
		})
	}
}

func TestStartBouncer_none(t *testing.T) {
	t.Parallel()
	const dsn = "postgres://postgres@127.0.0.1:1/postgres"
	m := at(newBase(t))
	env := map[string]string{}
	m.getenv = func(name string) string { return env[name] }
	m.bouncers = nil
	_, err := startBouncer(t.Context(), BouncerConfig{DSN: dsn, PoolSize: 1}, m)
	var none *NoBouncerError
	if !errors.As(err, &none) || none.Cause != nil {
		t.Fatalf("got %v, want a NoBouncerError without a cause", err)
	}
	for _, want := range []string{"install the package pgbouncer", "PGHOLD_PGBOUNCER", "--pgbouncer"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s: %v", want, err)
		}
	}

	// One that does not run, and then another program.
	dir := newBase(t)
	defer os.Remove(dir + "/pgbouncer")
	for _, script := range []string{"exit 3", "echo another"} {
		writeScript(t, dir+"/pgbouncer", script)
		env["PATH"], env["PGHOLD_PGBOUNCER"] = dir, ""
		_, err = startBouncer(t.Context(), BouncerConfig{DSN: dsn, PoolSize: 1}, m)
		if !errors.As(err, &none) || none.Cause == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("got %v, want a NoBouncerError that says what does not run", err)
		}
		env["PATH"], env["PGHOLD_PGBOUNCER"] = os.Getenv("PATH"), dir+"/pgbouncer"
		_, err = startBouncer(t.Context(), BouncerConfig{DSN: dsn, PoolSize: 1}, m)
		if err == nil || !strings.Contains(err.Error(), "PGHOLD_PGBOUNCER does not name") {
			t.Errorf("got %v, want to be told that PGHOLD_PGBOUNCER is wrong", err)
		}
	}
}

// A server that asks for TLS, and for no password.
func TestStartBouncer_tls(t *testing.T) {
	t.Parallel()
	behind(t) // for its skip
	a, err := runAs()
	check(t, err)
	dir := newBase(t)
	defer func() { check(t, os.RemoveAll(dir+"/key")); check(t, os.RemoveAll(dir+"/certificate")) }()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	for name, block := range map[string]*pem.Block{
		"key":         {Type: "PRIVATE KEY", Bytes: private},
		"certificate": {Type: "CERTIFICATE", Bytes: certificate},
	} {
		check(t, os.WriteFile(dir+"/"+name, pem.EncodeToMemory(block), 0o600))
		check(t, os.Chown(dir+"/"+name, a.uid, a.gid))
	}
	c, err := build(t.Context(), Config{Settings: map[string]string{
		"ssl": "on", "ssl_key_file": dir + "/key", "ssl_cert_file": dir + "/certificate",
	}}, at(newBase(t)))
	check(t, err)
	s := c.handle()
	t.Cleanup(func() { check(t, s.Stop()) })
	check(t, os.WriteFile(c.folder.data()+"/pg_hba.conf", []byte("hostssl all all 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 md5\n"), 0o600))
	if got := query(t, s.DSN(), "pg_reload_conf()"); got != "true" {
		t.Fatalf("pg_reload_conf: got %s", got)
	}
	open := with(t, s.DSN(), func(u *url.URL) { u.User = url.User("postgres"); u.RawQuery = "sslmode=require" })
	eventually(t, "the server lets us in without a password", func() bool {
		conn, err := pgx.Connect(t.Context(), open)
		if err == nil {
			conn.Close(t.Context())
		}
		return err == nil
	})

	b := bouncerAt(t, BouncerConfig{DSN: open, PoolSize: 1}, at(newBase(t)))
	var tls bool
	scan(t, connect(t, b.dsn()), "select ssl from pg_stat_ssl where pid = pg_backend_pid()", &tls)
	if !tls {
		t.Error("PgBouncer's connection to the server is not encrypted")
	}
	strange := with(t, b.dsn(), func(u *url.URL) { u.User = url.User("postgres") })
	if conn, err := pgx.Connect(t.Context(), strange); err == nil {
		conn.Close(t.Context())
		t.Error("PgBouncer lets everybody in")
	}
}
