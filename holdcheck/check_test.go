package holdcheck

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"golang.org/x/tools/txtar"
)

// In a package that imports testing, what is a test's own is left out and told of;
// the rest is read as anywhere.
func TestCheck_testingInPackage(t *testing.T) {
	const slow = ` { tx, err := db.Begin(); if err != nil { return }; defer tx.Rollback(); http.Get("http://example.com") }
`
	files, err := txtar.FS(txtar.Parse([]byte(`
-- go.mod --
module example.com/app
go 1.26
-- a/a.go --
package a
import ("database/sql"; "net/http"; "testing")
var db *sql.DB
type suite struct { t *testing.T }
type base struct { *suite }
type teller interface { Helper(); Fatalf(string, ...any) }
type logger interface { Log(...any); Errorf(string, ...any) }
var inTests = testing.Testing()
func Serve()` + slow + `
func Logged(l logger)` + slow + `
func Pointer(t *testing.T)` + slow + `
func Interface(t testing.TB)` + slow + `
func Own(t teller)` + slow + `
func (s *suite) Field()` + slow + `
func (s base) Embedded()` + slow + `
func Closure(b *testing.B) { f := func()` + slow + `f() }
-- b/b.go --
package b
import ("database/sql"; "testing")
func Quiet(t *testing.T, db *sql.DB) {}
`)))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOWORK", "")
	found := func(o Options) (held []string, left []string) {
		t.Helper()
		o.Dir = dir
		r, err := Check(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			held = append(held, fmt.Sprintf("%s:%d", f.Hold.File, f.Hold.Line))
		}
		return held, r.LeftOut
	}
	held, left := found(Options{})
	if want := []string{"a/a.go:9", "a/a.go:11"}; !slices.Equal(held, want) {
		t.Errorf("found at %q, want %q: Serve and Logged", held, want)
	}
	if want := []string{"example.com/app/a: 6 slow calls in holds are left out, in functions for tests: Closure, Interface, Own, Pointer, (base).Embedded and 1 more"}; !slices.Equal(left, want) {
		t.Errorf("left out: %q, want %q", left, want)
	}
	if held, left := found(Options{Tests: true}); len(held) != 8 || len(left) != 0 {
		t.Errorf("with tests: found at %q and left out %q, want 8 and nothing", held, left)
	}
}
