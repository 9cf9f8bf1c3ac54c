//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/cmd/pghold/internal/rundir"
	"github.com/pghold/pghold/internal/pg/pgtest"
)

// query returns a column.
func query(t *testing.T, dsn, sql string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, _ := conn.Query(t.Context(), sql) // CollectRows returns the error
	column, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return column
}

// schemas are those of the lab in a database.
func schemas(t *testing.T, dsn string) []string {
	t.Helper()
	return query(t, dsn, `select nspname::text from pg_namespace where nspname like 'pghold%'`)
}

// savedRoutes returns the names of the routes in the one folder that a command has saved,
// and fails where that is not whole.
func savedRoutes(t *testing.T, cmd *exec.Cmd) (names []string) {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(cmd.Dir, "pghold-results", "*"))
	if err != nil || len(folders) != 1 {
		t.Errorf("folders %q (%v), want one", folders, err)
		return nil
	}
	if _, err := os.Stat(filepath.Join(folders[0], "unfinished")); err == nil {
		t.Errorf("%s is not whole", folders[0])
	}
	res, err := rundir.Load(folders[0])
	if err != nil {
		t.Error(err)
		return nil
	}
	for _, r := range res.Routes {
		names = append(names, r.Name)
	}
	return names
}

// onServer are arguments for two routes on a server that is not the program's own.
func onServer(dsn string) []string {
	return []string{"lab", "--no-web", "--dsn", dsn, "--speed", "10", "--duration", "2s", outside, inside}
}

// A terminal that closes sends more than one SIGHUP; a supervisor sends SIGTERM.
func TestProcess_ToldToEnd(t *testing.T) {
	t.Parallel()
	// Where these tests run under nohup, their programs do too, unless SIGHUP has a handler
	// here: only what is ignored is inherited.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	program, _ := build(t)
	for _, told := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		t.Run(told.String(), func(t *testing.T) {
			dsn := pgtest.DSN(t)
			// The second route takes a minute: a connection is held 200 ms by each of 300 requests.
			cmd := command(t, program, t.TempDir(), "lab", "--no-web", "--dsn", dsn, "--rate", "1000", "--duration", "300ms", "--slow", "200ms",
				"--pool-size", "1", "--max-overflow", "0", "--pool-timeout", "1h", "--client-timeout", "1h", outside, inside)
			stderr := &trigger{on: "1/2 ", do: func() { syscall.Kill(-cmd.Process.Pid, told) }}
			stdout := &trigger{on: outside, do: func() {
				if told == syscall.SIGHUP {
					syscall.Kill(-cmd.Process.Pid, told)
				}
			}}
			cmd.Stdout, cmd.Stderr = stdout, stderr
			err := cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit status %d (%v), want %d:\n%s", code, err, exitInterrupted, stderr)
			}
			if got := savedRoutes(t, cmd); !slices.Equal(got, []string{outside}) {
				t.Errorf("saved %q, want the route that was finished", got)
			}
			if left := schemas(t, dsn); len(left) != 0 {
				t.Errorf("schemas %q are left", left)
			}
		})
	}
}

// Where SIGHUP is ignored at the start, as nohup has it, it stays so.
func TestProcess_NoHangup(t *testing.T) {
	t.Parallel()
	program, _ := build(t)
	dsn := pgtest.DSN(t)
	args := append([]string{"-c", `trap "" HUP; exec "$0" "$@"`, program}, onServer(dsn)...)
	cmd := command(t, "/bin/sh", t.TempDir(), args...)
	stderr := &trigger{on: "1/2 ", do: func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGHUP) }}
	cmd.Stderr = stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%v:\n%s", err, stderr)
	}
	if got := savedRoutes(t, cmd); !slices.Equal(got, []string{outside, inside}) {
		t.Errorf("saved %q, want both routes", got)
	}
}

// Whoever reads what the program prints may be gone before it ends: head, or a tee
// that got the same Ctrl-C.
func TestProcess_NobodyReads(t *testing.T) {
	t.Parallel()
	program, _ := build(t)
	dsn := pgtest.DSN(t)
	cmd := command(t, program, t.TempDir(), onServer(dsn)...)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer writer.Close()
	var stderr output
	cmd.Stdout, cmd.Stderr = writer, &stderr
	err = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("exit status %d (%v), want %d and the reason:\n%s", code, err, exitFailed, &stderr)
	}
	if got := savedRoutes(t, cmd); len(got) != 2 {
		t.Errorf("saved %q, want both routes", got)
	}
	if left := schemas(t, dsn); len(left) != 0 {
		t.Errorf("schemas %q are left", left)
	}
}

// What a killed run has left on a server, the next one drops.
func TestProcess_KilledIsSwept(t *testing.T) {
	t.Parallel()
	program, _ := build(t)
	dsn := pgtest.DSN(t)
	// It has all its connections when it is ready: nothing happens in it for half an hour.
	cmd := command(t, program, t.TempDir(), "serve", "--dsn", dsn, "--addr", "127.0.0.1:0", "--slow", "1h")
	cmd.Stdout = &trigger{on: "Ctrl-C", do: func() { cmd.Process.Kill() }}
	cmd.Run()
	if left := schemas(t, dsn); len(left) != 1 {
		t.Fatalf("it left the schemas %q, want one", left)
	}
	query(t, dsn, `select pg_terminate_backend(pid, 60000)::text from pg_stat_activity where application_name like 'pghold %' and datname = current_database()`)

	var stderr output
	cmd = command(t, program, t.TempDir(), "lab", "--no-web", "--dsn", dsn, "--speed", "20", "--duration", "1s", outside)
	cmd.Stderr = &stderr
	err := cmd.Run()
	if left := schemas(t, dsn); err != nil || len(left) != 0 || !strings.Contains(stderr.String(), "\nDropped the schema pghold_lab_") {
		t.Errorf("%v, the schemas %q are left, and it said: %s", err, left, &stderr)
	}
}
