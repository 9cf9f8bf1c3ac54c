package service

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// kinds of children that Stop ends: in the command's group, with nothing of its
// environment, in a group of their own, in a session of their own, and ever new ones.
var kinds = []string{"here", "chain", "bare", "group bare", "session"}

// killedKinds are those that the watchdog ends, which does not look for sessions.
var killedKinds = []string{"here", "chain", "bare", "group", "session"}

func TestStart_ListensElsewhere(t *testing.T) {
	p := newPlace(t)
	cfg := p.config("SAID=" + p.said)
	asked := freeAddress(t)
	cfg.Listens = []string{asked}
	_, err := start(t.Context(), cfg, p.lateOnceSaid(t))
	if want := " does not listen on " + asked + " after 3600 s, but on " + p.address + ": is that the port of --attack?; it has printed nothing"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want …%s", err, want)
	}
	p.nothingLeft(t)
}

func TestStart_ListensNowhere(t *testing.T) {
	p := newPlace(t)
	_, err := start(t.Context(), p.shell(`: >"$SAID"; exec sleep 3600`), p.lateOnceSaid(t))
	if err == nil || !strings.Contains(err.Error(), " after 3600 s, but on no port at all; ") {
		t.Errorf("got %v", err)
	}
}

func TestStart_AnswersElsewhere(t *testing.T) {
	p := newPlace(t)
	cfg := p.config("SAID=" + p.said)
	asked := freeAddress(t)
	cfg.Listens, cfg.Ready = nil, "http://"+asked+"/"
	_, err := start(t.Context(), cfg, p.lateOnceSaid(t))
	if err == nil || !strings.Contains(err.Error(), " does not answer GET "+cfg.Ready+" after 3600 s (") ||
		!strings.HasSuffix(err.Error(), "), and it listens on "+p.address+": is that the port of --attack?; it has printed nothing") {
		t.Errorf("got %v", err)
	}
	p.nothingLeft(t)
}

// Its environment is gone before its files are closed.
func TestProcesses_KnownByTheirPid(t *testing.T) {
	f := &family{group: -1, marker: "NOBODY=has this"}
	self := os.Getpid()
	if got := f.processes(nil); len(got) != 0 {
		t.Errorf("nobody is of the family, but %v", got)
	}
	if got := f.processes([]int{self}); !slices.Equal(got, []int{self}) {
		t.Errorf("got %v, want %d", got, self)
	}
}

func TestParseStat(t *testing.T) {
	const rest = " 12 13 14 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 "
	for text, want := range map[string]stat{
		"11 (a) S" + rest + "1 0 99":       {group: 13, session: 14, started: 99},
		"11 (a) R (b) T" + rest + "7 0 99": {group: 13, session: 14, started: 99},
		"11 (a) Z" + rest + "1 0 99":       {group: 13, session: 14, ended: true, started: 99},
		"11 (a) Z" + rest + "2 0 99":       {group: 13, session: 14, started: 99},
		"11 (a) X" + rest + "0 0 99":       {group: 13, session: 14, ended: true, started: 99},
		"11 (a Z 1 1) S" + rest + "1 0 99": {group: 13, session: 14, started: 99},
	} {
		if got, ok := parseStat(text); !ok || got != want {
			t.Errorf("%s is %+v, want %+v", text, got, want)
		}
	}
	if _, ok := parseStat("11 (a) Z 12"); ok {
		t.Error("half a line is taken for a whole one")
	}
}

// Another program has the port by the time that the command would listen there.
func TestStart_TakenMeanwhile(t *testing.T) {
	p := newPlace(t)
	came := make(chan net.Listener)
	go func() {
		_, err := os.ReadFile(p.said) // the command runs
		l, listens := net.Listen("tcp", p.address)
		if err := errors.Join(err, listens); err != nil {
			t.Error(err)
		}
		came <- l
	}()
	cfg := p.shell(`: >"$SAID"; exec sleep 3600`)
	_, err := Start(t.Context(), cfg)
	(<-came).Close()
	_, port, _ := net.SplitHostPort(p.address)
	if want := "port " + port + " was taken, while /bin/sh started, by another program, at " + p.address + ": end that, or have the command listen on another port and attack it there"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	p.nothingLeft(t)
}

func TestTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	ours, self := l.Addr().String(), os.Getpid()
	group, err := syscall.Getpgid(self)
	check(t, err)
	sleeps := exec.Command("sleep", "3600") // a command, which does not listen
	sleeps.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check(t, sleeps.Start())
	defer func() { sleeps.Process.Kill(); sleeps.Wait() }()

	p := newPlace(t)
	other := started(t, p.config()) // of another run, and later
	bare := freeAddress(t)
	later := exec.Command(os.Args[0])
	later.Env = []string{"FOREIGN=server", "AT=" + bare, "SAID=" + p.said}
	later.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check(t, later.Start())
	defer func() { later.Process.Kill(); later.Wait() }()
	_, err = os.ReadFile(p.said)
	check(t, err)

	f := &family{group: sleeps.Process.Pid, marker: "PGHOLD_PROVE_RUN=x"}
	for name, c := range map[string]struct {
		f    *family
		at   string
		want bool
	}{
		"there before":         {f, ours, true},
		"the family's own":     {&family{group: group, marker: f.marker}, ours, false},
		"of another run":       {f, p.address, true},
		"of the same run":      {&family{group: f.group, marker: other.family.marker}, p.address, false},
		"later, and unmarked":  {f, bare, false},
		"nobody is there":      {f, "127.0.0.1:1", false},
		"at another address":   {f, strings.Replace(ours, "127.0.0.1", "127.0.0.2", 1), false},
		"by a name":            {f, strings.Replace(ours, "127.0.0.1", "localhost", 1), true},
		"the command is ended": {&family{group: -1, marker: f.marker}, ours, false},
	} {
		if got := c.f.taken(c.at); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestSocketAddress(t *testing.T) {
	for table, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000:0050":                         "0.0.0.0:80",
		"00000000000000000000000001000000:1F90": "[::1]:8080",
		"00000000000000000000000000000000:1F90": "[::]:8080",
		"0000000000000000FFFF00000100007F:1F90": "127.0.0.1:8080",
		"what":                                  "what",
	} {
		if got := socketAddress(table); got != want {
			t.Errorf("%s is %s, want %s", table, got, want)
		}
	}
}
