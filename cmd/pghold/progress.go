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
	number, name := fmt.Sprintf("%d/%d ", s.Number, s.Routes), roundName(s.Route, s)
	failed := ""
	if s.Failed > 0 {
		failed = fmt.Sprintf(", %d failed", s.Failed)
	}
	now, waiting := s.Sessions, s.Sent-s.OK-s.Failed
	switch {
	case s.WarmingUp:
		p.rewrite(number, name, " warming up")
	case s.Draining:
		p.rewrite(number, name, fmt.Sprintf(" %s all have ended, %s still in transaction", round(s.Elapsed), words.Count(now.InTransaction+now.Busy, "connection")))
	default:
		p.rewrite(number, name,
			fmt.Sprintf(" %s %d/%d sent, %d answered%s, %d waiting, %s (%d idle in transaction)", round(s.Elapsed), s.Sent, s.Requests, s.OK, failed, waiting, words.Count(now.Sessions, "connection"), now.InTransaction),
			fmt.Sprintf(" %s %d/%d sent, %d ok%s, %d waiting, %d/%d idle in tx", round(s.Elapsed), s.Sent, s.Requests, s.OK, failed, waiting, now.InTransaction, now.Sessions),
			fmt.Sprintf(" %s %d/%d sent, %d ok%s, %d/%d idle in tx", round(s.Elapsed), s.Sent, s.Requests, s.OK, failed, now.InTransaction, now.Sessions))
	}
}

// roundName is the name of a route, and which of its repetitions is attacked.
func roundName(name string, s prove.Progress) string {
	if s.Rounds > 1 {
		return fmt.Sprintf("%s (%d of %d)", name, s.Round, s.Rounds)
	}
	return name
}

// shortName is how much of a route's name is left where there is no room, at least.
const shortName = 12

// rewrite writes a line in place of the last one: with the first of the rests, the longest
// first, beside which there is room for the name, or with the last and what there is room for
// of the name.
func (p *progress) rewrite(number, name string, rests ...string) {
	room := func(rest string) int { return p.width - 1 - len([]rune(number+rest)) }
	rest := rests[len(rests)-1]
	for _, r := range rests {
		if len([]rune(name)) <= room(r) {
			rest = r
			break
		}
	}
	if cut, most := []rune(name), max(room(rest), shortName); len(cut) > most {
		name = string(cut[:most-1]) + "…"
	}
	line := []rune(number + name + rest)
	p.clear()
	io.WriteString(p.out, string(line[:min(len(line), p.width-1)]))
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
