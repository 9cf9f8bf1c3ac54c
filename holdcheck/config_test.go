package holdcheck

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), ".pghold.json")
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadConfig(t *testing.T) {
	got, err := ReadConfig(configFile(t, `{
		"slow": [{"func": "(*example.com/app/mail.Sender).Send", "severity": "medium", "kind": "mail"}, {"func": "example.com/app/pay.*"}],
		"fast": ["(example.com/app/cache.Client).Get", "gopkg.in/cache.v2.Get"],
		"openers": [{"func": "(*example.com/app/store.Store).InTx", "callback": 2}, {"func": "example.com/app/store.Open", "closers": ["Done"]}]
	}`))
	want := Config{
		Slow:    []SlowFunc{{"(*example.com/app/mail.Sender).Send", Medium, Mail}, {"example.com/app/pay.*", "", ""}},
		Fast:    []string{"(example.com/app/cache.Client).Get", "gopkg.in/cache.v2.Get"},
		Openers: []Opener{{"(*example.com/app/store.Store).InTx", 2, nil}, {"example.com/app/store.Open", 0, []string{"Done"}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A mistake is one sentence, with the file and the place in it.
func TestReadConfig_Mistakes(t *testing.T) {
	for text, want := range map[string]string{
		`{"slwo": []}`: `unknown field "slwo"`,
		`{"slow": [{"func": "a.B", "severity": "urgent"}]}`:                   `slow[0].severity is "urgent": want high, medium or low`,
		`{"slow": [{"func": "a.B"}, {"func": "a.C", "kind": "htpp"}]}`:        `slow[1].kind is "htpp": want one of http, rpc, `,
		`{"slow": [{"severity": "high"}]}`:                                    "slow[0].func is missing",
		`{"slow": [{"func": "Send"}]}`:                                        `slow[0].func is "Send": want the full name`,
		`{"fast": ["*example.com/app.Send"]}`:                                 `fast[0] is "*example.com/app.Send"`,
		`{"fast": ["example.com/*/app.Send"]}`:                                "with * only at its end",
		`{"fast": [""]}`:                                                      "fast[0] is missing",
		`{"fast": "a.B"}`:                                                     "fast is a string: want a list",
		`{"openers": [{"func": "a.B", "callback": -1}]}`:                      "openers[0].callback is -1",
		`{"openers": [{"func": "a.B", "callback": 1, "closers": ["Close"]}]}`: "openers[0] has a callback and closers",
		`{"openers": [{"func": "a.B", "closers": [""]}]}`:                     "openers[0].closers has an empty name",
		"{\n  \"fast\": [],\n}":                                               "line 3 is no JSON",
		`{"fast": []`:                                                         "ends too early",
		`{} {}`:                                                               "something after the JSON document",
		`[]`:                                                                  "the document is an array: want an object",
	} {
		file := configFile(t, text)
		_, err := ReadConfig(file)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), file+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	if _, err := ReadConfig(filepath.Join(t.TempDir(), "none.json")); err == nil {
		t.Error("a file that is not there is read")
	}
}
