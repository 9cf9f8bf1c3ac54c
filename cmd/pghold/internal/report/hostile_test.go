package report

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
)

// hostile is text as nobody should be able to bring to a terminal or a page.
const hostile = "a\x1b[31mred\x1b]8;;http://evil\x07link\nb\r\t| <script>alert(1)</script> `code` [x](http://evil) \u009b2J \u202e ![i](x) **b** $(rm -rf ~) '; ls &amp; \xff\x00"

func hostileResult() *experiment.Result {
	r := partial()
	r.Kind, r.Version, r.Settings.Pool, r.Settings.Postgres = hostile, hostile, hostile, hostile
	r.Routes = append(r.Routes, r.Routes[1])
	r.Routes[2].Name = hostile
	r.Routes[2].Errors = map[string]int{hostile: 2}

	r.Routes[2].NotPredicted = hostile
	r.Routes[1].Predicted = experiment.NewPrediction(&r.Routes[1], &r.Routes[1])
	r.Routes[1].Predicted.Note, r.Routes[1].Predicted.Error[hostile] = hostile, 1

	// A variant of a group, each text of its own.
	g := groups().Routes
	g[0].Name, g[0].Route = hostile+"@"+hostile, hostile
	own := *g[0].Settings
	own.Pool, own.SlowShape, own.Postgres = "**b** [x](http://evil) \x1b"+hostile, "`code <script>\x07 | "+hostile, hostile
	g[0].Settings = &own
	g[3].Name = hostile + "@20ms"
	r.Routes = append(r.Routes, g...)
	r.Conclusions = []experiment.Conclusion{
		{About: hostile, Cases: []string{hostile, "b"}, Sentence: hostile}, {Cases: []string{"- a"}, Sentence: "**b** <script> 1. \x1b"},
	}
	r.Routes[0].Interval = map[string][2]float64{"success_ratio": {0, 1}}
	r.Warnings = []string{hostile, "# a title", "1. a list", "- a list", "+ a list", "    code", "=== ", "<!-- gone"}
	return r
}

func TestHostile_reachesNoTerminal(t *testing.T) {
	for _, o := range []TextOptions{{}, {Width: 80}, {Width: 40}, {Color: true}} {
		s := textOf(t, hostileResult(), o)
		if o.Color { // our own sequences only colour
			s = regexp.MustCompile("\x1b\\[(|1|2|31|32)m").ReplaceAllString(s, "")
		}
		for i, r := range s {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%+v: %q in %q", o, r, s[max(0, i-30):i+10])
			}
		}
		if !strings.Contains(s, `\x1b[31mred`) && o.Width != 40 {
			t.Errorf("%+v: the escape sequence is not shown quoted:\n%s", o, s)
		}
	}
}

func TestHostile_reachesNoPage(t *testing.T) {
	s := markdownOf(t, hostileResult())
	page, command, _ := strings.Cut(s, "## Repeat it")
	for _, bad := range []string{"<script", "<!--", "\x1b", "\x07", "\u009b", "\u202e", "\x00", "\r"} {
		if strings.Contains(s, bad) && !strings.Contains(command, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	for _, live := range []string{`[^\\]\[x\]\(`, `[^\\]\*\*b`, "[^\\\\`]`code", `(?m)^- [-+#]`, `(?m)^- 1\. `} {
		if m := regexp.MustCompile(live).FindString(page); m != "" {
			t.Errorf("%q is live Markdown", m)
		}
	}

	// Every table keeps its columns: as many unescaped pipes in each row.
	pipe := regexp.MustCompile(`(^|[^\\])\|`)
	columns := 0
	for l := range strings.SplitSeq(page, "\n") {
		if !strings.HasPrefix(l, "|") {
			columns = 0
			continue
		}
		got := len(pipe.FindAllString(l, -1))
		if columns != 0 && got != columns {
			t.Errorf("%d columns in a table of %d: %s", got, columns, l)
		}
		columns = got
	}

	// The command is one line in its fence, and the shell runs nothing in it.
	lines := strings.Split(strings.TrimSpace(command), "\n")
	if len(lines) != 3 || lines[0] != "```sh" || lines[2] != "```" {
		t.Fatalf("the command is not one line in a fence:\n%s", command)
	}
	unquoted := regexp.MustCompile(`'[^']*'|\\'`).ReplaceAllString(lines[1], "")
	if strings.ContainsAny(unquoted, "$`|<>;&~()'") {
		t.Errorf("the shell would act on %q of %q", unquoted, lines[1])
	}
}

func TestHostile_staysInItsJSONString(t *testing.T) {
	var b bytes.Buffer
	if err := experiment.WriteResult(&b, hostileResult()); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if !unicode.IsPrint(r) && r != '\n' {
			t.Errorf("%q stands in the document", r)
		}
	}
	var back experiment.Result
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if want := strings.ToValidUTF8(hostile, "\uFFFD"); back.Warnings[0] != want {
		t.Errorf("got %q, want %q", back.Warnings[0], want)
	}
}
