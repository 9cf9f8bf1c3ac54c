package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// progress shows how a run goes: on a terminal one line that is rewritten, and a
// line for every route that is done.
type progress struct {
	out    io.Writer
	width  int // of the terminal; 0 where there is none
	routes int
	drawn  bool
}

func newProgress(out io.Writer, routes int) *progress {
	return &progress{out: raw(out), width: terminalWidth(out), routes: routes}
}

func (p *progress) show(s lab.Progress) {
	if s.Done != nil {
		p.clear()
		line := fmt.Sprintf("%d/%d %s: %d of %d answered in %s", s.Number, p.routes, runName(s),
			s.Done.Outcomes.OK, s.Done.Requests, round(s.Done.Elapsed))
		if d := s.Done.DrainedAfter; d >= time.Second {
			what := "for clients gone"
			if s.Case.Route.AnswersEarly() {
				what = "of work after the answers"
			}
			line += fmt.Sprintf(" (and %s %s)", round(d), what)
		}
		if s.Done.NotValid != "" {
			line += ", not valid"
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
	states := lanesOf(s.Sessions)
	head := []rune(fmt.Sprintf("%d/%d %s %s ", s.Number, p.routes, runName(s), round(s.Elapsed)))
	rest := []rune(" " + what)
	head = head[:min(len(head), p.width-1)]
	if len(head)+states.width() >= p.width {
		states = lanes{}
	}
	rest = rest[:min(len(rest), p.width-1-len(head)-states.width())]
	p.clear()
	io.WriteString(p.out, string(head)+states.String()+string(rest))
	p.drawn = true
}

// runName is the name of what is run, and which of its repetitions it is.
func runName(s lab.Progress) string {
	if s.Rounds > 1 {
		return fmt.Sprintf("%s (%d of %d)", s.Case.Name, s.Round, s.Rounds)
	}
	return s.Case.Name
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
	silent := s.Sessions.Count(activity.State.InTransaction)
	parts = append(parts, fmt.Sprintf("%d connections (%d silent in transaction)", len(s.Sessions.Sessions), silent))
	return strings.Join(parts, ", ")
}

// prove shows how an attack on a service goes.
func (p *progress) prove(s prove.Progress) {
	for i := len(s.Done) - 1; i >= 0; i-- { // that of all at once is the last
		r := s.Done[i]
		p.clear()
		line := fmt.Sprintf("%d/%d %s", s.Number, s.Routes, roundName(r.Name, s))
		if r.Name != s.Route {
			line = "    " + r.Name
		}
		line += fmt.Sprintf(": %d of %d answered in %s", r.Outcomes.OK, r.Requests, round(r.Elapsed))
		if r.NotValid != "" && r.Name == s.Route {
			line += ", not valid"
		}
		fmt.Fprintln(p.out, line)
	}
	if p.width == 0 || len(s.Done) > 0 {
		return
	}
	head := fmt.Sprintf("%d/%d %s", s.Number, s.Routes, roundName(s.Route, s))
	switch waiting := s.Sent - s.OK - s.Failed; {
	case s.WarmingUp:
		p.rewrite(head + " warming up")
	case s.Draining:
		p.rewrite(fmt.Sprintf("%s %s all have ended, %s still in transaction", head, round(s.Elapsed), words.Count(s.Sessions.InTransaction+s.Sessions.Busy, "connection")))
	default:
		p.rewrite(fmt.Sprintf("%s %s %d/%d sent, %d answered, %d failed, %d waiting, %s (%d idle in transaction)", head, round(s.Elapsed),
			s.Sent, s.Requests, s.OK, s.Failed, waiting, words.Count(s.Sessions.Sessions, "connection"), s.Sessions.InTransaction))
	}
}

// roundName is the name of a route, and which of its repetitions is attacked.
func roundName(name string, s prove.Progress) string {
	if s.Rounds > 1 {
		return fmt.Sprintf("%s (%d of %d)", name, s.Round, s.Rounds)
	}
	return name
}

// rewrite writes a line in place of the last one.
func (p *progress) rewrite(line string) {
	cut := []rune(line)
	p.clear()
	io.WriteString(p.out, string(cut[:min(len(cut), p.width-1)]))
	p.drawn = true
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
