package load

import (
	"context"
	"errors"
	"go/ast"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLoad_own_and_dependencies(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
require (
	example.com/local v1.0.0
	example.com/dep v1.0.0
)
replace example.com/local => ./local
-- cmd/app/main.go --
package main
import "example.com/app/mail"
func main() { mail.Send() }
-- mail/mail.go --
package mail
import (
	"example.com/dep/quiet"
	"example.com/dep/web"
	"example.com/local"
)
func Send() { local.F(); web.F(); quiet.F() }
-- other/other.go --
package other
-- local/go.mod --
module example.com/local
-- local/local.go --
package local
func F() {}
-- vendor/modules.txt --
# example.com/dep v1.0.0
## explicit; go 1.26
example.com/dep/web
example.com/dep/quiet
example.com/dep/below
# example.com/local v1.0.0 => ./local
## explicit
example.com/local
# example.com/local => ./local
-- vendor/example.com/local/local.go --
package local
func F() {}
-- vendor/example.com/dep/web/web.go --
package web
import "example.com/dep/below"
func F() { below.F() }
-- vendor/example.com/dep/below/below.go --
package below
import "net/http"
func F() { http.Get("") }
-- vendor/example.com/dep/quiet/quiet.go --
package quiet
import "strings"
func F() { strings.ToUpper("") }
`)
	t.Setenv("GOFLAGS", "-mod=vendor")
	l := mustLoad(t, Options{Dir: dir, Patterns: []string{"./cmd/..."}})
	wantTexts(t, "errors", l.Errors)
	wantTexts(t, "unread", l.Unread)
	for path, want := range map[string]struct{ own, root bool }{
		"example.com/app/cmd/app": {true, true},
		"example.com/app/mail":    {true, false},
		"example.com/local":       {true, false},
		"example.com/dep/web":     {false, false},
		"net/http":                {false, false},
	} {
		s := l.find(t, path)
		if s.Own != want.own || s.Root != want.root {
			t.Errorf("%s: got own %v, root %v; want %v, %v", path, s.Own, s.Root, want.own, want.root)
		}
		if (s.Files != nil) != want.own || (s.Info != nil) != want.own {
			t.Errorf("%s has files %v and info %v at the end; it is the repository's own: %v", path, s.Files != nil, s.Info != nil, want.own)
		}
	}
	if want := []string{"example.com/dep/below", "example.com/dep/web"}; !slices.Equal(l.called, want) {
		t.Errorf("dependencies with bodies: got %v, want %v", l.called, want)
	}
	l.wantBodies(t, map[string]bool{"example.com/dep/web.F": true, "example.com/dep/below.F": true})
	if slices.ContainsFunc(l.Packages, func(s *Package) bool { return s.Path == "example.com/app/other" }) {
		t.Error("a package that nothing imports was read")
	}
}

func TestLoad_drops_bodies_of_dependencies(t *testing.T) {
	dir := tree(t, `
-- src/app/app.go --
package app
import "dep"
func F() { dep.F() }
-- src/dep/dep.go --
package dep
import "os/exec"
func F() { exec.Command("true").Run() }
`)
	t.Setenv("GO111MODULE", "off")
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPATH", dir)
	var kept *ast.FuncDecl
	_, err := Read(t.Context(), Options{Dir: filepath.Join(dir, "src/app")}, func(_ *Program, s *Package) {
		kept = s.Files[0].Decls[1].(*ast.FuncDecl)
		if kept.Body == nil {
			t.Error("no body while the dependency is looked at")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if kept == nil || kept.Body != nil {
		t.Error("the body is still there after the dependency was looked at")
	}
}

func TestLoad_GOPATH_mode(t *testing.T) {
	dir := tree(t, `
-- src/app/app.go --
package app
import ("example.com/dep"; "app/inner")
func F() { dep.F(); inner.F() }
-- src/app/inner/inner.go --
package inner
func F() {}
-- src/app/vendor/example.com/dep/dep.go --
package dep
import "net"
func F() { net.Dial("", "") }
`)
	t.Setenv("GO111MODULE", "off")
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPATH", dir)
	l := mustLoad(t, Options{Dir: filepath.Join(dir, "src/app"), Patterns: []string{"app"}})
	if s := l.find(t, "app"); !s.Own || !s.Root {
		t.Errorf("app: own %v, root %v", s.Own, s.Root)
	}
	if s := l.find(t, "app/inner"); !s.Own || s.Root {
		t.Errorf("app/inner: own %v, root %v", s.Own, s.Root)
	}
	if s := l.find(t, "example.com/dep"); s.Own {
		t.Error("a vendored package is the repository's own")
	}
	l.wantBodies(t, map[string]bool{"app.F": true, "app/inner.F": true, "example.com/dep.F": true})
}

func TestLoad_generics(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
-- a.go --
package a

import "iter"

type List[T any] struct { items []T }

func (l *List[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, item := range l.items {
			if !yield(item) { return }
		}
	}
}

type Set[T comparable] = map[T]struct{}

func Collect[T comparable](seq iter.Seq[T]) Set[T] {
	s := Set[T]{}
	for x := range seq { s[x] = struct{}{} }
	return s
}

func F() { Collect((&List[string]{}).All()) }
`)
	l := mustLoad(t, Options{Dir: dir})
	wantTexts(t, "errors", l.Errors)
	l.wantBodies(t, map[string]bool{"example.com/app.All": true, "example.com/app.Collect": true, "example.com/app.F": true})
}

func TestLoad_language_version(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.17
-- a.go --
package a

func F[T interface{}]() {}
`)
	l := mustLoad(t, Options{Dir: dir})
	wantTexts(t, "errors", l.Errors, "a.go:3:8: type parameter requires go1.18 or later")
}

const withTests = `
-- go.mod --
module example.com/app
go 1.26
-- a/a.go --
package a
import "example.com/app/c"
type T struct{}
func F() { c.F() }
-- a/a_test.go --
package a
import "testing"
func Internal(t *testing.T) { F() }
-- a/ext_test.go --
package a_test
import (
	"testing"
	"example.com/app/a"
	"example.com/app/b"
)
func External(t *testing.T) { a.Internal(t); b.Take(a.T{}) }
-- b/b.go --
package b
import "example.com/app/a"
func Take(a.T) {}
-- c/c.go --
package c
func F() {}
-- c/c_test.go --
package c
import (
	"example.com/app/d"
	"testing"
)
func InC(t *testing.T) { d.F() }
-- c/ext_test.go --
package c_test
import (
	"example.com/app/c"
	"testing"
)
func ExtC(t *testing.T) { c.InC(t) }
-- d/d.go --
package d
func F() {}
-- d/d_test.go --
package d
import (
	"example.com/app/c"
	"testing"
)
func InD(t *testing.T) { c.F() }
`

func TestLoad_without_tests(t *testing.T) {
	l := mustLoad(t, Options{Dir: tree(t, withTests)})
	l.wantBodies(t, map[string]bool{"example.com/app/a.F": true, "example.com/app/a.Internal": false, "example.com/app/a_test.External": false})
}

func TestLoad_tests(t *testing.T) {
	l := mustLoad(t, Options{Dir: tree(t, withTests), Tests: true})
	wantTexts(t, "errors", l.Errors)
	wantTexts(t, "unread", l.Unread)
	l.wantBodies(t, map[string]bool{
		"example.com/app/a.F": true, "example.com/app/a.Internal": true, "example.com/app/a_test.External": true,
		"example.com/app/c.InC": true, "example.com/app/c_test.ExtC": true, "example.com/app/d.InD": true,
	})
	// a is there once, with its tests. Since the tests of c and d import each other,
	// one of the two is there twice, and findings are about the one with the tests.
	if s := l.find(t, "example.com/app/a"); !s.Root || len(s.Files) != 2 {
		t.Errorf("a: got root %v with %d files, want true with 2", s.Root, len(s.Files))
	}
	roots := map[string]int{}
	for _, s := range l.Packages {
		if s.Root {
			roots[s.Path]++
			if strings.HasSuffix(s.Path, ".test") {
				t.Errorf("%s is the main package of a test", s.Path)
			}
		}
	}
	for path, n := range roots {
		if n != 1 {
			t.Errorf("%s is a root %d times", path, n)
		}
	}
	if len(roots) != 6 {
		t.Errorf("got roots %v, want a, b, c, d, a_test, c_test", roots)
	}
}

func TestLoad_workspace(t *testing.T) {
	dir := tree(t, `
-- go.work --
go 1.26
use ./one
use ./two
-- one/go.mod --
module example.com/one
go 1.26
-- one/one.go --
package one
import "example.com/two"
func F() { two.F() }
-- two/go.mod --
module example.com/two
go 1.26
-- two/two.go --
package two
func F() {}
`)
	t.Setenv("GOFLAGS", "")
	l := mustLoad(t, Options{Dir: filepath.Join(dir, "one")})
	wantTexts(t, "errors", l.Errors)
	if s := l.find(t, "example.com/two"); !s.Own || s.Root {
		t.Errorf("the other module of the workspace: got own %v, root %v; want true, false", s.Own, s.Root)
	}
}

func TestLoad_build_tags(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
-- a.go --
package a
-- tagged.go --
//go:build special

package a

func Tagged() {}
`)
	t.Setenv("GOFLAGS", "-tags=special")
	mustLoad(t, Options{Dir: dir}).wantBodies(t, map[string]bool{"example.com/app.Tagged": true})
	t.Setenv("GOFLAGS", "")
	mustLoad(t, Options{Dir: dir}).wantBodies(t, map[string]bool{"example.com/app.Tagged": false})
}

func TestLoad_nothing_to_read(t *testing.T) {
	for _, test := range []struct{ name, files, pattern, want string }{
		{"no module", "-- a.go --\npackage a\n", "./...", "there is no go.mod"},
		{"no match", "-- go.mod --\nmodule m\n-- a.go --\npackage m\n", "./nowhere/...", "no packages with Go files match ./nowhere/..."},
		{"broken go.mod", "-- go.mod --\nmodul m\n-- a.go --\npackage m\n", "./...", "errors parsing go.mod"},
		{"no files", "-- go.mod --\nmodule m\n", "./...", "no packages with Go files match ./..."},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Read(t.Context(), Options{Dir: tree(t, test.files), Patterns: []string{test.pattern}}, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestLoad_embedded_files_may_be_absent(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
-- a.go --
package a

import "embed"

//go:embed dist/*
var dist embed.FS

func F() {}
`)
	l := mustLoad(t, Options{Dir: dir})
	wantTexts(t, "errors", l.Errors)
	l.wantBodies(t, map[string]bool{"example.com/app.F": true})
}

func TestLoad_cancelled(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
-- a.go --
package a
import "net/http"
func F() { http.Get("") }
`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Read(ctx, Options{Dir: dir}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("before it starts: got %v, want %v", err, context.Canceled)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	_, err := Read(ctx, Options{Dir: dir, Progress: func(text string) {
		if strings.HasPrefix(text, "reading") {
			cancel()
		}
	}}, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("while it reads: got %v, want %v", err, context.Canceled)
	}
}

func TestLoad_progress(t *testing.T) {
	var said []string
	dir := tree(t, "-- go.mod --\nmodule m\n-- a.go --\npackage m\n")
	if _, err := Read(t.Context(), Options{Dir: dir, Progress: func(text string) { said = append(said, text) }}, nil); err != nil {
		t.Fatal(err)
	}
	if want := []string{"listing packages", "reading 1 packages"}; !slices.Equal(said, want) {
		t.Errorf("got %q, want %q", said, want)
	}
}
