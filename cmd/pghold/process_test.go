//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// compiled is the command's program, built once, in a folder that every user may
// read. TestMain removes it.
var compiled = sync.OnceValues(func() (program string, err error) {
	dir, err := os.MkdirTemp("", "pghold test ") // with a space, as people have
	if err != nil {
		return "", err
	}
	compiledIn = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "pghold")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

// build returns the program and a folder for its temporary files.
func build(t *testing.T) (program, temp string) {
	t.Helper()
	program, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	temp, err = os.MkdirTemp("", "pghold test ")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	if err := os.Chmod(temp, 0o777); err != nil {
		t.Fatal(err)
	}
	return program, temp
}

// command runs the program in an empty folder, with a throwaway Postgres.
func command(t *testing.T, program, temp string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = filepath.Join(temp, "cwd")
	if err := os.MkdirAll(cmd.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(cmd.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PGHOLD_DSN=") && !strings.HasPrefix(kv, "DATABASE_URL=") && !strings.HasPrefix(kv, "NO_COLOR=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "TMPDIR="+temp, "HOME="+cmd.Dir, "TERM=xterm-256color")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// nothingLeft checks that no temporary folder is left, and no process that was
// started in one. What watches over a killed program needs a moment for that.
func nothingLeft(t *testing.T, temp string) {
	t.Helper()
	deadline := time.After(15 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		left := leftovers(t, temp)
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
			return
		}
	}
}

func leftovers(t *testing.T, temp string) (left []string) {
	t.Helper()
	entries, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "cwd" {
			left = append(left, e.Name())
		}
	}
	out, err := exec.Command("ps", "-ww", "-eo", "pid,args").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, temp) {
			left = append(left, line)
		}
	}
	return left
}

func TestProcess_AsAnyUser(t *testing.T) {
	t.Parallel()
	program, temp := build(t)
	users := []string{""}
	if os.Getuid() == 0 {
		users = append(users, "nobody")
	} else {
		t.Log("run by an ordinary user: what it does when run by root is not tested")
	}
	for _, name := range users {
		t.Run("user "+name, func(t *testing.T) {
			cmd := command(t, program, temp, "lab", "--speed", "20", "--duration", "1s", "--out", "run-"+name)
			if name != "" {
				u, err := user.Lookup(name)
				if err != nil {
					t.Fatal(err)
				}
				uid, _ := strconv.Atoi(u.Uid)
				gid, _ := strconv.Atoi(u.Gid)
				cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, r := range experiment.RoutesOf("seed") {
				if !bytes.Contains(out, []byte(r.Name)) {
					t.Errorf("%s is missing in:\n%s", r.Name, out)
				}
			}
			nothingLeft(t, temp)
		})
	}
}

func TestProcess_CtrlC(t *testing.T) {
	t.Parallel()
	program, temp := build(t)
	for name, moment := range map[string]string{
		"while Postgres starts": "Starting",
		"during a route":        "1/2 ",
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, program, temp, "lab", "--speed", "5", outside, inside)
			// Like a terminal, the signal goes to all processes of the group.
			stderr := &trigger{on: moment, do: func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }}
			cmd.Stderr = stderr
			err := cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit status %d (%v), want %d:\n%s", code, err, exitInterrupted, stderr)
			}
			if unfinished, _ := filepath.Glob(filepath.Join(cmd.Dir, "pghold-results", ".*")); len(unfinished) != 0 {
				t.Errorf("half-written: %q", unfinished)
			}
			nothingLeft(t, temp)
		})
	}
}

func TestProcess_KilledLeavesNothing(t *testing.T) {
	t.Parallel()
	program, temp := build(t)
	cmd := command(t, program, temp, "lab", "--speed", "5", "--out", "run", outside, inside)
	stderr := &trigger{on: "1/2 ", do: func() { cmd.Process.Kill() }}
	cmd.Stderr = stderr
	cmd.Run()
	nothingLeft(t, temp)
}

func TestProcess_OnATerminal(t *testing.T) {
	t.Parallel()
	program, temp := build(t)
	for name, c := range map[string]struct {
		env   string
		color bool
	}{"colour": {"X=", true}, "NO_COLOR": {"NO_COLOR=1", false}} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, program, temp, "lab", "--speed", "10", "--duration", "1s", "--out", "run-"+name, outside)
			cmd.Env = append(cmd.Env, c.env)
			cmd.SysProcAttr = nil // the terminal makes a group of its own
			tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 100})
			if err != nil {
				t.Fatal(err)
			}
			defer tty.Close()
			var shown bytes.Buffer
			io.Copy(&shown, tty) // ends with an error of the terminal when the program has ended
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, shown.String())
			}
			text := shown.String()
			bare := regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(text, "")
			if !regexp.MustCompile(`1/1 ` + outside + ` \d+\.\d s [▮▸·]+ \d+/100 sent, \d+ answered`).MatchString(bare) {
				t.Errorf("no live progress, with a character for each connection, in:\n%q", text)
			}
			colored := regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(text)
			if colored != c.color {
				t.Errorf("colours: %v, want %v:\n%q", colored, c.color, text)
			}
			for _, line := range regexp.MustCompile(`[\r\n]+`).Split(text, -1) {
				plain := regexp.MustCompile(`\x1b\[[0-9;]*[mK]`).ReplaceAllString(line, "")
				if n := len([]rune(plain)); n > 100 {
					t.Errorf("a line of %d columns on a terminal of 100: %q", n, plain)
				}
			}
			nothingLeft(t, temp)
		})
	}
}
