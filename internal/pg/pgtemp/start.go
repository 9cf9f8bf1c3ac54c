//go:build linux || darwin

package pgtemp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a Server while it is made, and what Stop takes down.
type cluster struct {
	throwaway
	bin      string
	password string
	version  string
	psql     string
}

func start(ctx context.Context, cfg Config, m machine) (*Server, error) {
	c, err := build(ctx, cfg, m)
	if err != nil {
		return nil, err
	}
	return c.handle(), nil
}

func (c *cluster) handle() *Server {
	return &Server{
		port:     c.port,
		password: c.password,
		version:  c.version,
		psql:     c.psql,
		done:     c.server.done,
		stop:     sync.OnceValue(c.remove),
	}
}

// build makes a cluster that answers, or nothing.
func build(ctx context.Context, cfg Config, m machine) (_ *cluster, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	say := func(format string, args ...any) {
		if cfg.Log != nil {
			cfg.Log(fmt.Sprintf(format, args...))
		}
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
	bin, err := m.programs(ctx, a, say)
	if err != nil {
		return nil, err
	}

	c := &cluster{throwaway: throwaway{name: "PostgreSQL", account: a}, bin: bin, password: rand.Text()}
	defer func() {
		if err != nil {
			// Not even a log that quotes a statement shall tell it.
			if text := err.Error(); strings.Contains(text, c.password) {
				err = errors.New(strings.ReplaceAll(text, c.password, "*****"))
			}
			err = errors.Join(err, c.remove())
		}
	}()
	if err := c.prepare(base, folderPrefix); err != nil {
		return nil, err
	}
	say("Starting a throwaway PostgreSQL with the programs in %s.", bin)
	if err := c.initdb(ctx); err != nil {
		return nil, err
	}
	server := func() (*exec.Cmd, error) {
		return c.command(context.Background(), filepath.Join(c.bin, "postgres"), serverArgs(c.folder.data(), c.port, cfg)...), nil
	}
	if err := c.launch(ctx, m.freePort, server, c.ask); err != nil {
		return nil, err
	}
	if c.psql, err = c.psqlCommand(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *cluster) initdb(ctx context.Context) error {
	secret, err := c.folder.create("password")
	if err != nil {
		return err
	}
	defer os.Remove(secret.Name())
	defer secret.Close()
	if err := secret.Chown(c.account.uid, c.account.gid); err != nil {
		return err
	}
	if _, err := secret.WriteString(c.password + "\n"); err != nil {
		return err
	}
	// md5, because a scram-sha-256 login costs both ends 4096 rounds of hashing,
	// which protect passwords that people choose. Ours is 130 random bits, and the lab
	// opens many connections at once and measures.
	err = c.command(ctx, filepath.Join(c.bin, "initdb"),
		"-D", c.folder.data(), "-U", "postgres", "-A", "md5", "--pwfile", secret.Name(),
		"-E", "UTF8", "--locale=C", "--no-sync").Run()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("initdb: %w", ctx.Err())
	case err != nil:
		return fmt.Errorf("initdb: %w; the end of its output:%s", err, c.folder.logEnd())
	}
	return nil
}

func serverArgs(data string, port int, cfg Config) []string {
	settings := map[string]string{
		"max_connections":    strconv.Itoa(cfg.MaxConnections),
		"fsync":              "off",
		"synchronous_commit": "off",
		"full_page_writes":   "off",
		// Not in /dev/shm: containers give little of it, and nobody would remove
		// what a killed server leaves there.
		"dynamic_shared_memory_type": "mmap",
	}
	if cfg.MaxConnections == 0 {
		settings["max_connections"] = "100"
	}
	maps.Copy(settings, cfg.Settings)
	maps.Copy(settings, map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(port),
		"unix_socket_directories": "", // a socket's path may have 107 bytes, and TMPDIR more
		"logging_collector":       "off",
		"log_destination":         "stderr",
	})
	args := []string{"-D", data}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// ask connects and learns the server's version. It is an error if the server is
// another one than ours. While it starts, it answers with errors.
func (c *cluster) ask(ctx context.Context) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cfg, err := pgx.ParseConfig(fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", c.port))
	if err != nil {
		return false, err
	}
	cfg.Password = c.password
	cfg.RuntimeParams = map[string]string{"application_name": "pghold"}
	cfg.ValidateConnect = nil // what PGTARGETSESSIONATTRS wants
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return true, err
	}
	defer conn.Close(ctx)
	var data string
	if err := conn.QueryRow(ctx, "select current_setting('data_directory')").Scan(&data); err != nil {
		return true, err
	}
	if data != c.folder.data() {
		return true, fmt.Errorf("port %d is another PostgreSQL's", c.port)
	}
	c.version, _, _ = strings.Cut(conn.PgConn().ParameterStatus("server_version"), " ")
	return false, nil
}

// psqlCommand writes the password file and returns the line that uses it.
func (c *cluster) psqlCommand() (string, error) {
	file, err := c.folder.create("pgpass")
	if err != nil {
		return "", err
	}
	defer file.Close()
	if _, err := fmt.Fprintf(file, "127.0.0.1:%d:*:postgres:%s\n", c.port, c.password); err != nil {
		return "", err
	}
	psql := "psql"
	if _, err := exec.LookPath(psql); err != nil {
		if beside := filepath.Join(c.bin, psql); exec.Command(beside, "--version").Run() == nil {
			psql = shellQuote(beside)
		}
	}
	return fmt.Sprintf("PGPASSFILE=%s %s -h 127.0.0.1 -p %d -U postgres postgres", shellQuote(file.Name()), psql, c.port), nil
}

func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// remove shuts the server down immediately, as PostgreSQL calls it.
func (c *cluster) remove() error {
	return c.throwaway.remove(syscall.SIGQUIT, c.removeSharedMemory)
}

// removeSharedMemory removes what a server that was killed leaves outside of the
// folder: a System V segment of 56 bytes, of which macOS has room for 32. A server
// that ended by itself has removed it, and the pid file that names it. The account
// does the removing, so that the file cannot name another user's.
func (c *cluster) removeSharedMemory(ctx context.Context) {
	cmd := c.account.command(ctx, "/bin/sh", "-c",
		`[ -f postmaster.pid ] && read -r key id <<EOF && ipcrm -m "$id"
$(sed -n 7p postmaster.pid)
EOF`)
	cmd.Dir = c.folder.data()
	_ = cmd.Run() // there is no data folder yet, no such file, or no ipcrm: nothing to be done
}
