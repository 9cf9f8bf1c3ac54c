//go:build linux || darwin

package pgtemp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	portTries  = 5
	readyLimit = time.Minute
	stopLimit  = 10 * time.Second // PostgreSQL itself kills its children after 5 s
)

// throwaway is a server in a folder of its own while it is made, and what a Stop
// takes down: what PostgreSQL and PgBouncer have in common.
type throwaway struct {
	name     string // for people
	account  account
	folder   *folder
	watchdog *watchdog
	port     int
	// alive is the end of the folder's pipe that is handed to the programs that
	// work in the folder; nil once the server has it.
	alive  *os.File
	server *process // nil before
}

// process is a child that is waited for. done is closed after it has ended and
// err is set.
type process struct {
	*os.Process
	done chan struct{}
	err  error
}

// prepare makes the folder and has somebody look after it.
func (t *throwaway) prepare(base, prefix string) (err error) {
	if t.folder, err = newFolder(base, prefix, t.account); err != nil {
		return err
	}
	if t.watchdog, err = t.folder.watch(t.account); err != nil {
		return err
	}
	t.alive, err = t.folder.openAlive(os.O_WRONLY)
	return err
}

// command is a program that belongs to the folder: it prints into the log, and
// the pipe tells that it runs.
func (t *throwaway) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := t.account.command(ctx, program, args...)
	cmd.Dir = t.folder.path
	cmd.Stdout, cmd.Stderr = t.folder.log, t.folder.log
	cmd.ExtraFiles = []*os.File{t.alive}
	return cmd
}

// launch starts the server and returns when it answers. Between our choice of a
// port and the server's use of it somebody else may take it; then it is another
// port's turn.
func (t *throwaway) launch(ctx context.Context, freePort func() (int, error), server func() (*exec.Cmd, error), ask asker) (err error) {
	for range portTries {
		if t.port, err = freePort(); err != nil {
			return err
		}
		var cmd *exec.Cmd
		if cmd, err = server(); err != nil {
			return err
		}
		if err = cmd.Start(); err != nil {
			return err
		}
		t.server = wait(cmd)
		if err = t.ready(ctx, ask); err == nil {
			t.alive.Close()
			t.alive = nil
			return nil
		}
		select {
		case <-t.server.done:
			if portTaken(t.port) {
				continue
			}
		default:
		}
		return err
	}
	return fmt.Errorf("%d ports were taken by others one after the other: %w", portTries, err)
}

func wait(cmd *exec.Cmd) *process {
	p := &process{Process: cmd.Process, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.err = cmd.Wait()
	}()
	return p
}

// asker asks the server whether it is there. With an error it says whether to ask
// again.
type asker func(context.Context) (again bool, err error)

// ready waits until the server answers.
func (t *throwaway) ready(ctx context.Context, ask asker) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	// If the server ended because the port was taken, the other one may keep us
	// waiting for an answer.
	asking, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-t.server.done:
			cancel()
		case <-asking.Done():
		}
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		select {
		case <-t.server.done:
			return fmt.Errorf("%s ended while starting: %v; the end of its log:%s", t.name, t.server.err, t.folder.logEnd())
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer: %w (last: %v); the end of its log:%s", t.name, ctx.Err(), last, t.folder.logEnd())
		case <-tick.C:
		}
		again, err := ask(asking)
		if err == nil {
			return nil
		}
		if !again && asking.Err() == nil {
			return err
		}
		last = err
	}
}

// remove takes down whatever there is, in the order that leaves nothing behind if
// we are killed meanwhile: the watchdog goes last. The signal ends the server at
// once; after is called when no process is left, before the folder goes.
func (t *throwaway) remove(signal syscall.Signal, after func(context.Context)) (err error) {
	if t.folder == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if t.server != nil {
		// An error means that it has ended before.
		_ = t.server.Signal(signal)
		select {
		case <-t.server.done:
		case <-ctx.Done():
			_ = t.server.Kill()
			<-t.server.done
		}
	}
	if t.alive != nil {
		t.alive.Close()
	}
	if err = t.folder.waitGone(ctx); err == nil {
		after(ctx)
	}
	err = errors.Join(err, t.folder.remove())
	if t.watchdog != nil {
		t.watchdog.release()
	}
	return err
}
