//go:build unix

package service

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

//go:embed watchdog.sh
var watchdogScript string

// family is a command with what it starts.
type family struct {
	group  int    // its process group and its session: the command's pid
	marker string // NAME=value, in the environment of each
	// watchdog ends them where we cannot, when it sees the leash let go.
	watchdog *exec.Cmd
	leash    io.Closer
}

// begin starts a command, in a session of its own: Ctrl-C in a terminal does not reach
// it, and it has no terminal to ask a question on. The watchdog is there before.
func begin(cmd *exec.Cmd, marker string) (*family, error) {
	f := &family{marker: marker}
	stdin, leash, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	f.leash = leash
	f.watchdog = exec.Command("/bin/sh", "-c", watchdogScript, "pghold-watchdog", marker)
	f.watchdog.Dir = "/"
	f.watchdog.Stdin = stdin
	f.watchdog.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := f.watchdog.Start(); err != nil {
		leash.Close()
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		f.release()
		return nil, err
	}
	f.group = cmd.Process.Pid
	fmt.Fprintln(leash, f.group) // to a watchdog that somebody has killed, in vain
	return f, nil
}

// terminate asks all of the group to end.
func (f *family) terminate() { syscall.Kill(-f.group, syscall.SIGTERM) }

// kill kills all, and returns when they are gone.
func (f *family) kill() error {
	late := time.After(endLimit)
	var left []int
	for {
		// All of the group by one signal: there is no moment for another one to begin.
		syscall.Kill(-f.group, syscall.SIGKILL)
		if left = f.processes(left); len(left) == 0 {
			return nil
		}
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-late:
			return fmt.Errorf("processes %v were killed, and have not ended", left)
		}
	}
}

// release ends the watchdog, which has nothing more to do.
func (f *family) release() {
	f.watchdog.Process.Kill()
	f.watchdog.Wait()
	f.leash.Close()
}
