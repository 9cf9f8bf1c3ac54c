package report

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"charm.land/lipgloss/v2"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/golden"
)

// repeat gives each route of a result so many runs, whose rates and times vary by a
// share of them; all else is the same in all runs.
func repeat(r *experiment.Result, n int, by float64) *experiment.Result {
	r.Repeat = n
	for i := range r.Routes {
		rr := &r.Routes[i]
		rr.Repeats = nil
		for k := range n {
			f := rr.Figures()
			more := 1 + by*(float64(k)-float64(n-1)/2)/float64(n)
			f.Throughput, f.Goodput = f.Throughput*more, f.Goodput*more
			for _, d := range []*time.Duration{&f.Elapsed, &f.Latency.Mean, &f.Latency.P50, &f.Latency.P90, &f.Latency.P99,
				&f.Time.ThreadWait, &f.Time.PoolWait, &f.Time.Busy, &f.Holds.Held.Mean} {
				*d = time.Duration(float64(*d) / more)
			}
			rr.Repeats = append(rr.Repeats, f)
		}
	}
	return r
}

// slower has a tenth less throughput in its third route, other settings, and a route
// that A has not in place of one that it has.
func slower() *experiment.Result {
	r := measured()
	r.Version, r.Warnings = "0.2.0", append(r.Warnings, "Something else ran on this machine.")
	r.Settings.Rate, r.Settings.PgBouncer, r.Settings.Postgres = 110, 5, "18.1"
	own := r.Settings
	own.Slow, own.Accounts = time.Second, 7
	r.Routes[0].Settings = &own
	r.Routes[2].Throughput *= 0.9
	r.Routes[3].Name = "commit_before_call"
	r.Routes[0].Connections.Max = 14
	r.Routes[1].Outcomes.PoolTimeout = 3
	return r
}

func sides(a, b *experiment.Result) *Comparison {
	return Compare(Side{"runs/a", a}, Side{"runs/b", b})
}

func TestComparison_golden(t *testing.T) {
	text := func(o TextOptions) func(*Comparison, io.Writer) error {
		return func(c *Comparison, w io.Writer) error { return c.Text(w, o) }
	}
	single := func() *Comparison { return sides(measured(), slower()) }
	repeated := func() *Comparison { return sides(repeat(measured(), 6, 0.01), repeat(slower(), 6, 0.02)) }
	few := func() *Comparison { return sides(repeat(measured(), 3, 0.01), repeat(slower(), 2, 0.02)) }
	seed := func() *Comparison {
		return Compare(Side{"runs/a", measured()}, Side{"seed", experiment.Seed()})
	}
	for file, c := range map[string]struct {
		of    func() *Comparison
		write func(*Comparison, io.Writer) error
	}{
		"compare_single.txt":         {single, text(TextOptions{})},
		"compare_repeated.txt":       {repeated, text(TextOptions{})},
		"compare_repeated_color.txt": {repeated, text(TextOptions{Color: true})},
		"compare_repeated_40.txt":    {repeated, text(TextOptions{Width: 40})},
		"compare_repeated.md":        {repeated, (*Comparison).Markdown},
		"compare_repeated.json":      {repeated, (*Comparison).JSON},
		"compare_few.txt":            {few, text(TextOptions{})},
		"compare_seed.txt":           {seed, text(TextOptions{})},
	} {
		t.Run(file, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.write(c.of(), &b); err != nil {
				t.Fatal(err)
			}
			golden.Equal(t, file, b.String())
		})
	}
}

// throughputs compares two routes of which only the throughput of each run is known.
func throughputs(a, b []float64) FigureComparison {
	result := func(vs []float64) *experiment.Result {
		rr := experiment.RouteResult{Name: "r", Requests: 1, Throughput: vs[0]}
		for _, v := range vs {
			rr.Repeats = append(rr.Repeats, experiment.Figures{Throughput: v})
		}
		return &experiment.Result{Kind: experiment.Measured, Routes: []experiment.RouteResult{rr}}
	}
	return sides(result(a), result(b)).Routes[0].Figures[0]
}

func TestCompare_verdicts(t *testing.T) {
	for name, c := range map[string]struct {
		a, b   []float64
		want   Verdict
		change float64
	}{
		"apart":                         {[]float64{10, 11, 12, 13}, []float64{5, 5.1, 6, 6.2}, Differs, -0.5174},
		"mixed":                         {[]float64{10, 11, 12, 13}, []float64{10.5, 11.5, 12.5, 9}, Noise, -0.0435},
		"equal":                         {[]float64{10, 10, 10}, []float64{10}, Same, 0},
		"apart, but three of each":      {[]float64{10, 11, 12}, []float64{5, 6, 7}, TooFew, -0.4545},
		"apart, three and five":         {[]float64{10, 11, 12}, []float64{5, 6, 7, 8, 9}, Differs, -0.3636},
		"apart, but one of them is one": {[]float64{10, 11, 12, 13, 14, 15}, []float64{5}, TooFew, -0.6},
		"one of each":                   {[]float64{10}, []float64{5}, TooFew, -0.5},
		"from nothing":                  {[]float64{0, 0, 0, 0}, []float64{5, 5, 5, 5}, Differs, math.NaN()},
		"to nothing":                    {[]float64{5, 5, 5, 5}, []float64{0, 0, 0, 0}, Differs, -1},
		"not a number":                  {[]float64{5}, []float64{math.NaN()}, Unknown, math.NaN()},
	} {
		f := throughputs(c.a, c.b)
		if f.Path != "throughput_per_s" || f.Verdict != c.want || !(math.Abs(f.Change-c.change) < 1e-4 || math.IsNaN(f.Change) && math.IsNaN(c.change)) {
			t.Errorf("%s: got %s, %s, %v; want %s, %v", name, f.Path, f.Verdict, f.Change, c.want, c.change)
		}
	}
}

func TestCompare_intervals(t *testing.T) {
	f := throughputs([]float64{3, 1, 2, 6, 5, 4}, []float64{1, 2, 3, 4, 5})
	if f.A.Runs != 6 || f.A.Median != 3.5 || f.A.Low != 1 || f.A.High != 6 {
		t.Errorf("of 1 to 6: got %+v", f.A)
	}
	if !math.IsInf(f.B.Low, -1) && !math.IsInf(f.B.High, 1) {
		t.Errorf("five runs are too few for an interval: got %+v", f.B)
	}
	if !slices.Equal(f.Warnings, []string{"need >= 6 samples for confidence interval at level 0.95"}) {
		t.Errorf("got the warnings %q", f.Warnings)
	}
}

func TestCompare_saysHowManyRunsAreNeeded(t *testing.T) {
	if enoughToCompare() != 4 || enoughForInterval() != 6 {
		t.Errorf("got %d and %d", enoughToCompare(), enoughForInterval())
	}
	notes := func(a, b int) string {
		return strings.Join(sides(repeat(measured(), a, 0.01), repeat(slower(), b, 0.02)).Notes, "\n")
	}
	if s := strings.Join(sides(measured(), slower()).Notes, "\n"); !strings.Contains(s, "one run of each, so nothing can be said about noise") || !strings.Contains(s, "--repeat 4 ") {
		t.Errorf("one of each: %s", s)
	}
	for _, c := range []struct {
		a, b      int
		want, not string
	}{
		{3, 3, "need >= 4 samples to detect a difference", "one run of each"},
		{1, 9, "need >= 4 samples to detect a difference", "one run of each"},
		{5, 5, "need >= 6 samples for confidence interval", "to detect a difference"},
		{6, 6, "would be said to differ", "need"},
	} {
		if s := notes(c.a, c.b); !strings.Contains(s, c.want) || strings.Contains(s, c.not) {
			t.Errorf("%d and %d runs: got %q, want %q", c.a, c.b, s, c.want)
		}
	}
}

func markdown(t *testing.T, c *Comparison) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Markdown(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCompare_settings(t *testing.T) {
	c := sides(measured(), slower())
	want := []Change{{"100 requests/s", "110 requests/s"}, {"no PgBouncer", "PgBouncer with 5 server connections"}, {"Postgres 15.18", "Postgres 18.1"}}
	if !slices.Equal(c.ForAll, want) {
		t.Errorf("for all: got %q, want %q", c.ForAll, want)
	}
	if got, want := c.Routes[0].Changes, []Change{{"slow call 2 s", "slow call 1 s"}, {"100 accounts", "7 accounts"}}; !slices.Equal(got, want) {
		t.Errorf("for one: got %q, want %q", got, want)
	}
	if len(c.Routes[1].Changes) != 0 || !slices.Equal(c.OnlyA, []string{"async_session_sleep_inside_session"}) || !slices.Equal(c.OnlyB, []string{"commit_before_call"}) {
		t.Errorf("got %+v, only in A %q, only in B %q", c.Routes[1].Changes, c.OnlyA, c.OnlyB)
	}
	if same := sides(measured(), measured()); len(same.ForAll) != 0 {
		t.Errorf("a result differs from itself: %q", same.ForAll)
	}
	one := measured()
	one.Settings.Rate = 200
	out := markdown(t, sides(measured(), one))
	if !strings.Contains(out, "## "+changedTitle+"\n\n- 100 requests/s → 200 requests/s\n") || strings.Contains(out, "The settings are the same.") {
		t.Errorf("one setting changed, and that says\n%s", out)
	}
	if f := sides(measured(), one).Routes[0].Figures[0]; f.A.Runs != 1 || f.B.Runs != 1 || !math.IsInf(f.A.Low, -1) || !math.IsInf(f.A.High, 1) {
		t.Errorf("one run of each is %+v and %+v", f.A, f.B)
	}
	// Where there is no route to ask, the results are.
	a, b := measured(), slower()
	a.Routes = nil
	if c := sides(a, b); !slices.Equal(c.ForAll, want) || len(c.Routes) != 0 || len(c.OnlyB) != 4 {
		t.Errorf("without routes: got %+v", c)
	}
	for format, write := range map[string]func(io.Writer) error{
		"text":     func(w io.Writer) error { return sides(a, b).Text(w, TextOptions{Width: 200}) },
		"Markdown": func(w io.Writer) error { return sides(a, b).Markdown(w) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil || !strings.Contains(out.String(), nothingSharedText) {
			t.Errorf("%s of results without a route in common: %v\n%s", format, err, out.String())
		}
	}
}

// What somebody else has published has no figures that vegeta does not print: they are
// not said to have been zero.
func TestCompare_publishedZerosAreUnknown(t *testing.T) {
	for _, f := range Compare(Side{"a", measured()}, Side{"seed", experiment.Seed()}).Routes[3].Figures {
		known := strings.HasPrefix(f.Path, "latency_s") || strings.HasPrefix(f.Path, "outcomes") ||
			slices.Contains([]string{"success_ratio", "throughput_per_s", "goodput_per_s", "elapsed_s"}, f.Path)
		if known != (f.B.Runs == 1) || known == (f.Verdict == Unknown) {
			t.Errorf("%s: %+v, %s", f.Path, f.B, f.Verdict)
		}
	}
}

// Every measure is at its path in the JSON of a route's result.
func TestCompare_pathsAreThoseOfTheJSON(t *testing.T) {
	rr := groups().Routes[3]
	rr.SuccessRatio, rr.Goodput, rr.Outcomes = 0.1, 0.2, experiment.Outcomes{OK: 3, ClientTimeout: 4, PoolTimeout: 5, Rejected: 6, Error: 7}
	rr.Time, rr.PerRequest = experiment.TimeSplit{ThreadWait: 1e9, PoolWait: 2e9, Busy: 3e9, Slow: 4e9}, experiment.PerRequest{Checkouts: 8, Statements: 9, RoundTrips: 10}
	ratio := 0.3
	rr.SilentRatio = &ratio
	rr.Updates.Retries, rr.Updates.CallsRepeated, rr.Updates.Lost = 11, 12, 13
	r := &experiment.Result{Routes: []experiment.RouteResult{rr}}
	figures := rr.Figures()
	for _, m := range measures {
		v, known := m.of(&figures)
		e, err := experiment.ParseExpectation(rr.Name + "." + m.path + "==0")
		if err != nil || !known {
			t.Errorf("%s: %v, known %v", m.path, err, known)
			continue
		}
		e.Value = v
		if met, got := e.Check(r); !met || v == 0 {
			t.Errorf("%s: got %v, the JSON has %s", m.path, v, got)
		}
	}
}

func TestComparison_JSONHasTheFigures(t *testing.T) {
	var b bytes.Buffer
	if err := sides(repeat(measured(), 6, 0.01), slower()).JSON(&b); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Kind   string
		A, B   struct{ Repeat int }
		Routes []struct {
			Name    string
			Figures []struct {
				Name string
				A, B struct {
					Runs   int
					Median float64
					Low    *float64
				}
				Change  float64 `json:"change_ratio"`
				Verdict Verdict
			}
		}
		OnlyA []string `json:"only_in_a"`
	}
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	f := doc.Routes[2].Figures[1]
	if doc.Kind != "comparison" || doc.A.Repeat != 6 || doc.B.Repeat != 0 || f.Name != "throughput_per_s" || f.A.Runs != 6 || f.B.Runs != 1 ||
		math.Abs(f.A.Median-71.489) > 1e-9 || f.A.Low == nil || f.B.Low != nil || f.Verdict != TooFew || math.Abs(f.Change+0.1) > 1e-9 {
		t.Errorf("got %+v", f)
	}
	if strings.Contains(b.String(), "null,\n  \"warnings\"") || len(doc.OnlyA) != 1 {
		t.Errorf("got %s", b.String())
	}
}

func TestReport_ofRepeatedRuns(t *testing.T) {
	r := repeat(measured(), 3, 0.3)
	if got := r.Command(); got != "pghold lab --repeat 3" {
		t.Errorf("got %q", got)
	}
	for name, want := range map[string]string{
		"runs.runs": "3", "runs.success: low": "100.0 %", "runs.throughput: low": "64.34/s", "runs.throughput: high": "78.64/s",
		"runs.latency p50: low": "1.821 s", "runs.latency p50: high": "2.226 s", "runs.latency p99: high": "2.238 s",
	} {
		if got, err := Figure(r, "async_session_sleep_outside_session", name); got != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
	}
	if s := markdownOf(t, r); !strings.Contains(s, "How far the runs were apart") || !strings.Contains(s, "each route run 3 times") {
		t.Errorf("got\n%s", s)
	}
	if s := textOf(t, measured(), TextOptions{}); strings.Contains(s, "runs were apart") {
		t.Error("a single run is said to be apart from others")
	}
}

func TestComparison_hostile(t *testing.T) {
	a, b := hostileResult(), hostileResult()
	b.Kind, b.Settings.Pool, b.Settings.Postgres = "other"+hostile, "other"+hostile, "other"+hostile
	b.Warnings = append(b.Warnings, "other"+hostile)
	b.Routes[0].Name += hostile
	own := a.Settings
	own.Pool = "**b** [x](http://evil) " + hostile
	b.Routes[1].Settings = &own
	c := Compare(Side{hostile, a}, Side{hostile, b})
	for _, o := range []TextOptions{{}, {Width: 80}, {Width: 40}, {Width: 1}, {Color: true}} {
		var out bytes.Buffer
		if err := c.Text(&out, o); err != nil {
			t.Fatal(err)
		}
		s := out.String()
		if o.Color {
			s = regexp.MustCompile("\x1b\\[(|1|2|31|32)m").ReplaceAllString(s, "")
		}
		for i, r := range s {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%+v: %q in %q", o, r, s[max(0, i-30):i+10])
			}
		}
	}
	// What differs for all routes is shown elsewhere than what differs for one.
	bare, changed := *a, *b
	bare.Routes, changed.Routes = nil, b.Routes[:1]
	changed.Settings.Pool, changed.Settings.Postgres = "**b** [x](http://evil)", "`code <script>"
	var page, doc bytes.Buffer
	for _, c := range []*Comparison{c, sides(&bare, &changed)} {
		if err := c.Markdown(&page); err != nil {
			t.Fatal(err)
		}
	}
	for _, live := range []string{"<script", "<!--", "[\x00-\x09\x0b-\x1f\x7f-\u009f\u202e]", `[^\\]\[x\]\(`, `[^\\]\*\*b`, "[^\\\\`]`code", `(?m)^- [-+#]`, `(?m)^- 1\. `} {
		if m := regexp.MustCompile(live).FindString(page.String()); m != "" {
			t.Errorf("%q is live Markdown", m)
		}
	}
	pipe := regexp.MustCompile(`(^|[^\\])\|`)
	columns := 0
	for l := range strings.SplitSeq(page.String(), "\n") {
		if !strings.HasPrefix(l, "|") {
			columns = 0
			continue
		}
		if got := len(pipe.FindAllString(l, -1)); columns != 0 && got != columns {
			t.Errorf("%d columns in a table of %d: %s", got, columns, l)
		} else {
			columns = got
		}
	}
	if err := c.JSON(&doc); err != nil || !json.Valid(doc.Bytes()) {
		t.Errorf("%v: %s", err, doc.String())
	}
	for _, r := range doc.String() {
		if unicode.IsControl(r) && r != '\n' {
			t.Errorf("%q stands in the document", r)
		}
	}
}

func TestComparison_takesAnything(t *testing.T) {
	odd := measured()
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e308} {
		odd.Routes[i].SuccessRatio, odd.Routes[i].Throughput, odd.Routes[i].Holds.BusyRatio = v, v, v
	}
	twice := measured()
	twice.Routes = append(twice.Routes, twice.Routes...)
	tiny := measured()
	tiny.Routes[3].Throughput = 1e-308
	many := repeat(measured(), 2000, 0.5)
	results := []*experiment.Result{{}, {Routes: []experiment.RouteResult{{}}}, measured(), odd, twice, tiny, many, interrupted(), partial(), groups(), experiment.Seed()}
	for i, a := range results {
		for k, b := range results {
			c := Compare(Side{"a", a}, Side{"b", b})
			var text, page, doc bytes.Buffer
			if err := c.Text(&text, TextOptions{}); err != nil {
				t.Fatal(err)
			}
			c.Markdown(&page)
			if a != odd && b != odd { // its settings and results are JSON in no case
				if err := c.JSON(&doc); err != nil {
					t.Errorf("%d, %d: %v", i, k, err)
				}
			}
			if s := text.String() + page.String() + doc.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
				t.Errorf("%d, %d: not a figure:\n%s", i, k, s)
			}
			for _, width := range []int{0, 30, 40, 57, 80, 200} {
				var b bytes.Buffer
				c.Text(&b, TextOptions{Width: width, Color: width%2 == 0})
				for l := range strings.SplitSeq(b.String(), "\n") {
					if got := lipgloss.Width(l); got > max(width, 30) && !(width == 0 && got <= 100) {
						t.Errorf("%d, %d, width %d: %d columns in %q", i, k, width, got, l)
					}
				}
			}
		}
	}
}
