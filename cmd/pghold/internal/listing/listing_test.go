package listing

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/golden"
	"github.com/pghold/pghold/holdcheck"
)

func ptr[T any](v T) *T { return &v }

// some is a result with everything in it.
func some() *holdcheck.Result {
	const app = "example.com/shop/internal/orders"
	pay := holdcheck.Finding{
		Message: "net/http.Client.Do is called while a transaction is held since checkout.go:41",
		Advice:  "Read what it needs, commit or release, make the call without a connection, and write the result in a second transaction.",
		Hold:    holdcheck.Place{File: "internal/orders/checkout.go", Line: 41, What: "sql.DB.BeginTx"},
		Calls: []holdcheck.SlowCall{{
			ID: id(app + ".(*Service).Checkout>" + app + ".charge"), Severity: holdcheck.High, Kind: holdcheck.HTTP,
			Place: holdcheck.Place{File: "internal/orders/charge.go", Line: 88, What: "http.Client.Do"},
			Chain: []holdcheck.Step{
				{File: "internal/orders/checkout.go", Line: 52, Func: app + ".(*Service).Checkout"},
				{File: "internal/orders/checkout.go", Line: 97, Func: app + ".(*Service).pay"},
				{File: "internal/orders/charge.go", Line: 88, Func: app + ".charge"},
			},
		}, {Kind: holdcheck.Mail}, {Kind: holdcheck.HTTP}, {Kind: holdcheck.HTTP}},
	}
	mail := holdcheck.Finding{
		Message: "redis.Client.Publish is called while a transaction is held since checkout.go:41",
		Advice:  "Send it after the commit.",
		Hold:    pay.Hold,
		Calls: []holdcheck.SlowCall{{
			ID: id(app + ".(*Service).Checkout>" + app + ".(*Service).Checkout"), Severity: holdcheck.Medium, Kind: holdcheck.Broker,
			Place: holdcheck.Place{File: "internal/orders/checkout.go", Line: 60, What: "redis.Client.Publish"},
			Chain: []holdcheck.Step{{File: "internal/orders/checkout.go", Line: 60, Func: app + ".(*Service).Checkout"}},
		}},
	}
	dependency := holdcheck.Finding{
		Message: "openai.Client.New is called while rows are held since main.go:7",
		Advice:  "Read the rows first.",
		Hold:    holdcheck.Place{File: "main.go", Line: 7, What: "pgxpool.Pool.Query"},
		Calls: []holdcheck.SlowCall{{
			ID: id("example.com/shop.main>example.com/shop.main"), Severity: holdcheck.High, Kind: holdcheck.Model,
			Place: holdcheck.Place{File: "example.com/sdk@v1.2.3/client.go", Line: 300, What: "openai.Client.New"},
			Chain: []holdcheck.Step{
				{File: "main.go", Line: 9, Func: "example.com/shop.main"},
				{File: "example.com/sdk@v1.2.3/client.go", Line: 300, Func: "example.com/sdk.Ask"},
			},
		}},
		Held: ptr(432.1),
	}
	unresolved := func(holder string, line int, what string) holdcheck.Finding {
		return holdcheck.Finding{
			Message: what + " could not be followed, and a transaction is held since hooks.go:3", Advice: "Look whether it can be slow.",
			Hold: holdcheck.Place{File: "internal/orders/hooks.go", Line: 3, What: "sql.DB.Begin"},
			Calls: []holdcheck.SlowCall{{
				ID: id(app + holder + ">" + app + holder), Severity: holdcheck.Low, Kind: holdcheck.Unresolved,
				Place: holdcheck.Place{File: "internal/orders/hooks.go", Line: line, What: what},
				Chain: []holdcheck.Step{{File: "internal/orders/hooks.go", Line: line, Func: app + holder}},
			}},
		}
	}
	return &holdcheck.Result{
		Findings: []holdcheck.Finding{
			dependency, pay, mail,
			unresolved(".Run", 10, "Hook.Before"), unresolved(".Run", 12, "f"), unresolved(".Run", 14, "g"), unresolved(".Run", 15, "h"),
			unresolved(".Stop", 30, "Hook.After"),
		},
		Ignored:    []holdcheck.Ignored{{Finding: mail, Reason: "meant"}},
		Errors:     []string{"internal/broken/a.go:3:1: undefined: x"},
		Unread:     []string{"example.com/shop/internal/broken does not compile."},
		LeftOut:    []string{"example.com/shop/storetest: 2 slow calls in holds are left out, in functions for tests: Conformance"},
		Complaints: []holdcheck.Remark{{File: "app.go", Line: 12, Text: "pghold:ignore needs a reason"}},
		Unused:     []holdcheck.Remark{{File: "app.go", Line: 20, Text: "pghold:ignore ignores nothing"}},
		Hidden:     2,
		OutOfDate:  []holdcheck.BaselineEntry{{ID: id("a>b"), Count: 1}, {ID: id("a>c"), Count: 1}},
		Shared: []holdcheck.Measured{{
			Hold: app + ".execTx", What: "POST pay.example.com/", File: "/src/shop/charge.go", Line: 88, Func: app + ".charge",
			Held: 12.5, Count: 4, Findings: []pghold.PlaceID{id("a>x"), id("b>x")},
		}},
		Unexplained: []holdcheck.Measured{{
			Route: "POST /orders", Hold: app + ".execTx", What: "GET plugins.example.com/", File: "/src/shop/plugin.go", Line: 5, Func: app + ".plugin.Run",
			Held: 0.0123, Count: 1,
		}},
	}
}

// hostile is a result with text in it that must not reach a terminal, or end a
// command.
func hostile() *holdcheck.Result {
	return &holdcheck.Result{
		Findings: []holdcheck.Finding{{
			Message: "100% \x1b[31mred\nsecond line ::error::no \u202e",
			Hold:    holdcheck.Place{File: "a,b:c.go", Line: 1, What: "x\x07"},
			Calls: []holdcheck.SlowCall{{
				ID: id("a>b"), Severity: holdcheck.High, Kind: holdcheck.Custom,
				Place: holdcheck.Place{File: "a,b:c.go", Line: 2, What: "y\r"},
				Chain: []holdcheck.Step{{File: "a,b:c.go", Line: 2, Func: "f\x1b"}},
			}},
		}},
		Unread:  []string{"50% of\nit\x1b]0;title\x07"},
		LeftOut: []string{"50% left\nout\x1b]0;title\x07"},
	}
}

func TestGolden(t *testing.T) {
	text := func(o TextOptions) func(io.Writer, *holdcheck.Result) error {
		return func(w io.Writer, r *holdcheck.Result) error { return Text(w, r, o) }
	}
	here := Options{Version: "v1.0.0"}
	below := Options{Folder: "backend"}
	for file, c := range map[string]struct {
		result *holdcheck.Result
		write  func(io.Writer, *holdcheck.Result) error
	}{
		"text.txt":           {some(), text(TextOptions{Left: 3, Leave: "--severity medium"})},
		"text_color.txt":     {some(), text(TextOptions{Color: true})},
		"text_50.txt":        {some(), text(TextOptions{Width: 50})},
		"nothing.txt":        {&holdcheck.Result{}, text(TextOptions{})},
		"hostile.txt":        {hostile(), text(TextOptions{})},
		"some.sarif":         {some(), func(w io.Writer, r *holdcheck.Result) error { return SARIF(w, r, here) }},
		"github.txt":         {some(), func(w io.Writer, r *holdcheck.Result) error { return GitHub(w, r, below) }},
		"hostile_github.txt": {hostile(), func(w io.Writer, r *holdcheck.Result) error { return GitHub(w, r, Options{}) }},
	} {
		t.Run(file, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.write(&b, c.result); err != nil {
				t.Fatal(err)
			}
			golden.Equal(t, file, b.String())
		})
	}
}

func TestText_WithoutColorHasNoEscapes(t *testing.T) {
	for _, r := range []*holdcheck.Result{some(), hostile()} {
		var b bytes.Buffer
		if err := Text(&b, r, TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\x07\r\u202e") {
			t.Errorf("control characters in %q", b.String())
		}
		for line := range strings.SplitSeq(b.String(), "\n") {
			if strings.HasSuffix(line, " ") {
				t.Errorf("a space at the end of %q", line)
			}
		}
	}
}

// What colours is all that colours add.
func TestText_ColorChangesNoWord(t *testing.T) {
	var plain, colored bytes.Buffer
	if err := Text(&plain, some(), TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Text(&colored, some(), TextOptions{Color: true}); err != nil {
		t.Fatal(err)
	}
	var stripped strings.Builder
	for i, part := range strings.Split(colored.String(), "\x1b[") {
		if i > 0 {
			_, part, _ = strings.Cut(part, "m")
		}
		stripped.WriteString(part)
	}
	if diff := cmp.Diff(plain.String(), stripped.String()); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(colored.String(), "\x1b[") {
		t.Error("there is no colour")
	}
}

// A command is one line, and its message cannot begin another.
func TestGitHub_ACommandIsOneLine(t *testing.T) {
	var b bytes.Buffer
	if err := GitHub(&b, hostile(), Options{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines, want one for the finding, one for what was not read and one for what was left out: %q", len(lines), lines)
	}
	if !strings.HasPrefix(lines[0], "::error file=a%2Cb%3Ac.go,line=2,title=pghold%3A custom while a connection is held::100%25 ") {
		t.Errorf("got %q", lines[0])
	}
}

// A file's name is a property of its command: it can end neither that nor the line, and
// a log shows it as it is.
func TestGitHub_AFilesNameIsAProperty(t *testing.T) {
	const name = "a\x1b[2Jb\u009b\u202e\r\nc,line=9::%0A x.go"
	place := holdcheck.Place{File: name, Line: 1, What: name}
	r := &holdcheck.Result{
		Findings: []holdcheck.Finding{{Message: name, Hold: place, Advice: name, Calls: []holdcheck.SlowCall{
			{Severity: holdcheck.High, Kind: holdcheck.Kind(name), Place: place}, {Kind: holdcheck.Kind(name)},
		}}},
		Complaints: []holdcheck.Remark{{File: name, Line: 2, Text: name}},
		Unused:     []holdcheck.Remark{{File: name, Line: 3, Text: name}},
		Unread:     []string{name},
	}
	var b bytes.Buffer
	if err := GitHub(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines, want 4: %q", len(lines), lines)
	}
	const file = `file=a\x1b[2Jb\u009b\u202e%0D%0Ac%2Cline=9%3A%3A%250A x.go,line=`
	for i, line := range lines {
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("something does not print in %q", line)
		}
		properties, _, _ := strings.Cut(line[2:], "::")
		if i < 3 && (!strings.Contains(properties, file) || strings.Count(properties, ",") != 2) {
			t.Errorf("got %q, want %q in the properties, and three of them", properties, file)
		}
	}
}

// id is a place's name from its text.
func id(text string) (id pghold.PlaceID) {
	if err := id.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return id
}
