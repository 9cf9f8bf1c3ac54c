package load

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

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
