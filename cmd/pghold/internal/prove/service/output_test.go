package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPrinted(t *testing.T) {
	many := strings.Repeat("a line\n", 20) + "the last\n\n"
	long := "begins " + strings.Repeat("x", 5000)
	for text, want := range map[string]string{
		"":                   "it has printed nothing",
		"\n \n":              "it has printed nothing",
		"one\r\n\n\x1b]0;x":  "the end of its output:\n  one\n  " + `\x1b]0;x`,
		many:                 "the end of its output:" + strings.Repeat("\n  a line", 11) + "\n  the last",
		long + "\nthe last":  "the end of its output:\n  the last",
		long:                 "the end of its output:\n  " + strings.Repeat("x", 4096),
		"s/cret, s%2Fcret\n": "the end of its output:\n  *****, *****",
	} {
		output := filepath.Join(t.TempDir(), "output")
		if err := os.WriteFile(output, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &Service{cfg: Config{Output: output, Env: []string{"PGUSER=one", "PGPASSWORD=s/cret"}}}
		if got := s.Printed(); got != want {
			t.Errorf("%.40q is\n%s, want\n%s", text, got, want)
		}
	}
}

func TestPrinted_WithoutAPassword(t *testing.T) {
	output := filepath.Join(t.TempDir(), "output")
	if err := os.WriteFile(output, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Service{cfg: Config{Output: output, Env: []string{"PGPASSWORD="}}}
	if got := s.Printed(); got != "the end of its output:\n  one" {
		t.Errorf("got %s", got)
	}
}
