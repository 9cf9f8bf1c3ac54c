package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pghold/pghold/lab"
	"github.com/pghold/pghold/watch"
)

// progress shows how a run goes: on a terminal one line that is rewritten, and a
// line for every route that is done.
type progress struct {
	out    io.Writer
	width  int // of the terminal; 0 where there is none
	routes int
	done   int
	drawn  bool
}

func newProgress(out io.Writer, routes int) *progress {
	return &progress{out: out, width: terminalWidth(out), routes: routes}
}

func (p *progress) show(s lab.Progress) {
	if s.Done != nil {
		p.done++
		p.clear()
		line := fmt.Sprintf("%d/%d %s: %d of %d answered in %s", p.done, p.routes, s.Case.Name,
			s.Done.Outcomes.OK, s.Done.Requests, round(s.Done.Elapsed))
		if d := s.Done.DrainedAfter; d >= time.Second {
			what := "for clients gone"
			if s.Case.Route.AnswersEarly() {
				what = "of work after the answers"
			}
			line += fmt.Sprintf(" (and %s %s)", round(d), what)
		}
		fmt.Fprintln(p.out, line)
		return
	}
	if p.width == 0 {
		return
	}
	what := counts(s)
	if s.Killing {
		what = "killing the app in the middle of updates, to see what it leaves behind"
	}
	line := fmt.Sprintf("%d/%d %s %s  %s", p.done+1, p.routes, s.Case.Name, round(s.Elapsed), what)
	if runes := []rune(line); len(runes) >= p.width {
		line = string(runes[:p.width-1])
	}
	p.clear()
	io.WriteString(p.out, line)
	p.drawn = true
}

// counts are the figures of the moment, the most important first: a narrow
// terminal cuts the rest off.
func counts(s lab.Progress) string {
	parts := []string{
		fmt.Sprintf("%d/%d sent", s.Sent, s.Requests),
		fmt.Sprintf("%d answered", s.OK),
		fmt.Sprintf("%d failed", s.Failed),
	}
	if s.Draining {
		parts = append(parts, fmt.Sprintf("%d still at work for clients that have gone", s.InFlight))
	} else {
		parts = append(parts, fmt.Sprintf("%d waiting", s.Sent-s.OK-s.Failed))
	}
	silent := s.Sessions.Count(watch.State.InTransaction)
	parts = append(parts, fmt.Sprintf("%d connections (%d silent in transaction)", len(s.Sessions.Sessions), silent))
	return strings.Join(parts, ", ")
}

func (p *progress) clear() {
	if p.drawn {
		io.WriteString(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// end leaves the terminal as it was.
func (p *progress) end() { p.clear() }

func round(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
