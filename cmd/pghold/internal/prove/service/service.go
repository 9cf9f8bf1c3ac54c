package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Config is a command, and when it is ready.
type Config struct {
	Command []string // the program and its arguments
	// Env are variables, NAME=value, in addition to those that this process has. Of
	// these, DATABASE_URL, PGHOLD_DSN and those of libpq's that say which server, which
	// user, which encryption and which settings never reach the command.
	Env []string
	// Output is a file that is made for what the command prints. However much that is,
	// it is kept.
	Output string
	// Listens are addresses, as host:port, that nobody may listen on before the command
	// starts, and that it is ready with when it accepts connections on all of them.
	Listens []string
	// Ready is a URL. If there is one, the command is ready when that is answered with a
	// status below 500, instead of by Listens. Nobody may listen there before, either.
	Ready  string
	Within time.Duration // how long that may take; by default a minute
	Grace  time.Duration // how long it may take to end when it is told to; by default 10 s
	// Log is told, in a sentence, of what takes long. It may be nil.
	Log func(line string)
}

func (cfg Config) say(format string, args ...any) {
	if cfg.Log != nil {
		cfg.Log(fmt.Sprintf(format, args...))
	}
}

// name is the program, in messages.
func (cfg Config) name() string { return printable.Line(cfg.Command[0]) }

// Service is a command that runs.
type Service struct {
	cfg     Config
	family  *family
	stop    func() error
	stopped atomic.Bool // somebody has asked for its end

	done chan struct{} // closed after the command and all that it started have ended
	// These are set before.
	how  string // its exit status
	err  error  // what Err returns
	left error  // what could not be ended
}

// Start runs a command and returns when it is ready, or with an error when nothing of it
// is left. When ctx ends, starting does.
func Start(ctx context.Context, cfg Config) (*Service, error) {
	return start(ctx, cfg, time.After)
}

// start is Start with a clock for Within.
func start(ctx context.Context, cfg Config, after func(time.Duration) <-chan time.Time) (*Service, error) {
	if cfg.Within == 0 {
		cfg.Within = time.Minute
	}
	r, err := newReadiness(cfg)
	if err != nil {
		return nil, err
	}
	if err := r.free(ctx); err != nil {
		return nil, err
	}
	s, err := launch(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := s.ready(ctx, r, after(cfg.Within)); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Run runs a command that ends by itself, such as one that fills the database. What it
// has started and left running ends with it. When ctx ends, so does the command. Listens,
// Ready and Within do not matter.
func Run(ctx context.Context, cfg Config) error {
	s, err := launch(ctx, cfg)
	if err != nil {
		return err
	}
	ended := func(ctx context.Context) error {
		select {
		case <-s.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err = await(ctx, ended, func(waited time.Duration, _ error) {
		cfg.say("%s has been running for %s.", cfg.name(), words.Short(waited))
	})
	switch {
	case err != nil:
		return errors.Join(fmt.Errorf("%s was not waited for: %w", cfg.name(), ctx.Err()), s.Stop())
	case s.how != success:
		return errors.Join(s.err, s.left)
	}
	return s.left
}

// success is how a command ends that has nothing to complain of, in the words of
// package os.
const success = "exit status 0"

// launch starts a command.
func launch(ctx context.Context, cfg Config) (*Service, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	program, err := find(cfg.Command)
	if err != nil {
		return nil, err
	}
	output, err := os.OpenFile(cfg.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("no file for the output of %s: %w", cfg.name(), err)
	}
	defer output.Close()
	marker := "PGHOLD_PROVE_RUN=" + rand.Text()
	cmd := &exec.Cmd{
		Path: program, Args: cfg.Command, Env: environment(cfg.Env, marker),
		Stdout: output, Stderr: output,
	}
	s := &Service{cfg: cfg, done: make(chan struct{})}
	s.stop = sync.OnceValue(s.end)
	if s.family, err = begin(cmd, marker); err != nil {
		os.Remove(cfg.Output)
		return nil, fmt.Errorf("%s does not start: %w%s", cfg.name(), err, remedy(err))
	}
	go s.wait(cmd)
	return s, nil
}

// find returns the program of a command.
func find(command []string) (string, error) {
	if len(command) == 0 || command[0] == "" {
		return "", errors.New("there is no command: write it after --, as in -- uvicorn app:app --port 8080")
	}
	program, err := exec.LookPath(command[0])
	if err == nil {
		return program, nil
	}
	name := printable.Line(command[0])
	switch {
	case len(command) == 1 && strings.Contains(command[0], " "):
		return "", fmt.Errorf("there is no program %q: write the command without quotes around all of it, or after sh -c", name)
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("%s may not be executed: make it executable (chmod +x), or begin with the program that runs it, such as python3", name)
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("there is no program %s in the folders of PATH: install it, or write where it is", name)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no file %s: write where the program is, from the folder that you are in", name)
	}
	return "", fmt.Errorf("%s is no program: %w", name, errors.Unwrap(err))
}

// remedy says what to do about a program that is there and was not started.
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		return ": a script has to begin with a line that names its interpreter, such as #!/bin/sh"
	case errors.Is(err, fs.ErrNotExist):
		return ": what its first line names as its interpreter is not there"
	}
	return ""
}

// wait waits for the command to end, and ends the rest.
func (s *Service) wait(cmd *exec.Cmd) {
	defer close(s.done)
	cmd.Wait() // an error is in the state, or of the system: then there is none
	s.how = cmd.ProcessState.String()
	byItself := !s.stopped.Load()
	s.left = s.family.kill()
	s.family.release()
	if byItself {
		s.err = fmt.Errorf("%s has ended: %s; %s", s.cfg.name(), s.how, s.Printed())
	}
}

// Done is closed when the command has ended and, as far as Stop reaches, what it
// started, for whatever reason.
func (s *Service) Done() <-chan struct{} { return s.done }

// Err says how the command ended, with the last lines of what it printed. It is nil as
// long as the command runs, and where it ended because of Stop.
func (s *Service) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop ends the command and what it started, and returns when they are gone. They are
// asked with SIGTERM; when the command has ended, or after the grace time, whatever is
// left is killed. That is the command's process group and, on Linux, its session and all
// processes that have the variable PGHOLD_PROVE_RUN as the command got it. A process
// gets away that has left the group (on Linux the session, and has another environment
// or has overwritten it), that runs as somebody else, or that somebody else started for
// the command, such as a container.
func (s *Service) Stop() error { return s.stop() }

// endLimit is how long a process may take to end that was killed.
const endLimit = 10 * time.Second

func (s *Service) end() error {
	s.stopped.Store(true)
	grace := s.cfg.Grace
	if grace == 0 {
		grace = 10 * time.Second
	}
	select {
	case <-s.done:
		return s.left
	default:
	}
	s.family.terminate()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-s.done:
		return s.left
	case <-timer.C:
	}
	s.cfg.say("%s has not ended %s after SIGTERM, and is killed.", s.cfg.name(), words.Plain(grace))
	if err := s.family.kill(); err != nil {
		return err // and so it may never be done
	}
	<-s.done
	return s.left
}
