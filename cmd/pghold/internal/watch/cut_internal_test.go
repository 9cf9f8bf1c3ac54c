package watch

import (
	"strings"
	"testing"
	"time"
)

// Of a text that ends within a value, and of one that was cut there, the shape has
// nothing of the value.
func TestStatement_WithoutItsEnd(t *testing.T) {
	for text, want := range map[string]string{
		"select 'secret":                  "SELECT ?",
		"select e'secret":                 "SELECT e ?",
		"select $$secret":                 "SELECT",
		"select $x$ secret $$ $":          "SELECT",
		"select 1 /* secret":              "SELECT ?",
		"select 1 -- secret":              "SELECT ?",
		"select a from b where c = 123":   "SELECT a FROM b WHERE c = ?",
		"select $1, $$secret$$, 'it''s'":  "SELECT $1, ?, ?",
		"select \"a b\" from \"c\".\"d":   "SELECT \"a b\" FROM",
		"select 1 /*route='%2Fa'*/ + $$s": "SELECT ? +",
	} {
		l := New(time.Now())
		if got := l.Prepare([]byte(text)).Shape(); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
		s := l.Open(Client{})
		s.Cut([]byte(text))
		if got := l.statement(&s.last).Shape(); got != want+"…" {
			t.Errorf("%s, cut: got %q, want %q", text, got, want+"…")
		}
		s.Text([]byte(text)) // another one
		if got := l.statement(&s.last).Shape(); got != want {
			t.Errorf("%s, and now whole: got %q, want %q", text, got, want)
		}
	}
	long := "do $$" + strings.Repeat("secret ", MaxText) + "$$"
	if got, want := New(time.Now()).Prepare([]byte(long)).Shape(), "do…"; got != want {
		t.Errorf("a text longer than is looked at: got %q, want %q", got, want)
	}
	if got, want := New(time.Now()).Prepare([]byte("select 1 /*route='%2Fa'*/ + $$s")).Route(), "/a"; got != want {
		t.Errorf("route: got %q, want %q", got, want)
	}
}
