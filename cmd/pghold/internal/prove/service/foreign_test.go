//go:build unix

package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The test binary is also the command that is run, and pghold when that is killed: with
// FOREIGN it is what that names.
func TestMain(m *testing.M) {
	if what := os.Getenv("FOREIGN"); what != "" {
		if err := foreign(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func foreign(what string) error {
	switch what {
	case "server":
		return server()
	case "leaver": // it starts a child, and leaves it alone
		return bear(os.Getenv("CHILD"))
	case "child":
		fmt.Println("here")
		stay()
	case "owner":
		s, err := Start(context.Background(), Config{
			Command: []string{os.Args[0]}, Output: os.Getenv("OUTPUT"), Listens: []string{os.Getenv("AT")}, Env: []string{"FOREIGN=server"},
		})
		if err != nil {
			return err
		}
		fmt.Println(s.family.group)
		stay()
	}
	return errors.New("there is nothing called " + what)
}

func stay() {
	for {
		time.Sleep(time.Hour)
	}
}

// server serves on the address AT. With CHILD it starts a child before; on SIGTERM it
// does what ON_TERM says.
func server() error {
	if err := bear(os.Getenv("CHILD")); err != nil {
		return err
	}
	switch os.Getenv("ON_TERM") {
	case "ignore":
		signal.Ignore(syscall.SIGTERM)
	case "obey":
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		go func() {
			<-told
			fmt.Println("obeyed")
			os.Exit(0)
		}()
	}
	l, err := net.Listen("tcp", os.Getenv("AT"))
	if err != nil {
		return err
	}
	if err := say(os.Getenv("SAID")); err != nil {
		return err
	}
	var asked atomic.Int64
	http.HandleFunc("/pids", func(w http.ResponseWriter, r *http.Request) {
		session, _ := unix.Getsid(0)
		read, err := os.Stdin.Read(make([]byte, 1))
		fmt.Fprintln(w, os.Getpid(), syscall.Getpgrp(), session, read, err)
	})
	http.HandleFunc("/end", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("ending \x1b[31mnow")
		os.Exit(4)
	})
	// It is not ready twice, and then answers with the status that is asked for.
	http.HandleFunc("/ready/{status}", func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		status, _ := strconv.Atoi(r.PathValue("status"))
		w.Header().Set("Location", "/end")
		w.WriteHeader(status)
	})
	http.HandleFunc("/broken", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	http.HandleFunc("/asked", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, asked.Load()) })
	// A client that connects a second time has finished its first request.
	var came atomic.Int64
	again := func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew && came.Add(1) == 2 {
			say(os.Getenv("SAID_AGAIN"))
		}
	}
	return (&http.Server{ConnState: again}).Serve(l)
}

// chain is a process that starts another one and ends, again and again.
const chain = `trap "" TERM
[ "$1" ] || echo here
/bin/sh "$0" again &
`

// bear starts a child and returns when it is there. It leads a group or a session, or is
// in ours; it has nothing of our environment; or it is a chain of many.
func bear(kind string) error {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "FOREIGN=child")
	child.SysProcAttr = &syscall.SysProcAttr{}
	for _, way := range strings.Fields(kind) {
		switch way {
		case "group":
			child.SysProcAttr.Setpgid = true
		case "session":
			child.SysProcAttr.Setsid = true
		case "bare":
			child.Env = []string{"FOREIGN=child"}
		case "chain":
			script := filepath.Join(os.Getenv("PLACE"), "chain")
			if err := os.WriteFile(script, []byte(chain), 0o600); err != nil {
				return err
			}
			child.Path, child.Args = "/bin/sh", []string{"sh", script}
		}
	}
	if kind == "" {
		return nil
	}
	if alive := os.Getenv("ALIVE"); alive != "" {
		f, err := os.OpenFile(alive, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		child.ExtraFiles = []*os.File{f}
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	_, err = out.Read(make([]byte, 1))
	return err
}

// say tells the test that the command has come to somewhere.
func say(pipe string) error {
	if pipe == "" {
		return nil
	}
	return os.WriteFile(pipe, nil, 0)
}

// place is where a test's command works.
type place struct {
	dir     string
	address string // that nobody listens on
	said    string // a pipe that the command opens when it has come to somewhere
	alive   string // a pipe that a child holds open
	reader  int    // of alive
	lines   []string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{dir: dir, said: filepath.Join(dir, "said"), alive: filepath.Join(dir, "alive"), address: freeAddress(t)}
	for _, pipe := range []string{p.said, p.alive} {
		check(t, syscall.Mkfifo(pipe, 0o600))
	}
	var err error
	p.reader, err = syscall.Open(p.alive, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	check(t, err)
	t.Cleanup(func() {
		p.nothingLeft(t)
		syscall.Close(p.reader)
	})
	return p
}

// config runs the test binary, with variables.
func (p *place) config(env ...string) Config {
	return Config{
		Command: []string{os.Args[0]},
		Env:     append([]string{"FOREIGN=server", "AT=" + p.address, "ALIVE=" + p.alive, "PLACE=" + p.dir}, env...),
		Output:  p.output(), Listens: []string{p.address},
		// Nobody waits for as long.
		Within: time.Hour, Grace: time.Hour,
		Log: func(line string) { p.lines = append(p.lines, line) },
	}
}

// shell runs a script.
func (p *place) shell(script string) Config {
	cfg := p.config("SAID=" + p.said)
	cfg.Command = []string{"/bin/sh", "-c", script}
	return cfg
}

func (p *place) output() string { return filepath.Join(p.dir, "output") }

// nothingLeft fails the test if a process is left that has the place in its environment,
// or the pipe.
func (p *place) nothingLeft(t *testing.T) {
	t.Helper()
	environs, _ := filepath.Glob("/proc/[0-9]*/environ") // there are none but on Linux
	for _, name := range environs {
		if environ, _ := os.ReadFile(name); bytes.Contains(environ, []byte("PLACE="+p.dir+"\x00")) {
			t.Errorf("%s is left", filepath.Dir(name))
		}
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("the watchdog or another child is left: %d, %v", pid, err)
	}
	if n, err := syscall.Read(p.reader, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("somebody has the pipe still: %v", err)
	}
}

// held fails the test unless a child has the pipe.
func (p *place) held(t *testing.T) {
	t.Helper()
	if _, err := syscall.Read(p.reader, make([]byte, 1)); err != syscall.EAGAIN {
		t.Fatalf("nobody has the pipe: %v", err)
	}
}

// lateOnceSaid is a clock for start: it is late when the command has opened the pipe.
func (p *place) lateOnceSaid(t *testing.T) func(time.Duration) <-chan time.Time {
	return func(time.Duration) <-chan time.Time {
		late := make(chan time.Time)
		go func() {
			if _, err := os.ReadFile(p.said); err != nil {
				t.Error(err)
			}
			close(late)
		}()
		return late
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// started is a service that runs until the test ends.
func started(t *testing.T, cfg Config) *Service {
	t.Helper()
	s, err := Start(t.Context(), cfg)
	check(t, err)
	t.Cleanup(func() { check(t, s.Stop()) })
	return s
}

// ask returns the server's answer.
func (p *place) ask(t *testing.T, path string) string {
	t.Helper()
	res, err := client.Get("http://" + p.address + path)
	check(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	check(t, err)
	return strings.TrimSpace(string(body))
}
