//go:build linux || darwin

package pgtemp

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

//go:embed watchdog.sh
var watchdogScript string

// watchdog is the process that cleans up when its owner cannot.
type watchdog struct {
	cmd *exec.Cmd
	// leash is the writing end of its standard input. It is closed on exec, so
	// that no other child keeps a dead owner's leash in hand.
	leash *os.File
}

// watch starts a watchdog for the folder. It runs as the account: whatever it
// finds in the folder, it cannot hurt another user's processes or files.
func (f *folder) watch(a account) (*watchdog, error) {
	alive, err := f.openAlive(os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer alive.Close()
	stdin, leash, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	cmd := a.command(context.Background(), "/bin/sh", "-c", watchdogScript, "pghold-watchdog", f.path)
	cmd.Stdin = stdin
	cmd.ExtraFiles = []*os.File{alive, f.lock}
	if err := cmd.Start(); err != nil {
		leash.Close()
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	return &watchdog{cmd, leash}, nil
}

// release ends the watchdog and waits for it. It may have been killed before,
// and that is no error: what it was there for is done.
func (w *watchdog) release() {
	w.leash.Close()
	// Its own work takes no time now, unless processes of the cluster refuse to end.
	kill := time.AfterFunc(5*time.Second, func() { syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL) })
	defer kill.Stop()
	_ = w.cmd.Wait()
}
