package report

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

func textOf(t *testing.T, r *experiment.Result, o TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestShorten(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{{"abcd", 4, "abcd"}, {"abcde", 4, "abc…"}, {"äöüß€", 4, "äöü…"}} {
		if got := shorten(c.text, c.limit); got != c.want {
			t.Errorf("%q to %d: got %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

func TestCode(t *testing.T) {
	for name, want := range map[string]string{
		"a": "`a`", "GET /a_b-c.d/9: @": "`GET /a_b-c.d/9: @`", "": "", "a`b": "a\\`b", "ü": "ü", "a|b": "a\\|b", "a+b": "a+b", "<b>": "&lt;b&gt;",
	} {
		if got := code(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

// Where routes were run with settings of their own, that is told, of all or of one.
func TestReport_Differences(t *testing.T) {
	for _, c := range []struct {
		change func(*experiment.Result)
		want   string
	}{
		{func(r *experiment.Result) {
			for i := range r.Routes {
				s := r.Settings
				s.Rate = 200
				r.Routes[i].Settings = &s
			}
		}, "- " + differsForAll + ": 200 requests/s"},
		{func(r *experiment.Result) { s := r.Settings; s.Rate = 200; r.Routes[0].Settings = &s }, "- `sync_session_sleep_outside_session`: 200 requests/s"},
	} {
		r := measured()
		r.Settings = experiment.Defaults()
		c.change(r)
		if out := markdownOf(t, r); !strings.Contains(out, "## "+differsTitle+"\n\n"+c.want) {
			t.Errorf("%q is missing in\n%s", c.want, out)
		}
	}
}

func TestReport_Intervals(t *testing.T) {
	r := &experiment.Result{Routes: []experiment.RouteResult{{Name: "r", Requests: 1, Interval: map[string][2]float64{
		"success_ratio": {0.5, 0.75}, "throughput_per_s": {7, 8}, "latency_s.p50": {2, 2}, "latency_s.p99": {29, 30}}}}}
	for format, text := range map[string]string{"Markdown": markdownOf(t, r), "text": textOf(t, r, TextOptions{Width: 200})} {
		for _, want := range []string{intervalsTitle, "success 50.0 % to 75.0 %, throughput 7.00/s to 8.00/s, p50 2 s, p99 29 s to 30 s"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q is missing in\n%s", format, want, text)
			}
		}
	}
}

func markdownOf(t *testing.T, r *experiment.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := Markdown(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// figure is a number and its unit, as the tables have them.
var figure = regexp.MustCompile(`(\d+(?:\.\d+)?) ?(µs|ms|s|%|/s)?(?:\s|$)`)

// parse reads the figures of a line back, in seconds, ratios and per second.
func parse(t *testing.T, line string) []float64 {
	t.Helper()
	scale := map[string]float64{"": 1, "s": 1, "/s": 1, "ms": 1e-3, "µs": 1e-6, "%": 1e-2}
	var vs []float64
	for _, m := range figure.FindAllStringSubmatch(line, -1) {
		var v float64
		if _, err := fmt.Sscan(m[1], &v); err != nil {
			t.Fatalf("%q in %q: %v", m[1], line, err)
		}
		vs = append(vs, v*scale[m[2]])
	}
	return vs
}

func TestText_printsTheFiguresOfTheResult(t *testing.T) {
	r := measured()
	lines := strings.Split(textOf(t, r, TextOptions{}), "\n")
	// rows has each route's lines in the order of the tables, the seed's behind.
	rows := map[string][]string{}
	for i, l := range lines {
		for _, rr := range r.Routes {
			if rest, is := strings.CutPrefix(l, rr.Name); is {
				rows[rr.Name] = append(rows[rr.Name], rest)
				if after, is := strings.CutPrefix(lines[i+1], "  "+seedLabel); is {
					rows["seed "+rr.Name] = append(rows["seed "+rr.Name], after)
				}
			}
		}
	}
	check := func(what, line string, want ...float64) {
		t.Helper()
		got := parse(t, line)
		if len(got) != len(want) {
			t.Errorf("%s: got %v in %q, want %v", what, got, line, want)
			return
		}
		for i := range want {
			if math.Abs(got[i]-want[i]) > 0.006*math.Abs(want[i]) {
				t.Errorf("%s, figure %d: got %v, want %v", what, i+1, got[i], want[i])
			}
		}
	}
	for _, rr := range r.Routes {
		if len(rows[rr.Name]) != 3 {
			t.Fatalf("%s has %d rows, want one in each of 3 tables", rr.Name, len(rows[rr.Name]))
		}
		attack := func(rr *experiment.RouteResult) []float64 {
			return []float64{rr.SuccessRatio, rr.Throughput, rr.Latency.P50.Seconds(), rr.Latency.P99.Seconds(), rr.Latency.Max.Seconds()}
		}
		check(rr.Name, rows[rr.Name][0], append(attack(&rr), float64(rr.Connections.Max), float64(rr.Connections.MaxSilentInTransaction))...)
		check("the seed's "+rr.Name, rows["seed "+rr.Name][0], attack(experiment.Seed().Route(rr.Name))...)

		ends := []float64{float64(rr.Outcomes.OK), float64(rr.Requests), rr.Elapsed.Seconds()}
		if rr.Outcomes.ClientTimeout > 0 {
			ends = append(ends, float64(rr.Outcomes.ClientTimeout))
		}
		check(rr.Name+", outcomes", strings.Replace(rows[rr.Name][1], "of", "", 1), ends...)

		busy, _ := strconv.ParseFloat(fmt.Sprintf("%.2g", rr.Holds.BusyRatio), 64) // two digits where it is small
		if rr.Holds.BusyRatio > 0.01 {
			busy = rr.Holds.BusyRatio
		}
		times := []float64{rr.Time.PoolWait.Seconds(), rr.Time.Busy.Seconds(), rr.Time.Slow.Seconds(),
			rr.Holds.Held.Mean.Seconds(), busy}
		if strings.HasPrefix(rr.Name, "sync") {
			times = append([]float64{rr.Time.ThreadWait.Seconds()}, times...)
		}
		check(rr.Name+", times", strings.Replace(rows[rr.Name][2], words.None, "", 1), times...)
	}
}

func TestText_seedStandsBesideItsOwnQuestionOnly(t *testing.T) {
	r := measured()
	r.Settings.Speed, r.Settings.Postgres = 10, "18.1"
	if !strings.Contains(textOf(t, r, TextOptions{}), "  "+seedLabel) {
		t.Error("the seed's figures are missing at another speed and server, which do not change the question")
	}
	r.Settings.Rate = 101
	if strings.Contains(textOf(t, r, TextOptions{}), "  "+seedLabel) {
		t.Error("the seed's figures stand beside a result of another rate")
	}
	if strings.Contains(textOf(t, experiment.Seed(), TextOptions{}), "  "+seedLabel) {
		t.Error("the seed stands beside itself")
	}
}

func TestText_seedStandsBesideRoutesOfItsQuestionOnly(t *testing.T) {
	r := measured()
	own := r.Settings
	own.PgBouncer = 5
	r.Routes[3].Settings = &own
	if got := strings.Count(textOf(t, r, TextOptions{}), "\n  "+seedLabel); got != 3 {
		t.Errorf("the seed's figures stand beside %d routes, want the 3 that have its settings", got)
	}
	if s := textOf(t, groups(), TextOptions{}); strings.Contains(s, seedLabel) {
		t.Errorf("%q is explained where it is nowhere:\n%s", seedLabel, s)
	}
}

func TestText_fitsItsWidth(t *testing.T) {
	long := measured()
	long.Routes[0].Name = strings.Repeat("a_very_long_name_", 12)
	long.Routes[1].Errors = map[string]int{strings.Repeat("x", 5000): 3}
	long.Warnings = append(long.Warnings, strings.Repeat("y", 300), strings.Repeat("語 ", 90), strings.Repeat("語", 90))
	for _, r := range []*experiment.Result{measured(), interrupted(), partial(), groups(), predicted(), long} {
		for _, width := range []int{0, 30, 31, 40, 57, 80, 99, 100, 200} {
			for _, color := range []bool{false, true} {
				limit := width
				if width == 0 {
					limit = 100
				}
				for l := range strings.SplitSeq(textOf(t, r, TextOptions{Width: width, Color: color}), "\n") {
					if got := lipgloss.Width(l); got > limit {
						t.Errorf("width %d, color %v: %d columns in %q", width, color, got, l)
					}
				}
			}
		}
	}
}

func TestText_colourChangesNoText(t *testing.T) {
	escapes := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, r := range []*experiment.Result{measured(), interrupted(), partial(), groups(), predicted()} {
		without, with := textOf(t, r, TextOptions{}), textOf(t, r, TextOptions{Color: true})
		if strings.ContainsRune(without, '\x1b') {
			t.Error("an escape byte without Color")
		}
		if !escapes.MatchString(with) {
			t.Error("no colour with Color")
		}
		if got := escapes.ReplaceAllString(with, ""); got != without {
			t.Errorf("with its colours removed, the text differs:\n%s\nwant\n%s", got, without)
		}
	}
}

func TestText_neverPrintsNaN(t *testing.T) {
	r := measured()
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		rr := &r.Routes[i]
		rr.SuccessRatio, rr.Throughput, rr.Rate, rr.Goodput, rr.Holds.BusyRatio = v, v, v, v, v
	}
	r.Settings.Rate, r.Settings.Speed = math.NaN(), math.Inf(1)
	odd := r.Settings
	odd.Rate = math.Inf(-1)
	g := groups().Routes[1]
	g.Settings, g.PerRequest = &odd, experiment.PerRequest{Checkouts: math.NaN(), Statements: math.Inf(1), RoundTrips: math.Inf(1)}
	r.Routes = append(r.Routes, g)
	for _, s := range []string{textOf(t, r, TextOptions{}), textOf(t, r, TextOptions{Width: 40}), markdownOf(t, r)} {
		if strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Errorf("not a figure:\n%s", s)
		}
	}
}

func TestReport_takesEmptyResults(t *testing.T) {
	for _, r := range []*experiment.Result{
		{},
		{Routes: []experiment.RouteResult{{}}},
		{Kind: experiment.Measured, Settings: experiment.Defaults(), Routes: []experiment.RouteResult{{Name: "a"}, {Name: "b", Requests: 1}}},
	} {
		for _, s := range []string{textOf(t, r, TextOptions{}), textOf(t, r, TextOptions{Width: 1}), markdownOf(t, r)} {
			if s == "" || strings.Contains(s, "NaN") {
				t.Errorf("got %q", s)
			}
		}
	}
}
