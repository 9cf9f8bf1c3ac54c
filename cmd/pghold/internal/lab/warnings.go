package lab

import (
	"fmt"
	"strings"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/attack"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// slowShare is how much longer than it should the slow call may take before a run is
// called invalid: this machine disturbed it.
const slowShare = 0.01

// timerError is how late the runtime's timers may be, of the clock, which disturbs nothing.
const timerError = 2 * time.Millisecond

// invalid says how a machine that could not keep up disturbed a route, or nothing.
func invalid(r experiment.RouteResult, s experiment.Settings) string {
	if late := attack.Late(&r.SentLate, r.Latency.P50, experiment.Stretch(timerError, s.Speed)); late != "" {
		return late
	}
	if own := r.Of().Group; own != "seed" && own != "remedies" {
		return "" // the slow calls vary, or are made several times
	}
	if r.Time.Slow > time.Duration((1+slowShare)*float64(s.Slow)) && s.Slow > 0 {
		return fmt.Sprintf("the slow calls took %s in the mean instead of %s", words.Plain(r.Time.Slow.Round(time.Millisecond)), words.Plain(s.Slow))
	}
	return ""
}

// ranCase is a case with each of its runs.
type ranCase struct {
	experiment.Case
	runs []*experiment.RouteResult
}

// warnings says, a sentence each, what a reader must know before trusting or
// copying the result. ran are the cases that were finished, at least once, of so many
// that were asked for.
func warnings(res *experiment.Result, ran []ranCase, asked int) []string {
	var out []string
	s := res.Settings
	if res.Failed != "" {
		out = append(out, fmt.Sprintf("The run failed: %d of %d routes were finished, and only these are shown.", len(res.Routes), asked))
	} else if res.Interrupted {
		out = append(out, fmt.Sprintf("The run was interrupted: %d of %d routes were finished, and only these are shown.", len(res.Routes), asked))
	}
	for _, c := range ran {
		if n := len(c.runs); n < res.Repeat {
			out = append(out, fmt.Sprintf("%s was run %s instead of %d times.", c.Name, words.Times(n), res.Repeat))
		}
	}
	if len(res.Routes) > 0 {
		out = append(out, fmt.Sprintf("Throughput is not capacity: it is the successes divided by the time from the first request to the last answer, "+
			"so that the %s of load count as much as the wait for the last answers.", words.Plain(s.Duration)))
	}
	if w := collapse(res, ran); w != "" {
		out = append(out, w)
	}
	for _, c := range ran {
		for i, r := range c.runs {
			which := c.Name
			if len(c.runs) > 1 {
				which = fmt.Sprintf("%s, run %d of %d,", c.Name, i+1, len(c.runs))
			}
			out = append(out, warningsOf(r, which, res.SettingsOf(r))...)
		}
	}
	if s.Speed != 1 {
		out = append(out, fmt.Sprintf("Run at %v times the speed: durations were divided by it, the rate was multiplied, and the figures were turned back, "+
			"so every overhead of this machine counts %[1]v times.", s.Speed))
	}
	if s.Pool != experiment.QueuePool {
		out = append(out, fmt.Sprintf("%s has no overflow: it has one limit of %d connections, and the pool timeout is put on from outside.", s.Pool, s.Connections()))
	}
	return out
}

// collapse says what a load that lasts would do to the routes that hold their connection
// through the slow call, and what to do about it; or nothing. It is about the settings of
// the first of them.
func collapse(res *experiment.Result, ran []ranCase) string {
	var first *experiment.Timeouts
	var forThreads, others bool
	for _, c := range ran {
		s := c.Settings
		if !s.Collapses() || !c.Route.HoldsThroughCall() || res.Route(c.Name) == nil {
			continue
		}
		t := experiment.TimeoutsOf(s, s.Slow)
		if first == nil {
			first = &t
		} else if t != *first {
			continue
		}
		waits := c.Route.Sync && float64(s.Threads) < s.Rate*s.ClientTimeout.Seconds()
		forThreads, others = forThreads || waits, others || !waits
	}
	if first == nil {
		return ""
	}
	falls := "falls to nothing"
	if first.Pool == experiment.SQLPool {
		falls = "falls" // its waiters are served at random, some of them soon
	}
	text := "The success ratio of the routes that hold their connection through the slow call depends on how long the load lasts, and " + falls + ". " + first.Sentence()
	if first.Most() <= 0 {
		return text
	}
	if others {
		text += " " + first.Advice()
	}
	if forThreads {
		text += " For sync routes " + first.NoRepair(true) + "."
	}
	return text
}

// warningsOf are those of one run of a route.
func warningsOf(r *experiment.RouteResult, which string, s experiment.Settings) (out []string) {
	if how := invalid(*r, s); how != "" {
		out = append(out, fmt.Sprintf("%s is not valid: %s, because this machine could not keep up; lower --rate or --speed, or let it do nothing else.", which, how))
	}
	which = strings.TrimSuffix(which, ",")
	if r.NotValid != "" {
		out = append(out, fmt.Sprintf("%s is not valid. %s", which, r.NotValid))
	} else if n := r.Outcomes.Error; n > 0 {
		out = append(out, fmt.Sprintf("%s: %d requests failed for other reasons than time-outs; see \"errors\" in result.json.", which, n))
	}
	if r.Connections.Max > s.ServerConnections() {
		out = append(out, fmt.Sprintf("%s: the server saw %d connections, and there may be %d.", which, r.Connections.Max, s.ServerConnections()))
	}
	if u := r.Updates; u != nil && u.Killed == nil {
		out = append(out, fmt.Sprintf("%s: what a killed process leaves behind was left out.", which))
	}
	return out
}
