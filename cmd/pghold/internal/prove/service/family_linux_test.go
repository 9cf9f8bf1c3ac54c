package service

import (
	"os"
	"slices"
	"strings"
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
		"11 (a) S" + rest + "1 0 99":      {group: 13, session: 14},
		"11 (a) R (b) T" + rest + "7 0":   {group: 13, session: 14},
		"11 (a) Z" + rest + "1 0 99":      {group: 13, session: 14, ended: true},
		"11 (a) Z" + rest + "2 0 99":      {group: 13, session: 14},
		"11 (a) X" + rest + "0 0 99":      {group: 13, session: 14, ended: true},
		"11 (a Z 1 1) S" + rest + "1 0 9": {group: 13, session: 14},
	} {
		if got, ok := parseStat(text); !ok || got != want {
			t.Errorf("%s is %+v, want %+v", text, got, want)
		}
	}
	if _, ok := parseStat("11 (a) Z 12"); ok {
		t.Error("half a line is taken for a whole one")
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
