package load

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/ssa"
	"golang.org/x/tools/txtar"
)

// tree writes files in the form of package txtar into a new folder.
func tree(t *testing.T, text string) string {
	t.Helper()
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOWORK", "")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range txtar.Parse([]byte(text)).Files {
		name := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loaded is a program, and what there was to be seen while it was loaded.
type loaded struct {
	*Program
	called []string // dependencies, in the order of the calls
	bodies map[string]bool
}

func mustLoad(t *testing.T, o Options) *loaded {
	t.Helper()
	l := &loaded{bodies: map[string]bool{}}
	var mu sync.Mutex
	p, err := Read(t.Context(), o, func(p *Program, s *Package) {
		mu.Lock()
		defer mu.Unlock()
		l.called = append(l.called, s.Path)
		for _, file := range s.Files {
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
					l.bodies[s.Path+"."+f.Name.Name] = true
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Program = p
	seen := map[*types.Package]bool{}
	for _, s := range p.Packages {
		for _, imported := range s.Types.Imports() {
			if !seen[imported] {
				t.Errorf("%s comes before %s, which it imports", s.Path, imported.Path())
			}
		}
		seen[s.Types] = true
		if s.Own {
			for _, file := range s.Files {
				for _, decl := range file.Decls {
					if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
						l.bodies[s.Path+"."+f.Name.Name] = true
					}
				}
			}
		}
	}
	l.build(t)
	return l
}

// build makes SSA of all packages that have files: it panics where something that it
// needs is not there.
func (l *loaded) build(t *testing.T) {
	t.Helper()
	prog := ssa.NewProgram(l.Fset, ssa.InstantiateGenerics|ssa.SanityCheckFunctions)
	for _, s := range l.Packages {
		prog.CreatePackage(s.Types, s.Files, s.Info, true)
	}
	for _, s := range l.Packages {
		if s.Files != nil {
			prog.Package(s.Types).Build()
		}
	}
}

func (l *loaded) find(t *testing.T, path string) *Package {
	t.Helper()
	var found *Package
	for _, s := range l.Packages {
		if s.Path == path {
			if found != nil {
				t.Errorf("%s is there twice", path)
			}
			found = s
		}
	}
	if found == nil {
		t.Fatalf("%s was not read", path)
	}
	return found
}

func (l *loaded) wantBodies(t *testing.T, want map[string]bool) {
	t.Helper()
	for name, there := range want {
		if l.bodies[name] != there {
			t.Errorf("body of %s was read: got %v, want %v", name, l.bodies[name], there)
		}
	}
}

func wantTexts(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d, want %d:\n%s", what, len(got), len(want), strings.Join(got, "\n"))
		return
	}
	for i := range got {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%s: got %q, want %q", what, got[i], want[i])
		}
	}
}

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

func TestLoad_missing_import(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
-- a/a.go --
package a

import (
	"example.com/absent/go-redis/v9"
	"net/http"
)

type Store struct {
	client *redis.Client
	name   string
}

var shared = redis.NewClient(&redis.Options{})
var fine = http.DefaultClient

const limit = redis.Limit

func New() *Store { return &Store{client: shared} }

func (s *Store) Name() string { http.Get(s.name); return s.name }

func (s *Store) Ping() { s.client.Ping() }

func Use(c *redis.Client) {}

func init() { redis.Setup() }

func Generic[T redis.Constraint](x T) T { return x }

func Calls() { Use(nil) }

type Conn interface{ Client() *redis.Client }

func From[C Conn](pool interface{ Acquire() C }) int { return 1 }
-- b/b.go --
package b

import "example.com/app/a"

type Wrapped struct { *a.Store; other a.Missing }

func F() string { return a.New().Name() }

func G() int { return Generic(a.Generic[int]) }

type conn struct{}

func (conn) Client() *int { return nil }

type pool struct{}

func (pool) Acquire() conn { return conn{} }

func H() int { return a.From(pool{}) }

func Generic[F func(T) T, T any](f F) T { var zero T; return f(zero) }
`)
	l := mustLoad(t, Options{Dir: dir})
	wantTexts(t, "errors", l.Errors,
		"a/a.go:4:2: no required module provides package example.com/absent/go-redis/v9",
		"b/b.go:5:41: undefined: a.Missing")
	l.wantBodies(t, map[string]bool{
		"example.com/app/a.Name": true, "example.com/app/a.Ping": false, "example.com/app/a.New": false,
		"example.com/app/a.Use": false, "example.com/app/a.init": false, "example.com/app/b.F": true,
	})
	if len(l.Unread) == 0 || !strings.Contains(l.Unread[0], "Store.Ping") {
		t.Errorf("what was not read: got %q, want Store.Ping among it", l.Unread)
	}
}

func TestLoad_type_errors(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
-- a/a.go --
package a

func Good() int { return one }

func Bad() int { return "one" }

func Unused() { x := 1 }

func Twice() {}

func Twice() {}

const one, two = 1, undefined

var table = map[string]func(){"bad": func() { missing() }}

type T struct{ T }

func (T) Method() int { return nothing }

func (Nowhere) Method() {}

func (t T) Fine() {}

func init() { undefined() }

func init() {}

var _ = one + "x"
`)
	l := mustLoad(t, Options{Dir: dir})
	wantTexts(t, "errors", l.Errors,
		`a/a.go:11:6: Twice redeclared in this block`,
		"a/a.go:13:21: undefined: undefined",
		"a/a.go:15:47: undefined: missing",
		"a/a.go:17:6: invalid recursive type: T",
		"a/a.go:19:32: undefined: nothing",
		"a/a.go:21:7: undefined: Nowhere",
		"a/a.go:25:15: undefined: undefined",
		"a/a.go:29:",
		`a/a.go:5:25: cannot use "one"`,
		"a/a.go:7:17: declared and not used: x",
	)
	l.wantBodies(t, map[string]bool{
		"example.com/app/a.Good": true, "example.com/app/a.Bad": false, "example.com/app/a.Unused": true,
		"example.com/app/a.Twice": true, "example.com/app/a.init": true, "example.com/app/a.Method": false,
	})
	if len(l.Errors) > 0 && !strings.Contains(l.Errors[0], "\n\ta/a.go:9:6: other declaration of Twice") {
		t.Errorf("the other place is not in %q", l.Errors[0])
	}
}

func TestLoad_parse_error(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
-- a/a.go --
package a

func Bad() { if }

func Good() { println() }

func Worse() int {
	return = 1
}
-- a/b.go --
package a

func Other() { Good() }
-- b/b.go --
package b

import "example.com/app/a"

func F() { a.Other(); a.Nowhere() }

func G() { a.Good() }
`)
	l := mustLoad(t, Options{Dir: dir})
	wantTexts(t, "errors", l.Errors, "a/a.go:3:17: ", "a/a.go:8:9: ")
	wantTexts(t, "unread", l.Unread,
		"example.com/app/a: not read, since it does not compile: Bad, Worse",
		"example.com/app/b: not read, since it uses what could not be read: F")
	l.wantBodies(t, map[string]bool{
		"example.com/app/a.Bad": false, "example.com/app/a.Good": true, "example.com/app/a.Other": true,
		"example.com/app/b.F": false, "example.com/app/b.G": true,
	})
}

func TestLoad_errors_of_dependencies_are_silent(t *testing.T) {
	dir := tree(t, `
-- src/app/app.go --
package app
import "dep"
func F() { dep.Good() }
-- src/dep/dep.go --
package dep
import ("os/exec"; "absent")
func Good() { exec.Command("true").Run() }
func Bad() { absent.F() }
func Worse() { 
`)
	t.Setenv("GO111MODULE", "off")
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPATH", dir)
	l := mustLoad(t, Options{Dir: filepath.Join(dir, "src/app")})
	wantTexts(t, "errors", l.Errors)
	wantTexts(t, "unread", l.Unread)
	l.wantBodies(t, map[string]bool{"app.F": true, "dep.Good": true, "dep.Bad": false})
}

func TestLoad_cgo(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
-- a.go --
package a

// #include <stdlib.h>
// #define ANSWER 42
import "C"

import "net/http"

type handle struct{ p *C.void }

const answer = C.ANSWER

func Random() int { return int(C.rand()) }

func Answer() int { return answer }

func Fetch(h *handle) { http.Get("") }
`)
	t.Setenv("CGO_ENABLED", "1")
	l := mustLoad(t, Options{Dir: dir})
	wantTexts(t, "errors", l.Errors)
	wantTexts(t, "unread", l.Unread, "example.com/app: not read, since it uses cgo: Random, Answer")
	l.wantBodies(t, map[string]bool{"example.com/app.Fetch": true, "example.com/app.Random": false})
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

func TestLoad_import_cycle(t *testing.T) {
	dir := tree(t, `
-- go.mod --
module example.com/app
go 1.26
-- a/a.go --
package a
import "example.com/app/b"
func F() { b.F() }
-- b/b.go --
package b
import "example.com/app/a"
func F() { a.F() }
-- c/c.go --
package c
func F() {}
`)
	l := mustLoad(t, Options{Dir: dir})
	if !slices.ContainsFunc(l.Errors, func(e string) bool { return strings.Contains(e, "import cycle not allowed") }) {
		t.Errorf("got %q, want a word about the import cycle", l.Errors)
	}
	l.wantBodies(t, map[string]bool{"example.com/app/c.F": true})
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

func TestPossibleNames(t *testing.T) {
	for path, want := range map[string]string{
		"gopkg.in/yaml.v3":             "yaml",
		"github.com/redis/go-redis/v9": "redis",
		"github.com/x/nats.go":         "nats",
		"example.com/plain":            "plain",
		"github.com/plaid/plaid-go":    "plaid",
	} {
		if got := possibleNames(path); !slices.Contains(got, want) {
			t.Errorf("%s: got %v, want %s among them", path, got, want)
		}
	}
}

// What is left after blank must be the same declarations in the same places.
func TestBlank(t *testing.T) {
	const source = "package p\n" + `
import "fmt"

func plain() { return } // }

func (r *T) method(f func(struct{ a int }) interface{ M() }) struct{ b string } {
	// a } in a comment
	fmt.Println("}", '}', ` + "`}\n`" + `, '\'', "\"}") /* } */
	if x := (T{}); true {
	}
	var inner = []int{1}
}

func generic[P interface{ ~int | ~struct{ c int } }](p P) (q struct{ d P }) { return }

func outside(a, b int) int

var table = map[string]interface{}{"a": 1, "b": T{}}

var (
	counted  = [...]string{"x", "y"}
	lengthy  = [3]uint8{1, 2, 3}
	function = func() int { return 1 }
	called   = f(T{1}, func() { panic("") })
	typed    struct{ e int }
)

const c = len([2]int{})

type T struct{ f func() struct{} }

type I interface {
	M() (x struct{})
}
`
	blanked := []byte(source)
	blank(blanked)
	parse := func(source string) (*token.FileSet, *ast.File) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, "p.go", source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%v in\n%s", err, source)
		}
		return fset, file
	}
	_, before := parse(source)
	_, after := parse(string(blanked))
	if len(before.Decls) != len(after.Decls) {
		t.Fatalf("got %d declarations, want %d:\n%s", len(after.Decls), len(before.Decls), blanked)
	}
	for i, b := range before.Decls {
		a := after.Decls[i]
		if a.Pos() != b.Pos() || a.End() != b.End() {
			t.Errorf("declaration %d moved", i)
		}
		if f, ok := a.(*ast.FuncDecl); ok {
			head, body := b.End(), f.Body
			if body != nil {
				head = body.Lbrace
				if len(body.List) > 0 {
					t.Errorf("%s has a body", f.Name.Name)
				}
			}
			if got, want := string(blanked[b.Pos()-1:head-1]), source[b.Pos()-1:head-1]; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
	for _, kept := range []string{`[...]string{"x", "y"}`, "typed    struct{ e int }", "func outside(a, b int) int", "len([2]int{})", "M() (x struct{})"} {
		if !strings.Contains(string(blanked), kept) {
			t.Errorf("%s is gone:\n%s", kept, blanked)
		}
	}
	for _, gone := range []string{"panic", "return", "1, 2, 3", `"a"`, "inner"} {
		if strings.Contains(string(blanked), gone) {
			t.Errorf("%s is still there:\n%s", gone, blanked)
		}
	}
}

func TestDropData(t *testing.T) {
	many := strings.Repeat("-1, ", 100)
	for source, dropped := range map[string]bool{
		"var x = []int{" + many + "}":                                     true,
		"var x = [...]int{" + many + "}":                                  false, // its length is its type
		"var x = []int{1, 2}":                                             false,
		"var x = []func(){" + many + "func() {}}":                         false,
		"var x = []int{" + many + "f()}":                                  false,
		"var x = map[int]T{" + strings.Repeat(`1: {"a", 2}, `, 100) + "}": true,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p; "+source, 0)
		if err != nil {
			t.Fatal(err)
		}
		dropData(file)
		lit := file.Decls[0].(*ast.GenDecl).Specs[0].(*ast.ValueSpec).Values[0].(*ast.CompositeLit)
		if got := lit.Elts == nil; got != dropped {
			t.Errorf("%.40s: dropped %v, want %v", source, got, dropped)
		}
	}
}
