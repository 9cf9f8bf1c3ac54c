//go:build linux || darwin

package pgtemp

import (
	"context"
	"errors"
	"fmt"
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
	"golang.org/x/sys/unix"
)

func TestServer_whole(t *testing.T) {
	t.Parallel()
	base := newBase(t)
	var told []string
	began := time.Now()
	c, err := build(t.Context(), Config{
		MaxConnections: 37,
		Settings:       map[string]string{"work_mem": "5MB", "port": "1", "log_line_prefix": "it's a %p "},
		Log:            func(s string) { told = append(told, s) },
	}, at(base))
	check(t, err)
	s := c.handle()
	t.Cleanup(func() { _ = s.Stop() })
	started := time.Since(began)

	for sql, want := range map[string]string{
		"current_setting('max_connections')":     "37",
		"current_setting('work_mem')":            "5MB",
		"current_setting('log_line_prefix')":     "it's a %p ",
		"current_setting('listen_addresses')":    "127.0.0.1",
		"current_setting('fsync')":               "off",
		"current_setting('server_encoding')":     "UTF8",
		"current_setting('password_encryption')": "md5",
	} {
		if got := query(t, s.DSN(), sql); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
	if got := query(t, s.DSN(), "current_setting('server_version')"); !strings.HasPrefix(got, s.Version()) || s.Version() == "" {
		t.Errorf("Version: got %q, the server says %q", s.Version(), got)
	}
	if len(told) != 1 || !strings.Contains(told[0], "Starting") {
		t.Errorf("Log was told %q, want one sentence on the start", told)
	}

	// psql finds the password in the file that the line names.
	u, err := url.Parse(s.DSN())
	check(t, err)
	password, _ := u.User.Password()
	if len(password) < 20 || strings.Contains(s.PsqlCommand(), password) {
		t.Errorf("a short password, or in the line: %s", s.PsqlCommand())
	}
	if _, err := exec.LookPath("psql"); err == nil {
		out, err := exec.Command("/bin/sh", "-c", s.PsqlCommand()+" --no-password -Atc 'select 6*7'").CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "42" {
			t.Errorf("%s: %v: %s", s.PsqlCommand(), err, out)
		}
	}
	if log, err := os.ReadFile(c.folder.in("log")); err != nil || strings.Contains(string(log), password) {
		t.Errorf("the log cannot be read (%v) or has the password", err)
	}
	u.User = url.UserPassword("postgres", "wrong")
	if out, err := exec.Command("psql", u.String(), "-c", "select 1").CombinedOutput(); err == nil {
		t.Errorf("a wrong password was let in: %s", out)
	}

	select {
	case <-s.Done():
		t.Error("Done is closed before Stop")
	default:
	}
	// However many stop it, and with a session open.
	began = time.Now()
	var stops sync.WaitGroup
	for range 3 {
		stops.Go(func() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			c.report().gone(t)
		})
	}
	stops.Wait()
	<-s.Done()
	t.Logf("start took %v, stop %v", started.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// Two owners in one process and one in another, all at once.
func TestStart_severalAtOnce(t *testing.T) {
	t.Parallel()
	base := newBase(t)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			s, err := start(t.Context(), Config{}, at(base))
			if err != nil {
				t.Error(err)
				return
			}
			ask(t, s.DSN())
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	o := startOwner(t, base)
	all.Wait()
	ask(t, o.DSN)
	check(t, o.stdin.Close())
	check(t, o.cmd.Wait())
	o.gone(t)
}

func TestStart_portTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	m := at(newBase(t))
	asked := 0
	m.freePort = func() (int, error) {
		if asked++; asked == 1 {
			return l.Addr().(*net.TCPAddr).Port, nil
		}
		return freePort()
	}
	s, err := start(t.Context(), Config{}, m)
	check(t, err)
	ask(t, s.DSN())
	check(t, s.Stop())
	if asked != 2 {
		t.Errorf("asked for a port %d times, want 2", asked)
	}
}

func TestStart_badSetting(t *testing.T) {
	t.Parallel()
	_, err := start(t.Context(), Config{Settings: map[string]string{"no_such_setting": "1"}}, at(newBase(t)))
	if err == nil || !strings.Contains(err.Error(), `"no_such_setting"`) {
		t.Errorf("got %v, want an error with the server's own words", err)
	}
}

func TestStart_cancelled(t *testing.T) {
	t.Parallel()
	for _, moment := range []struct {
		name string
		come func(folder string) bool
	}{
		{"before", func(string) bool { return true }},
		{"during initdb", func(folder string) bool { return exists(folder + "/data/global") }},
		{"while the server starts", func(folder string) bool { return exists(folder + "/data/postmaster.opts") }},
	} {
		t.Run(moment.name, func(t *testing.T) {
			base := newBase(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			if moment.name == "before" {
				cancel(nil)
			}
			watching := make(chan struct{})
			go func() {
				defer close(watching)
				eventually(t, moment.name, func() bool {
					folders, _ := filepath.Glob(base + "/" + folderPrefix + "*")
					return ctx.Err() != nil || len(folders) == 1 && moment.come(folders[0])
				})
				cancel(nil)
			}()
			s, err := start(ctx, Config{}, at(base))
			if err == nil {
				check(t, s.Stop())
				t.Log("the server was faster than the cancelling")
			} else if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want context.Canceled", err)
			}
			<-watching
			// newBase checks that nothing is left, and a process would leave the folder.
		})
	}
}

// The server is killed while a session is at work that will not notice for a
// second, and so is the watchdog: Stop is alone with it.
func TestServer_killed(t *testing.T) {
	t.Parallel()
	c, err := build(t.Context(), Config{}, at(newBase(t)))
	check(t, err)
	s := c.handle()
	conn, err := pgx.Connect(t.Context(), s.DSN())
	check(t, err)
	defer conn.Close(t.Context())
	backend := int(conn.PgConn().PID())
	ended := make(chan error)
	go func() {
		_, err := conn.Exec(t.Context(), "do $$ begin loop exit when clock_timestamp() > now() + '1 s'; end loop; end $$")
		ended <- err
	}()
	eventually(t, "the session is at work", func() bool {
		return query(t, s.DSN(), fmt.Sprintf("select state from pg_stat_activity where pid = %d", backend)) == "active"
	})
	pidFile, err := os.ReadFile(c.folder.data() + "/postmaster.pid")
	check(t, err)
	var key, segment int
	_, err = fmt.Sscan(strings.Split(string(pidFile), "\n")[6], &key, &segment)
	check(t, err)
	check(t, syscall.Kill(c.watchdog.cmd.Process.Pid, syscall.SIGKILL))
	check(t, syscall.Kill(c.server.Pid, syscall.SIGKILL))
	<-s.Done()
	check(t, s.Stop())
	c.report().gone(t)
	if running(backend) {
		t.Errorf("a child of the server, pid %d, is still running", backend)
	}
	if _, err := exec.LookPath("ipcrm"); err == nil {
		if _, err := unix.SysvShmCtl(segment, unix.IPC_STAT, new(unix.SysvShmDesc)); err == nil {
			t.Errorf("the shared memory segment %d is still there", segment)
		}
	}
	<-ended
}

func TestOwner_killed(t *testing.T) {
	t.Parallel()
	o := startOwner(t, newBase(t))
	ask(t, o.DSN)
	a, err := runAs()
	check(t, err)
	check(t, syscall.Kill(o.Watchdog, syscall.SIGSTOP))
	o.kill(t)
	if f := adopt(o.Folder, a); f != nil {
		t.Error("a sweep would take the folder out of the watchdog's hands")
		f.lock.Close()
	}
	check(t, syscall.Kill(o.Watchdog, syscall.SIGCONT))
	o.eventuallyGone(t)
}

// The owner dies while initdb runs, or while a server does that nobody had time
// to tell the watchdog about.
func TestOwner_killedEarly(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"data/global", "data/postmaster.opts"} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			base := newBase(t)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "PGTEMP_TEST_OWNER="+base)
			check(t, cmd.Start())
			eventually(t, "there is "+file, func() bool {
				found, _ := filepath.Glob(base + "/" + folderPrefix + "*/" + file)
				return len(found) == 1
			})
			check(t, cmd.Process.Kill())
			_ = cmd.Wait()
			eventually(t, "the folder is gone", func() bool { return len(names(t, base)) == 0 })
		})
	}
}

func TestOwner_interrupted(t *testing.T) {
	t.Parallel()
	o := startOwner(t, newBase(t))
	group := o.cmd.Process.Pid
	for name, pid := range map[string]int{"server": o.Server, "watchdog": o.Watchdog} {
		if got, err := unix.Getpgid(pid); err != nil || got == group {
			t.Errorf("the %s is in its owner's process group (%v)", name, err)
		}
	}
	check(t, syscall.Kill(-group, syscall.SIGINT)) // what a terminal does on Ctrl-C
	if got := o.line(t); got != "interrupted" {
		t.Fatalf("the owner says %q", got)
	}
	ask(t, o.DSN)
	check(t, o.stdin.Close())
	check(t, o.cmd.Wait())
	o.gone(t)
}

func TestStart_sweepsLeftovers(t *testing.T) {
	t.Parallel()
	base := newBase(t)
	neighbour := startOwner(t, base)

	dead := startOwner(t, base)
	dead.killBoth(t)
	ask(t, dead.DSN) // nobody was there to stop it

	// What is not ours: no marker, another one, a link to a folder with it.
	a, err := runAs()
	check(t, err)
	plain, other, link := base+"/"+folderPrefix+"plain", base+"/"+folderPrefix+"other", base+"/"+folderPrefix+"link"
	target := base + "/target"
	for dir, text := range map[string]string{plain: "", other: "somebody's\n", target: marker} {
		check(t, os.Mkdir(dir, 0o700))
		if text != "" {
			check(t, os.WriteFile(dir+"/"+lockName, []byte(text), 0o600))
		}
		check(t, os.Chown(dir, a.uid, a.gid))
	}
	check(t, os.Symlink(target, link))

	var told []string
	s, err := start(t.Context(), Config{Log: func(s string) { told = append(told, s) }}, at(base))
	check(t, err)
	dead.gone(t)
	if !strings.Contains(told[0], dead.Folder) {
		t.Errorf("Log was told %q, want the folder that was removed first", told)
	}
	ask(t, neighbour.DSN)
	check(t, s.Stop())
	for _, path := range []string{plain, other, link, target + "/" + lockName} {
		if !exists(path) {
			t.Errorf("a foreign folder was swept: %s", path)
		}
		check(t, os.RemoveAll(path))
	}
	check(t, os.RemoveAll(target))
	check(t, neighbour.stdin.Close())
	check(t, neighbour.cmd.Wait())
}

// A pid file outlives its server, and the pid goes to somebody else.
func TestWatchdog_foreignPid(t *testing.T) {
	t.Parallel()
	a, err := runAs()
	check(t, err)
	f, err := newFolder(newBase(t), folderPrefix, a)
	check(t, err)
	innocent := a.command(context.Background(), "/bin/sh", "-c", "read line")
	stdin, err := innocent.StdinPipe()
	check(t, err)
	check(t, innocent.Start())

	// The pid file is a pipe here, which tells when the watchdog has read it.
	check(t, os.Mkdir(f.data(), 0o755))
	pidFile := f.data() + "/postmaster.pid"
	check(t, unix.Mkfifo(pidFile, 0o644))
	check(t, os.Chown(pidFile, a.uid, a.gid))
	check(t, os.Chown(f.data(), a.uid, a.gid))
	w, err := f.watch(a)
	check(t, err)
	alive, err := f.openAlive(os.O_WRONLY)
	check(t, err)
	check(t, w.leash.Close())
	for range 3 { // at the third, it is through with the first
		file, err := os.OpenFile(pidFile, os.O_WRONLY, 0)
		check(t, err)
		fmt.Fprintf(file, "%d\n%s\n", innocent.Process.Pid, f.data())
		check(t, file.Close())
	}
	check(t, os.Remove(pidFile))
	check(t, alive.Close())
	w.release()
	if exists(f.path) {
		t.Error("the watchdog left the folder")
	}
	check(t, f.remove())

	check(t, stdin.Close())
	if err := innocent.Wait(); innocent.ProcessState.ExitCode() < 0 {
		t.Errorf("somebody else's process was killed: %v", err)
	}
}

func TestStart_asOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Log("the other tests do it already: they only run as another user if they are run by root")
		return
	}
	nobody := account{uid: 65534, gid: 65534, name: "nobody"}
	base := newBase(t)
	program := base + "/pgtemp.test"
	// By cp, since a file that we write ourselves may still be open in a child
	// that a parallel test has just forked, and cannot be run then.
	check(t, exec.Command("cp", os.Args[0], program).Run())
	defer os.Remove(program)
	check(t, os.Chmod(program, 0o755))
	tests := "^(TestServer_whole|TestOwner_killed|TestBouncer_whole|TestStart_asRoot)$"
	cmd := nobody.command(t.Context(), program, "-test.v", "-test.run", tests)
	out, err := cmd.CombinedOutput()
	passed, skipped := strings.Count(string(out), "--- PASS"), strings.Count(string(out), "--- SKIP")
	if err != nil || passed+skipped != 4 || skipped > 1 { // where there is no PgBouncer
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestStart_asRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("NOT TESTED: only root can be refused by PostgreSQL, and drop to another user")
		return
	}
	t.Parallel()
	// A TMPDIR that only root may enter, so that the cluster must go elsewhere.
	closed := t.TempDir()
	c, err := build(t.Context(), Config{}, at(closed))
	check(t, err)
	defer func() { check(t, c.handle().Stop()) }()
	ask(t, c.report().DSN)
	if dir := filepath.Dir(c.folder.path); dir == closed {
		t.Errorf("the cluster is in %s, which is closed to its user", dir)
	}
	for _, path := range []string{c.folder.path, c.folder.data()} {
		var s unix.Stat_t
		check(t, unix.Stat(path, &s))
		if s.Uid != uint32(c.account.uid) || s.Mode&0o777 != 0o700 {
			t.Errorf("%s: owner %d and mode %o, want %d and 700", path, s.Uid, s.Mode&0o777, c.account.uid)
		}
	}
}

func TestAccount_nowhereToWrite(t *testing.T) {
	t.Parallel()
	a, err := runAs()
	check(t, err)
	if dir, err := a.tempFolder(t.Context(), "/dev/null"); err != nil || dir == "/dev/null" {
		t.Errorf("got %q, %v, want to fall back to /tmp", dir, err)
	}
}
