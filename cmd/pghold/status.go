package main

import (
	"io"
	"sync"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
)

// statusLine says on a terminal what a command does now, in one line that is
// rewritten. Elsewhere it says nothing.
type statusLine struct {
	mu    sync.Mutex
	out   io.Writer
	width int
	ended bool
	drawn bool
}

func newStatusLine(out io.Writer) *statusLine {
	return &statusLine{out: raw(out), width: terminalWidth(out)}
}

func (l *statusLine) show(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended || l.width == 0 {
		return
	}
	text := []rune(printable.Line(what)) // of packages, for example
	io.WriteString(l.out, "\r\x1b[K"+string(text[:min(len(text), l.width-1)]))
	l.drawn = true
}

// end leaves the terminal as it was. Nothing is shown afterwards.
func (l *statusLine) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drawn {
		io.WriteString(l.out, "\r\x1b[K")
	}
	l.ended = true
}
