//go:build linux || darwin

package pgtemp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/pghold/pghold/internal/pg/tmpfs"
)

// The test binary is also the owner that tests kill: with PGTEMP_TEST_OWNER set
// to a base folder it starts a cluster there, prints a report about it and stops
// it when its standard input ends. With PGTEMP_TEST_BEHIND it starts a PgBouncer in
// front of that database instead.
func TestMain(m *testing.M) {
	if base := os.Getenv("PGTEMP_TEST_OWNER"); base != "" {
		if err := own(base); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	tmpfs.Use()
	goleak.VerifyTestMain(tests{m})
}

type tests struct{ *testing.M }

func (t tests) Run() int {
	code := t.M.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		code = max(code, 1)
	}
	return code
}

type report struct {
	DSN              string
	Folder           string
	Server, Watchdog int // pids
}

func own(base string) error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	var made report
	var stop func() error
	if behind := os.Getenv("PGTEMP_TEST_BEHIND"); behind != "" {
		b, err := buildBouncer(context.Background(), BouncerConfig{DSN: behind, PoolSize: 1}, at(base))
		if err != nil {
			return err
		}
		made, stop = b.report(), b.handle().Stop
	} else {
		c, err := build(context.Background(), Config{}, at(base))
		if err != nil {
			return err
		}
		made, stop = c.report(), c.handle().Stop
	}
	if err := json.NewEncoder(os.Stdout).Encode(made); err != nil {
		return err
	}
	go func() {
		<-interrupts
		fmt.Println("interrupted")
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return stop()
}

func (c *cluster) report() report {
	return report{c.handle().DSN(), c.folder.path, c.server.Pid, c.watchdog.cmd.Process.Pid}
}

func (b *bouncer) report() report {
	return report{b.dsn(), b.folder.path, b.server.Pid, b.watchdog.cmd.Process.Pid}
}

// at is this machine, but with clusters in base.
func at(base string) machine {
	m := thisMachine()
	m.tempDir = base
	return m
}

// owner is a process that owns a cluster, or a PgBouncer.
type owner struct {
	report
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

// startOwner starts one, as the leader of a process group.
func startOwner(t *testing.T, base string, env ...string) *owner {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "PGTEMP_TEST_OWNER="+base), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	check(t, err)
	stdout, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	o := &owner{cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
	t.Cleanup(func() {
		stdin.Close() // it stops its cluster, if it is still there
		_ = cmd.Wait()
	})
	check(t, json.Unmarshal([]byte(o.line(t)), &o.report))
	return o
}

func (o *owner) line(t *testing.T) string {
	t.Helper()
	if !o.lines.Scan() {
		t.Fatalf("the owner ended without a word: %v", o.lines.Err())
	}
	return o.lines.Text()
}

// kill is kill -9, and returns when the owner is dead.
func (o *owner) kill(t *testing.T) {
	t.Helper()
	check(t, o.cmd.Process.Kill())
	_ = o.cmd.Wait()
}

// killBoth kills its watchdog too, and returns when neither has the lock any more:
// a process keeps its files until some time after the signal.
func (o *owner) killBoth(t *testing.T) {
	t.Helper()
	check(t, syscall.Kill(o.Watchdog, syscall.SIGKILL))
	o.kill(t)
	eventually(t, "the watchdog is dead", func() bool { return !running(o.Watchdog) })
}

// newBase is a temporary folder where everybody may write, as in /tmp, and whose
// name has a space and a quote. At the end of the test nothing may be left in it.
func newBase(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgtemp's test-")
	check(t, err)
	dir, err = filepath.EvalSymlinks(dir)
	check(t, err)
	check(t, os.Chmod(dir, 0o777|os.ModeSticky))
	t.Cleanup(func() {
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("left in the temporary folder: %q", left)
		}
		check(t, os.RemoveAll(dir))
	})
	return dir
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until the condition holds, which other processes make true.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	giveUp := time.After(time.Minute)
	for !condition() {
		select {
		case <-tick.C:
		case <-giveUp:
			t.Fatalf("did not happen within a minute: %s", what)
		}
	}
}

// running says whether the process is there and not just waiting for its parent
// to notice its end.
func running(pid int) bool {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return false
	}
	state, err := exec.Command("ps", "-o", "stat=", "-p", fmt.Sprint(pid)).Output()
	if err != nil { // its parent may have noticed meanwhile
		return syscall.Kill(pid, 0) != syscall.ESRCH
	}
	return !strings.HasPrefix(strings.TrimSpace(string(state)), "Z")
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// ask connects anew and asks the server something that only it can know.
func ask(t *testing.T, dsn string) {
	t.Helper()
	if got := query(t, dsn, "select 6 * 7"); got != "42" {
		t.Errorf("select 6 * 7: got %s", got)
	}
}

func query(t *testing.T, dsn, sql string) (text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	check(t, err)
	defer conn.Close(ctx)
	check(t, conn.QueryRow(ctx, "select ("+sql+")::text").Scan(&text))
	return text
}

// gone fails the test unless the cluster's folder is gone now. Its processes have
// closed their files by then, which comes a moment before their end: they must
// be gone soon.
func (r report) gone(t *testing.T) {
	t.Helper()
	if exists(r.Folder) {
		t.Errorf("the folder %s is still there", r.Folder)
	}
	r.eventuallyGone(t)
}

// eventuallyGone waits until they are.
func (r report) eventuallyGone(t *testing.T) {
	t.Helper()
	eventually(t, "the cluster is gone", func() bool {
		return !exists(r.Folder) && !running(r.Server) && !running(r.Watchdog)
	})
}
