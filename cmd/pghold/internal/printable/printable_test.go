package printable

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestLine(t *testing.T) {
	for s, want := range map[string]string{
		"":                         "",
		"plain Grüße ✓":            "plain Grüße ✓",
		"a\x1b[31mb\x07":           `a\x1b[31mb\a`,
		"a\u009b31m\x7f":           `a\u009b31m\x7f`,
		"a\u202eb\u2066c\u200fd":   `a\u202eb\u2066c\u200fd`,
		"a\r\nb\tc  d\u2028e":      "a b c d e",
		"\xff\x00":                 "\ufffd\\x00",
		"::error::x":               `\x3a:error::x`,
		"\n ::error::x":            `\x3a:error::x`,
		"in the middle ::error::x": "in the middle ::error::x",
	} {
		if got := Line(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
	if got, want := Quote("a  b\u00a0\n"), `a  b\u00a0\n`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMessages(t *testing.T) {
	for message, want := range map[string]string{
		"":                            "",
		"\n":                          "\n",
		"a line\n":                    "a line\n",
		"\nSaved in x\n":              "\nSaved in x\n",
		"no line break":               "no line break",
		"a\x1b[2Jb\n":                 "a\\x1b[2Jb\n",
		"the server: a\npghold: b\n":  "the server: a pghold: b\n",
		"one of:\n  - a\n  - b\x1b\n": "one of:\n  - a\n  - b\\x1b\n",
		"its log:\n  ::error::x\n":    "its log:\n  \\x3a:error::x\n",
		"::add-mask::x\r\n::x\n":      "\\x3a:add-mask::x ::x\n",
	} {
		var b bytes.Buffer
		n, err := Messages{&b}.Write([]byte(message))
		if n != len(message) || err != nil || b.String() != want {
			t.Errorf("%q: got %q (%d, %v), want %q", message, b.String(), n, err, want)
		}
	}
}

func TestWhateverItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		var b bytes.Buffer
		Messages{&b}.Write([]byte(s))
		for _, text := range []string{Line(s), Quote(s), strings.ReplaceAll(b.String(), "\n", "")} {
			if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("%q: something does not print in %q", s, text)
			}
		}
		doc, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var plain, back string
		if err := json.Unmarshal(doc, &plain); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(JSON(doc), &back); err != nil || back != plain {
			t.Fatalf("%q is %q in %s: %v", plain, back, JSON(doc), err)
		}
		if strings.ContainsFunc(string(JSON(doc)), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Fatalf("something does not print in %q", JSON(doc))
		}
	})
}
