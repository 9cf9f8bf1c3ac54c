package experiment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/golden"
)

// The routes and what a request of each does, and the groups and what each case of
// theirs sets beside the defaults.
func TestRoutesAndGroups(t *testing.T) {
	var b strings.Builder
	for _, r := range experiment.Routes {
		fmt.Fprintf(&b, "%s %s (%s): %d checkouts, %d statements, %d round trips", r.Method(), r.Path(), r.Group, r.Checkouts(), r.Statements(), r.RoundTrips())
		for _, fact := range []struct {
			holds bool
			words string
		}{
			{r.Sync, "on a thread"}, {!r.Calls(), "no slow call"}, {r.HoldsThroughCall(), "holds through the call"},
			{r.SilentInTransaction(), "silent in transaction"}, {r.Updates(), "updates"}, {r.AnswersEarly(), "answers early"},
		} {
			if fact.holds {
				b.WriteString(", " + fact.words)
			}
		}
		b.WriteString("\n")
	}
	for _, g := range experiment.Groups {
		fmt.Fprintf(&b, "\n%s\n", g.Name)
		for _, c := range g.Cases(experiment.Defaults()) {
			fmt.Fprintf(&b, "%s: %s%s\n", c.Name, c.Route.Name, beside(t, experiment.Defaults(), c.Settings))
		}
	}
	golden.Equal(t, "routes.txt", b.String())
}

// beside are the settings that differ, as JSON has them.
func beside(t *testing.T, from, to experiment.Settings) string {
	fields := func(s experiment.Settings) (m map[string]any) {
		b, err := json.Marshal(s)
		if err != nil || json.Unmarshal(b, &m) != nil {
			t.Fatal(err)
		}
		return m
	}
	before, after := fields(from), fields(to)
	for name, v := range before {
		if after[name] == v {
			delete(after, name)
		}
	}
	if len(after) == 0 {
		return ""
	}
	b, err := json.Marshal(after)
	if err != nil {
		t.Fatal(err)
	}
	return " " + string(b)
}

// Whatever is of another type than it should be, ReadResult does not take it for zero.
func TestReadResult_RefusesEveryWrongType(t *testing.T) {
	doc, err := json.Marshal(fullResult())
	if err != nil {
		t.Fatal(err)
	}
	var whole any
	if err := json.Unmarshal(doc, &whole); err != nil {
		t.Fatal(err)
	}
	tried := 0
	try := func(path string, set func(any), was any) {
		tried++
		wrong := any("wrong")
		if _, ok := was.(string); ok {
			wrong = 1
		}
		set(wrong)
		defer set(was)
		b, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := experiment.ReadResult(b); err == nil {
			t.Errorf("%s was %v, is %v, and nobody minds", path, was, wrong)
		}
	}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, of := range v {
				try(path+"."+key, func(to any) { v[key] = to }, of)
				walk(path+"."+key, of)
			}
		case []any:
			for i, of := range v {
				try(fmt.Sprint(path, "[", i, "]"), func(to any) { v[i] = to }, of)
				walk(path, of)
			}
		}
	}
	walk("result", whole)
	if tried < 200 {
		t.Errorf("%d values were tried, in %s", tried, bytes.TrimSpace(doc))
	}
}

func TestTimeouts_InWords(t *testing.T) {
	ms := time.Millisecond
	for _, c := range []struct {
		of                     experiment.Timeouts
		sentence, advice, none string
	}{
		{
			experiment.Timeouts{Pool: "queuepool", PoolTimeout: 27900 * ms, ClientTimeout: 30 * time.Second, Rest: 2 * time.Second},
			"The timeouts are sound: a request that has waited 27.9 s, the pool timeout, needs 2 s more, and its client waits for 30 s.",
			"A pool timeout of 27.9 s or less is sound.", "no pool timeout repairs that",
		}, {
			experiment.Timeouts{Pool: "sql", PoolTimeout: 100 * ms, ClientTimeout: 30 * time.Second, Rest: 2 * time.Second},
			"The timeouts are sound: a request that has waited 100 ms, the longest that it may, needs 2 s more, and its client waits for 30 s.",
			"A wait of at most 27.9 s is sound.", "no shorter wait repairs that",
		}, {
			experiment.Timeouts{Pool: "queuepool", PoolTimeout: 30 * time.Second, ClientTimeout: 30 * time.Second, Rest: 2345678 * time.Microsecond},
			"The pool timeout is too long: a request that has waited 30 s needs 2.346 s more, but its client leaves after 30 s.",
			"A pool timeout of 27.537 s or less is sound.", "no pool timeout repairs that",
		}, {
			experiment.Timeouts{Pool: "sql", PoolTimeout: 30 * time.Second, ClientTimeout: 30 * time.Second, Rest: 1234567},
			"The wait for a connection may last too long: a request that has waited 30 s needs 1.235 ms more, but its client leaves after 30 s. database/sql has no pool timeout: the request's context has to end the wait.",
			"A wait of at most 29.997 s is sound.", "no shorter wait repairs that",
		}, {
			experiment.Timeouts{Pool: "pgxpool", PoolTimeout: 30 * time.Second, ClientTimeout: 30 * time.Second, Rest: time.Second},
			"The wait for a connection may last too long: a request that has waited 30 s needs 1 s more, but its client leaves after 30 s. pgxpool has no pool timeout: the request's context has to end the wait.",
			"A wait of at most 28.95 s is sound.", "no shorter wait repairs that",
		}, {
			experiment.Timeouts{PoolTimeout: 30 * time.Second, ClientTimeout: 30 * time.Second, Rest: time.Second},
			"The wait for a connection may last too long: a request that has waited 30 s needs 1 s more, but its client leaves after 30 s. (How long a wait may last, and in which pool, is not known of the service: --pool-timeout and --pool tell.)",
			"A wait of at most 28.95 s is sound.", "no shorter wait repairs that",
		}, {
			experiment.Timeouts{Pool: "queuepool", PoolTimeout: time.Second, ClientTimeout: 2100 * ms, Rest: 2 * time.Second}, // no time is left, to the millisecond
			"No answer can be in time: once it has a connection a request takes 2 s, and its client leaves after 2.1 s.",
			"", "no pool timeout repairs that",
		},
	} {
		if got := c.of.Sentence(); got != c.sentence {
			t.Errorf("%+v\n got: %s\nwant: %s", c.of, got, c.sentence)
		}
		if got := c.of.Advice(); c.advice != "" && got != c.advice {
			t.Errorf("%+v\n got: %s\nwant: %s", c.of, got, c.advice)
		}
		if got := c.of.NoRepair(false); got != c.none {
			t.Errorf("%+v\n got: %s\nwant: %s", c.of, got, c.none)
		}
		if got, want := c.of.NoRepair(true), c.none+": requests wait for a thread as well, and for that there is no timeout"; got != want {
			t.Errorf("%+v\n got: %s\nwant: %s", c.of, got, want)
		}
		if limit := c.of.Limit(); c.advice != "" && !strings.HasPrefix(c.advice, "A"+limit[1:]) {
			t.Errorf("%+v: its limit is %q", c.of, limit)
		}
	}
}
