package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab"
	"github.com/pghold/pghold/cmd/pghold/internal/prove"
	"github.com/pghold/pghold/cmd/pghold/internal/watch"
)

// Work after the last answer is in vain for most routes, and meant by those that
// answer early.
func TestProgress_saysWhatWasDoneAfterTheAnswers(t *testing.T) {
	for name, want := range map[string]string{
		"commit_then_touch": "1/2 commit_then_touch: 5 of 9 answered in 7.0 s (and 3.0 s for clients gone)\n",
		"update_outbox":     "1/2 update_outbox: 5 of 9 answered in 7.0 s (and 3.0 s of work after the answers)\n",
	} {
		routes, err := experiment.FindRoutes([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		newProgress(&b, 2).show(lab.Progress{Number: 1, Case: experiment.Case{Name: name, Route: routes[0]}, Done: &experiment.RouteResult{
			Requests: 9, Outcomes: experiment.Outcomes{OK: 5}, Elapsed: 7 * time.Second, DrainedAfter: 3 * time.Second,
		}})
		if b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	}
}

func TestProgress_saysWhichRepetitionItIs(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, 4)
	p.width = 60
	s := lab.Progress{Number: 2, Round: 2, Rounds: 3, Case: experiment.Case{Name: "commit_then_touch"}}
	p.show(s)
	s.Done = &experiment.RouteResult{Requests: 9}
	p.show(s)
	for _, want := range []string{"2/4 commit_then_touch (2 of 3) 0.0 s", "2/4 commit_then_touch (2 of 3): 0 of 9 answered"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	}
}

// On a narrow terminal the figures are short, and a long name is cut, and not they.
func TestProgress_ofProveFits(t *testing.T) {
	s := prove.Progress{
		Route: "GET /checkout/{n}", Number: 1, Routes: 3, Round: 1, Rounds: 1, Elapsed: 12 * time.Second, Requests: 500, Sent: 412, OK: 240, Failed: 12,
		Sessions: watch.Moment{Sessions: 15, InTransaction: 14},
	}
	long := s
	long.Route = "POST /api/v2/organizations/{n}/members"
	for _, c := range []struct {
		s     prove.Progress
		width int
		want  string
	}{
		{s, 123, "1/3 GET /checkout/{n} 12.0 s 412/500 sent, 240 answered, 12 failed, 160 waiting, 15 connections (14 idle in transaction)"},
		{s, 119, "1/3 GET /checkout/{n} 12.0 s 412/500 sent, 240 ok, 12 failed, 160 waiting, 14/15 idle in tx"},
		{s, 80, "1/3 GET /checkout/{n} 12.0 s 412/500 sent, 240 ok, 12 failed, 14/15 idle in tx"},
		{long, 80, "1/3 POST /api/v2/orga… 12.0 s 412/500 sent, 240 ok, 12 failed, 14/15 idle in tx"},
		{long, 60, "1/3 POST /api/v… 12.0 s 412/500 sent, 240 ok, 12 failed, 14"},
	} {
		var b bytes.Buffer
		p := newProgress(&b, 0)
		p.width = c.width
		p.prove(c.s)
		if got := b.String(); got != c.want {
			t.Errorf("%d columns: got %q, want %q", c.width, got, c.want)
		}
	}
}
