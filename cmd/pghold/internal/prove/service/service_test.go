//go:build unix

package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestStart_ReadyWhenItListens(t *testing.T) {
	p := newPlace(t)
	s := started(t, p.config())
	p.ask(t, "/asked") // it serves
	select {
	case <-s.Done():
		t.Error("it runs and is done")
	default:
	}
	check(t, s.Err())
	check(t, s.Stop())
	<-s.Done()
	check(t, s.Err())
	p.nothingLeft(t)
	l, err := net.Listen("tcp", p.address)
	check(t, err)
	l.Close()
}

func TestStart_ReadyWhenItAnswersBelow500(t *testing.T) {
	for _, status := range []string{"200", "302", "404"} {
		t.Run(status, func(t *testing.T) {
			p := newPlace(t)
			cfg := p.config()
			cfg.Listens = nil
			cfg.Ready = "http://" + p.address + "/ready/" + status
			started(t, cfg)
			if asked := p.ask(t, "/asked"); asked != "3" {
				t.Errorf("it was asked %s times, want 3: it is not ready twice", asked)
			}
		})
	}
}

func TestStart_ReadyOnAllAddresses(t *testing.T) {
	p := newPlace(t)
	cfg := p.config("SAID_AGAIN=" + p.said)
	other := freeAddress(t)
	cfg.Listens = append(cfg.Listens, other)
	_, err := start(t.Context(), cfg, p.lateOnceSaid(t))
	if err == nil || !strings.Contains(err.Error(), "does not listen on "+p.address+" and "+other+" after 3600 s") {
		t.Errorf("got %v", err)
	}
}

func TestStart_InASessionOfItsOwnWithoutInput(t *testing.T) {
	p := newPlace(t)
	// What is typed is not for it.
	ours, typed, err := os.Pipe()
	check(t, err)
	defer ours.Close()
	fmt.Fprintln(typed, "hello")
	typed.Close()
	defer func(stdin *os.File) { os.Stdin = stdin }(os.Stdin)
	os.Stdin = ours
	s := started(t, p.config())
	pid := s.family.group
	if got, want := p.ask(t, "/pids"), fmt.Sprint(pid, pid, pid, 0, io.EOF); got != want {
		t.Errorf("its pid, group, session and what it reads are %s, want %s: Ctrl-C must not reach it", got, want)
	}
}

func TestStart_NoSuchProgram(t *testing.T) {
	p := newPlace(t)
	in := func(name string) string { return filepath.Join(p.dir, name) }
	check(t, os.WriteFile(in("text"), []byte("echo hello\n"), 0o644))
	check(t, os.WriteFile(in("bare"), []byte("echo hello\n"), 0o755))
	check(t, os.WriteFile(in("orphan"), []byte("#!/no/such/interpreter\n"), 0o755))
	for _, c := range []struct {
		command []string
		want    string
		is      error
	}{
		{nil, "there is no command: write it after --, as in -- uvicorn app:app --port 8080", nil},
		{[]string{""}, "there is no command: write it after --, as in -- uvicorn app:app --port 8080", nil},
		{[]string{"no-such-program", "x"}, "there is no program no-such-program in the folders of PATH: install it, or write where it is", nil},
		{[]string{"uvicorn app:app"}, `there is no program "uvicorn app:app": write the command without quotes around all of it, or after sh -c`, nil},
		{[]string{in("none")}, "there is no file " + in("none") + ": write where the program is, from the folder that you are in", nil},
		{[]string{in("text")}, in("text") + " may not be executed: make it executable (chmod +x), or begin with the program that runs it, such as python3", nil},
		{[]string{p.dir}, p.dir + " is no program: is a directory", nil},
		{[]string{in("bare")}, ": a script has to begin with a line that names its interpreter, such as #!/bin/sh", syscall.ENOEXEC},
		{[]string{in("orphan")}, ": what its first line names as its interpreter is not there", fs.ErrNotExist},
	} {
		cfg := p.config()
		cfg.Command = c.command
		for run, err := range map[string]error{"Start": func() error { _, err := Start(t.Context(), cfg); return err }(), "Run": Run(t.Context(), cfg)} {
			switch {
			case err == nil, c.is == nil && err.Error() != c.want, c.is != nil && (!strings.HasSuffix(err.Error(), c.want) || !errors.Is(err, c.is)):
				t.Errorf("%s(%q): got %v, want %s", run, c.command, err, c.want)
			}
		}
		if _, err := os.Stat(cfg.Output); err == nil {
			t.Errorf("%q has left a file for its output", c.command)
		}
	}
}

func TestStart_OutputIsANewFile(t *testing.T) {
	p := newPlace(t)
	check(t, os.WriteFile(p.output(), []byte("old"), 0o600))
	_, err := Start(t.Context(), p.config())
	if text, _ := os.ReadFile(p.output()); !errors.Is(err, fs.ErrExist) || string(text) != "old" {
		t.Errorf("got %v, and the file has %q", err, text)
	}
}

func TestStart_EndsAtOnce(t *testing.T) {
	for script, want := range map[string]string{
		`echo one; printf 'two\033[1m\n' >&2; exit 3`: "/bin/sh ended before it was ready: exit status 3; the end of its output:\n  one\n  two" + `\x1b[1m`,
		`exit 0`:        "/bin/sh ended before it was ready: exit status 0; it has to stay in the foreground; it has printed nothing",
		`kill -SEGV $$`: "/bin/sh ended before it was ready: signal: segmentation fault",
	} {
		p := newPlace(t)
		_, err := Start(t.Context(), p.shell(script))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", script, err, want)
		}
		p.nothingLeft(t)
	}
}

// It goes into the background: what it leaves there ends too.
func TestStart_LeavesAChildBehind(t *testing.T) {
	p := newPlace(t)
	_, err := Start(t.Context(), p.config("FOREIGN=leaver", "CHILD=here"))
	if err == nil || !strings.Contains(err.Error(), "exit status 0; it has to stay in the foreground") {
		t.Errorf("got %v", err)
	}
	p.nothingLeft(t)
}

func TestStart_PortInUse(t *testing.T) {
	for _, ready := range []bool{false, true} {
		p := newPlace(t)
		l, err := net.Listen("tcp", p.address)
		check(t, err)
		defer l.Close()
		cfg := p.config()
		if ready {
			cfg.Listens, cfg.Ready = nil, "http://"+p.address+"/"
		}
		_, err = Start(t.Context(), cfg)
		_, port, _ := net.SplitHostPort(p.address)
		if want := "port " + port + " is in use already by another program, at " + p.address + ": end that, or have the command listen on another port and attack it there"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if _, err := os.Stat(cfg.Output); err == nil {
			t.Error("the command was started nevertheless")
		}
	}
}

func TestStart_ReadyIsNoURL(t *testing.T) {
	for _, ready := range []string{"127.0.0.1:8080/health", "/health", "ftp://127.0.0.1/", "http://", "http://[::1"} {
		p := newPlace(t)
		cfg := p.config()
		cfg.Ready = ready
		if _, err := Start(t.Context(), cfg); err == nil || err.Error() != "--ready is no URL: write it as http://127.0.0.1:8080/health" {
			t.Errorf("%s: got %v", ready, err)
		}
	}
}

func TestStart_NeverListens(t *testing.T) {
	p := newPlace(t)
	_, err := start(t.Context(), p.shell(`echo waiting for nobody; : >"$SAID"; exec sleep 3600`), p.lateOnceSaid(t))
	if err == nil || !strings.HasPrefix(err.Error(), "/bin/sh does not listen on "+p.address+" after 3600 s") ||
		!strings.HasSuffix(err.Error(), "; the end of its output:\n  waiting for nobody") {
		t.Errorf("got %v", err)
	}
	p.nothingLeft(t)
}

func TestStart_AnswersWithErrors(t *testing.T) {
	p := newPlace(t)
	cfg := p.config("SAID_AGAIN=" + p.said)
	cfg.Listens, cfg.Ready = nil, "http://"+p.address+"/broken"
	_, err := start(t.Context(), cfg, p.lateOnceSaid(t))
	if want := os.Args[0] + " does not answer GET " + cfg.Ready + " after 3600 s (it answers 500 Internal Server Error); it has printed nothing"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	p.nothingLeft(t)
}

func TestStart_Within(t *testing.T) {
	p := newPlace(t)
	cfg := p.shell(`exec sleep 3600`)
	cfg.Within = time.Millisecond
	_, err := Start(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), " does not listen on "+p.address+" after 1 ms") || !strings.HasSuffix(err.Error(), "; it has printed nothing") {
		t.Errorf("got %v", err)
	}
	p.nothingLeft(t)
}

// Cancelled while it waits for the command, and before.
func TestStart_Cancelled(t *testing.T) {
	p := newPlace(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if _, err := os.ReadFile(p.said); err != nil {
			t.Error(err)
		}
		cancel()
	}()
	_, err := Start(ctx, p.shell(`: >"$SAID"; exec sleep 3600`))
	if !errors.Is(err, context.Canceled) || err.Error() != "/bin/sh was not waited for: context canceled" {
		t.Errorf("got %v", err)
	}
	p.nothingLeft(t)
	check(t, os.Remove(p.output()))

	if _, err := Start(ctx, p.config()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(p.output()); err == nil {
		t.Error("the command was started nevertheless")
	}
}

func TestService_EndsByItself(t *testing.T) {
	p := newPlace(t)
	s := started(t, p.config("CHILD=here"))
	p.held(t)
	if res, err := client.Get("http://" + p.address + "/end"); err == nil {
		res.Body.Close()
	}
	<-s.Done()
	p.nothingLeft(t)
	if want := os.Args[0] + " has ended: exit status 4; the end of its output:\n  ending " + `\x1b[31mnow`; s.Err() == nil || s.Err().Error() != want {
		t.Errorf("got %v, want %s", s.Err(), want)
	}
	check(t, s.Stop())
}

func TestStop_AsksFirst(t *testing.T) {
	p := newPlace(t)
	s := started(t, p.config("ON_TERM=obey"))
	check(t, s.Stop())
	if text, err := os.ReadFile(p.output()); string(text) != "obeyed\n" {
		t.Errorf("it has printed %q (%v)", text, err)
	}
	if len(p.lines) != 0 {
		t.Errorf("it is said that %q", p.lines)
	}
}

func TestStop_KillsAfterTheGrace(t *testing.T) {
	p := newPlace(t)
	cfg := p.config("ON_TERM=ignore", "CHILD=here")
	cfg.Grace = time.Millisecond
	s := started(t, cfg)
	p.held(t)
	check(t, s.Stop())
	p.nothingLeft(t)
	if want := os.Args[0] + " has not ended 1 ms after SIGTERM, and is killed."; !slices.Equal(p.lines, []string{want}) {
		t.Errorf("it is said that %q, want %q", p.lines, want)
	}
	check(t, s.Err())
}

func TestStop_ManyTimesAtOnce(t *testing.T) {
	p := newPlace(t)
	s := started(t, p.config())
	var stops sync.WaitGroup
	for range 8 {
		stops.Go(func() {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
			p.nothingLeft(t)
		})
	}
	stops.Wait()
}

// The children do not end because their parent does, and not when asked.
func TestStop_Children(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			p := newPlace(t)
			s := started(t, p.config("CHILD="+kind))
			p.held(t)
			check(t, s.Stop())
			p.nothingLeft(t)
		})
	}
}

func TestStop_WithoutAWatchdog(t *testing.T) {
	p := newPlace(t)
	s := started(t, p.config("CHILD=here"))
	check(t, s.family.watchdog.Process.Kill())
	check(t, s.Stop())
	p.nothingLeft(t)
}

// kill -9 of pghold. The pipe tells when nobody is left: not the command, not its
// child, not the watchdog.
func TestKilled_NothingIsLeft(t *testing.T) {
	for _, kind := range killedKinds {
		t.Run(kind, func(t *testing.T) {
			p := newPlace(t)
			owner := exec.Command(os.Args[0])
			owner.Env = append(os.Environ(), p.config("FOREIGN=owner", "OUTPUT="+p.output(), "CHILD="+kind, "ALIVE=").Env...)
			owner.Stderr = os.Stderr
			all, inherited, err := os.Pipe()
			check(t, err)
			defer all.Close()
			owner.ExtraFiles = []*os.File{inherited}
			out, err := owner.StdoutPipe()
			check(t, err)
			check(t, owner.Start())
			inherited.Close()
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
				t.Errorf("it said %q: %v", line, err)
			}
			check(t, owner.Process.Kill())
			owner.Wait()
			check(t, all.SetReadDeadline(time.Now().Add(time.Minute)))
			if _, err := io.ReadAll(all); err != nil {
				t.Errorf("somebody is left after a minute: %v", err)
			}
		})
	}
}

func TestRun(t *testing.T) {
	p := newPlace(t)
	check(t, Run(t.Context(), p.shell(`echo "$PLACE"`)))
	if text, err := os.ReadFile(p.output()); string(text) != p.dir+"\n" {
		t.Errorf("it has printed %q (%v)", text, err)
	}
}

func TestRun_Fails(t *testing.T) {
	p := newPlace(t)
	err := Run(t.Context(), p.shell(`echo 'no such table'; exit 7`))
	if want := "/bin/sh has ended: exit status 7; the end of its output:\n  no such table"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRun_EndsWhatItLeaves(t *testing.T) {
	p := newPlace(t)
	check(t, Run(t.Context(), p.config("FOREIGN=leaver", "CHILD=here")))
	p.nothingLeft(t)
}

func TestRun_Cancelled(t *testing.T) {
	p := newPlace(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if _, err := os.ReadFile(p.said); err != nil {
			t.Error(err)
		}
		cancel()
	}()
	if err := Run(ctx, p.shell(`: >"$SAID"; exec sleep 3600`)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	p.nothingLeft(t)
}

func TestEnvironment(t *testing.T) {
	for _, name := range elsewhere {
		t.Setenv(name, "the user's own")
	}
	t.Setenv("PGAPPNAME", "kept")
	t.Setenv("PG_POOL", "kept")
	t.Setenv("TWICE", "ours")
	given := Database{Host: "127.0.0.1", Port: 6432, User: "u", Password: "p", Name: "d"}
	env, err := given.Env([]string{"TWICE={user}"}, "")
	check(t, err)
	p := newPlace(t)
	cfg := p.shell(`env`)
	cfg.Env = append(cfg.Env, env...)
	check(t, Run(t.Context(), cfg))
	text, err := os.ReadFile(p.output())
	check(t, err)
	if strings.Contains(string(text), "the user's own") {
		t.Errorf("it has of the user's:\n%s", text)
	}
	lines := strings.Split(string(text), "\n")
	for _, want := range append(env, "PGAPPNAME=kept", "PG_POOL=kept") {
		if !slices.Contains(lines, want) {
			t.Errorf("it does not have %s:\n%s", want, text)
		}
	}
	if !strings.Contains(string(text), "\nPGHOLD_PROVE_RUN=") || strings.Contains(string(text), "TWICE=ours") {
		t.Errorf("it has:\n%s", text)
	}
}
