//go:build linux || darwin

package pgtemp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/internal/pg/connstring"
)

const (
	bouncerConfigName = "pgbouncer.ini"
	bouncerUsersName  = "userlist.txt"
	bouncerPidName    = "pgbouncer.pid" // known to watchdog.sh
)

// bouncer is a Bouncer while it is made, and what Stop takes down.
type bouncer struct {
	throwaway
	program  string
	version  string
	behind   *pgx.ConnConfig // the server and the database
	password string          // that PgBouncer asks for, and gives to the server
}

func startBouncer(ctx context.Context, cfg BouncerConfig, m machine) (*Bouncer, error) {
	b, err := buildBouncer(ctx, cfg, m)
	if err != nil {
		return nil, err
	}
	return b.handle(), nil
}

func (b *bouncer) handle() *Bouncer {
	return &Bouncer{
		dsn:     b.dsn(),
		version: b.version,
		done:    b.server.done,
		refused: b.refused,
		stop:    sync.OnceValue(b.remove),
	}
}

// refusal is how the log tells of one: log_server_error in PgBouncer's src/server.c, the
// same from 1.18 to 1.25.
var refusal = regexp.MustCompile(`(?m) S: login failed: (.*)$`)

// refused reads in the log what servers said instead of letting PgBouncer in.
func (b *bouncer) refused() (n int, reason string) {
	log, err := io.ReadAll(io.NewSectionReader(b.folder.log, 0, math.MaxInt64))
	if err != nil {
		return 0, ""
	}
	for _, m := range refusal.FindAllSubmatch(log, -1) {
		n, reason = n+1, string(m[1])
	}
	return n, reason
}

// buildBouncer makes a PgBouncer that answers, or nothing.
func buildBouncer(ctx context.Context, cfg BouncerConfig, m machine) (_ *bouncer, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	say := func(format string, args ...any) {
		if cfg.Log != nil {
			cfg.Log(fmt.Sprintf(format, args...))
		}
	}
	behind, err := behindBouncer(cfg)
	if err != nil {
		return nil, err
	}
	a, err := runAs()
	if err != nil {
		return nil, err
	}
	base, err := a.tempFolder(ctx, m.tempDir)
	if err != nil {
		return nil, err
	}
	sweep(ctx, base, a, say)
	program, version, err := m.bouncer(ctx, a)
	if err != nil {
		return nil, err
	}
	// What PgBouncer says of a server that does not let it in is less than what
	// the server says to us.
	direct, err := pgx.ConnectConfig(ctx, behind)
	if err != nil {
		return nil, fmt.Errorf("the server behind PgBouncer: %w", connstring.Hide(behind, err))
	}
	if err := direct.Close(ctx); err != nil {
		return nil, fmt.Errorf("the server behind PgBouncer: %w", err)
	}

	b := &bouncer{
		throwaway: throwaway{name: "PgBouncer", account: a},
		program:   program,
		version:   version,
		behind:    behind,
		password:  behind.Password,
	}
	if b.password == "" { // PgBouncer lets nobody in without one
		b.password = rand.Text()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.remove())
		}
	}()
	if err := b.prepare(base, bouncerPrefix); err != nil {
		return nil, err
	}
	say("Starting a throwaway PgBouncer %s, %s.", version, program)
	if err := b.write(bouncerUsersName, b.users()); err != nil {
		return nil, err
	}
	server := func() (*exec.Cmd, error) {
		if err := b.write(bouncerConfigName, b.settings(cfg)); err != nil {
			return nil, err
		}
		// A file descriptor for each connection: many systems give a program no
		// more than 1024, or 256. PgBouncer would leave clients in the queue.
		files := strconv.Itoa(maxClients(cfg) + cfg.PoolSize + 100)
		return b.command(context.Background(), "/bin/sh", "-c", `ulimit -Sn "$1" 2>/dev/null; shift; exec "$@"`, "sh",
			files, program, b.folder.in(bouncerConfigName)), nil
	}
	if err := b.launch(ctx, m.freePort, server, b.ask); err != nil {
		return nil, err
	}
	return b, nil
}

// behindBouncer returns how to connect to the server.
func behindBouncer(cfg BouncerConfig) (*pgx.ConnConfig, error) {
	if cfg.PoolSize < 1 {
		return nil, fmt.Errorf("PoolSize is %d: a PgBouncer without connections to its server lets everybody wait", cfg.PoolSize)
	}
	behind, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, connstring.Reason(err)
	}
	if behind.Database == "" {
		behind.Database = behind.User
	}
	behind.Fallbacks = slices.DeleteFunc(behind.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != behind.Host || f.Port != behind.Port
	})
	if t := behind.TLSConfig; t != nil && (!t.InsecureSkipVerify || t.VerifyPeerCertificate != nil || t.VerifyConnection != nil) {
		return nil, errors.New("PgBouncer cannot be told here how to verify the server's certificate: use sslmode=require, without sslrootcert")
	}
	// They would be lines of their own in PgBouncer's files.
	for _, s := range []string{behind.Host, behind.Database, behind.User, behind.Password} {
		if strings.ContainsFunc(s, unicode.IsControl) {
			return nil, errors.New("PgBouncer: a control character in the host, database, user or password")
		}
	}
	return behind, nil
}

func maxClients(cfg BouncerConfig) int {
	if cfg.MaxClients == 0 {
		return 1000
	}
	return cfg.MaxClients
}

// bouncer returns the program that the account can run, and its version.
func (m machine) bouncer(ctx context.Context, a account) (program, version string, err error) {
	if program := m.getenv("PGHOLD_PGBOUNCER"); program != "" {
		version, err := a.bouncerVersion(ctx, program)
		if err != nil {
			return "", "", fmt.Errorf("PGHOLD_PGBOUNCER does not name PgBouncer's program: %w", err)
		}
		return program, version, nil
	}
	none := new(NoBouncerError)
	for _, dir := range append(filepath.SplitList(m.getenv("PATH")), m.bouncers...) {
		program := filepath.Join(dir, "pgbouncer")
		version, err := a.bouncerVersion(ctx, program)
		if err == nil {
			return program, version, nil
		}
		// One that is there and does not run is worth telling if none does.
		if !errors.Is(err, os.ErrNotExist) && none.Cause == nil {
			none.Cause = err
		}
	}
	if err := ctx.Err(); err != nil {
		return "", "", err
	}
	return "", "", none
}

var bouncerVersion = regexp.MustCompile(`(?i)^pgbouncer ([0-9]+\.[0-9]+\S*)`)

// bouncerVersion says why the account cannot run the program, or which PgBouncer
// it is. The error is os.ErrNotExist if it is not there.
func (a account) bouncerVersion(ctx context.Context, program string) (string, error) {
	if !filepath.IsAbs(program) {
		return "", fmt.Errorf("%q is not an absolute path: %w", program, os.ErrNotExist)
	}
	if _, err := os.Stat(program); err != nil {
		return "", err
	}
	out, err := a.command(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s cannot run %s: %w", a, program, err)
	}
	found := bouncerVersion.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("%s is another program, or a PgBouncer that does not tell its version", program)
	}
	return string(found[1]), nil
}

// write writes a file that the account, and nobody else, may read.
func (b *bouncer) write(name, text string) error {
	if err := os.Remove(b.folder.in(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := b.folder.create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := file.Chown(b.account.uid, b.account.gid); err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return err
}

// users is the userlist. A password in plain text serves whatever the server asks
// for: md5, scram-sha-256, or the password itself.
func (b *bouncer) users() string {
	return doubled(b.behind.User, `"`) + " " + doubled(b.password, `"`) + "\n"
}

func (b *bouncer) settings(cfg BouncerConfig) string {
	settings := map[string]string{
		"listen_addr":     "127.0.0.1",
		"listen_port":     strconv.Itoa(b.port),
		"unix_socket_dir": "", // a socket's path may have 107 bytes, and TMPDIR more
		"pidfile":         bouncerPidName,
		// md5 for the reason that a throwaway PostgreSQL has it.
		"auth_type":       "md5",
		"auth_file":       bouncerUsersName,
		"pool_mode":       "transaction",
		"max_client_conn": strconv.Itoa(maxClients(cfg)),
		// A client that finds the queue full tries again a second later, and the
		// lab measures. Clients that come at once shall all find room.
		"listen_backlog":            strconv.Itoa(maxClients(cfg)),
		"ignore_startup_parameters": "extra_float_digits",
		"server_tls_sslmode":        b.sslmode(),
		"stats_users":               b.behind.User, // may ask the console
	}
	if cfg.Sessions {
		settings["pool_mode"] = "session"
	}
	// What pgx does by default needs it. PgBouncer has it from 1.21, and from 1.24
	// without being told.
	var major, minor int
	if fmt.Sscanf(b.version, "%d.%d", &major, &minor); major > 1 || major == 1 && minor >= 21 {
		settings["max_prepared_statements"] = "200"
	}
	// Not under its name, which may have characters that PgBouncer's parser refuses.
	var text strings.Builder
	fmt.Fprintf(&text, "[databases]\n* = host=%s port=%d pool_size=%d\n\n[pgbouncer]\n",
		doubled(b.behind.Host, `'`), b.behind.Port, cfg.PoolSize)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s = %s\n", name, settings[name])
	}
	return text.String()
}

// doubled is the text in quotes, with those in it doubled.
func doubled(s, quote string) string {
	return quote + strings.ReplaceAll(s, quote, quote+quote) + quote
}

// sslmode is the mode of the DSN; allow becomes prefer.
func (b *bouncer) sslmode() string {
	plain, tls := b.behind.TLSConfig == nil, b.behind.TLSConfig != nil
	for _, f := range b.behind.Fallbacks {
		plain, tls = plain || f.TLSConfig == nil, tls || f.TLSConfig != nil
	}
	switch {
	case !tls:
		return "disable"
	case !plain:
		return "require"
	default:
		return "prefer"
	}
}

func (b *bouncer) dsn() string {
	query := url.Values{"sslmode": {"disable"}}
	for name, value := range b.behind.RuntimeParams {
		query.Set(name, value)
	}
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(b.behind.User, b.password),
		Host:     fmt.Sprintf("127.0.0.1:%d", b.port),
		Path:     "/" + b.behind.Database,
		RawQuery: query.Encode(),
	}
	return u.String()
}

// ask asks the database through PgBouncer, once PgBouncer listens. It writes its
// pid after that: until then, somebody else may be on the port, who shall not get
// the password.
func (b *bouncer) ask(ctx context.Context) (again bool, err error) {
	if _, err := os.Stat(b.folder.in(bouncerPidName)); err != nil {
		return true, err
	}
	cfg, err := pgx.ParseConfig(b.dsn())
	if err != nil {
		return false, err
	}
	cfg.ValidateConnect = nil // what PGTARGETSESSIONATTRS wants
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err == nil {
		_, err = conn.Exec(ctx, "select 1", pgx.QueryExecModeSimpleProtocol)
		err = errors.Join(err, conn.Close(ctx))
	}
	switch {
	case errors.As(err, new(*pgconn.PgError)):
		return false, fmt.Errorf("through PgBouncer: %w", connstring.Hide(b.behind, err))
	case err != nil:
		return false, fmt.Errorf("through PgBouncer: %w; the end of its log:%s", err, b.folder.logEnd())
	}
	return false, nil
}

// remove kills it: PgBouncer has nothing to save, and which of its other signals do
// not wait for clients depends on its version.
func (b *bouncer) remove() error {
	return b.throwaway.remove(syscall.SIGKILL, func(context.Context) {})
}
