package holdcheck

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/go/ssa"

	"github.com/pghold/pghold/holdcheck/internal/catalog"
	"github.com/pghold/pghold/holdcheck/internal/flow"
	"github.com/pghold/pghold/holdcheck/internal/load"
)

// FuzzCheck makes Go programs of bytes: transactions, closures, defers, loops, labels,
// goroutines, generics, all in each other. Whatever the program, Check must come to an
// end, must not panic, and must say the same twice. Where spoil is not 0, a part of
// the source is overwritten, so that it does not compile.
func FuzzCheck(f *testing.F) {
	for seed := range 24 {
		b := make([]byte, 60+30*seed)
		for i := range b {
			b[i] = byte((i + 1) * (2*seed + 7) * (i*i + seed) >> 3)
		}
		f.Add(b, uint16(0))
		f.Add(b, uint16(seed*97+1))
	}
	f.Fuzz(func(t *testing.T, b []byte, spoil uint16) {
		if len(b) > 2000 {
			t.Skip("long programs are no different, and take long")
		}
		source := generate(b)
		if spoil != 0 {
			source = spoiled(source, spoil)
		}
		defer func() {
			if p := recover(); p != nil {
				t.Fatalf("panic: %v\n%s\n%s", p, debug.Stack(), source)
			}
		}()
		// The slowest that was seen took a second.
		hangs := time.AfterFunc(2*time.Minute, func() { panic("it does not come to an end:\n" + source) })
		defer hangs.Stop()
		first, errs := fuzzCheck(t, source)
		if spoil == 0 && len(errs) > 0 {
			t.Fatalf("the generated program does not compile: %s\n%s", strings.Join(errs, "\n"), source)
		}
		if again, _ := fuzzCheck(t, source); first != again {
			t.Fatalf("the second time it says something else: %s\n%s", difference(first, again), source)
		}
	})
}

// difference is the first line in which two texts differ.
func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return fmt.Sprintf("line %d: %s, and then %s", i+1, as[i], bs[i])
		}
	}
	return fmt.Sprintf("%d lines, and then %d", len(as), len(bs))
}

// spoiled overwrites a few bytes with what has a meaning in Go.
func spoiled(source string, spoil uint16) string {
	what := []string{"}", "{", "(", ")", "x.y", "]", "[", "func(", ":=", "\n", "<-", "nil", "\"", "0", "go ", "*", "type ", "...", "any", "`"}
	at := len(prelude)/2 + int(spoil)*31%(len(source)-len(prelude)/2)
	with := what[int(spoil)%len(what)]
	return source[:at] + with + source[min(len(source), at+int(spoil>>8)%5):]
}

// fuzzCheck is what Check does with one package, without the go command.
func fuzzCheck(t *testing.T, source string) (findings string, errs []string) {
	std := fuzzStd()
	fset := token.NewFileSet()
	fset.AddExistingFiles(std.files...)
	p := load.File(fset, "example.com/fuzz", "fuzz.go", []byte(source), std.packages)
	pkg := p.Packages[0]
	if pkg.Files == nil {
		return "", append(p.Errors, p.Unread...)
	}

	tables := catalog.New()
	c := &checker{tables: tables, facts: map[*types.Func]*flow.Summary{}}
	found, _, unread, _ := c.own(t.Context(), p, Options{})
	var all []Finding
	for _, one := range found {
		all = append(all, findingOf(one, func(file string) string { return file }))
	}
	sortFindings(all)
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}

	// As a package that others import. Its summaries are facts, which are encoded.
	dep := &checker{tables: tables, facts: map[*types.Func]*flow.Summary{}}
	prog := dep.program(fset)
	dep.declare(pkg.Types.Imports())
	built := prog.CreatePackage(pkg.Types, pkg.Files, pkg.Info, true)
	if build(built) {
		u := flow.NewUnit(prog, false, tables, dep.imported, []*ssa.Package{built})
		for f, s := range u.Summaries() {
			if err := gob.NewEncoder(&bytes.Buffer{}).Encode(fact{*s}); err != nil {
				t.Errorf("the summary of %s: %v", f, err)
			}
		}
	}
	return string(text), append(p.Errors, unread...)
}

// fuzzPackages are the packages that generated programs import.
type fuzzPackages struct {
	packages map[string]*types.Package
	files    []*token.File
}

// fuzzStd makes them once, out of little source: the tables know functions by name.
var fuzzStd = sync.OnceValue(func() fuzzPackages {
	std := fuzzPackages{packages: map[string]*types.Package{}}
	fset := token.NewFileSet()
	for _, source := range strings.Split(stubs, "\n// --- ")[1:] {
		path, text, _ := strings.Cut(source, "\n")
		file, err := parser.ParseFile(fset, path+"/stub.go", text, parser.SkipObjectResolution)
		if err != nil {
			panic(err)
		}
		config := types.Config{IgnoreFuncBodies: true, Importer: std}
		pkg, err := config.Check(path, fset, []*ast.File{file}, nil)
		if err != nil {
			panic(err)
		}
		std.packages[path] = pkg
	}
	for f := range fset.Iterate {
		std.files = append(std.files, f)
	}
	return std
})

func (s fuzzPackages) Import(path string) (*types.Package, error) {
	return s.packages[path], nil
}

const stubs = `
// --- context
package context

type Context interface {
	Done() <-chan struct{}
	Err() error
	Value(key any) any
}
type CancelFunc func()

func Background() Context
func WithCancel(Context) (Context, CancelFunc)
func WithValue(c Context, key, val any) Context

// --- errors
package errors

func New(string) error
func Join(...error) error

// --- sync
package sync

type Mutex struct{ n int }

func (*Mutex) Lock()
func (*Mutex) Unlock()

type Once struct{ n int }

func (*Once) Do(f func())

type WaitGroup struct{ n int }

func (*WaitGroup) Add(int)
func (*WaitGroup) Done()
func (*WaitGroup) Wait()
func (*WaitGroup) Go(f func())

// --- time
package time

type Duration int64

func Sleep(Duration)
func After(Duration) <-chan int

// --- iter
package iter

type Seq[V any] func(yield func(V) bool)

// --- net/http
package http

type Response struct{ Status string }
type Request struct{ Method string }
type Client struct{ Timeout int }

func Get(url string) (*Response, error)
func (*Client) Do(*Request) (*Response, error)

// --- database/sql
package sql

import "context"

type (
	DB        struct{ n int }
	Tx        struct{ n int }
	Conn      struct{ n int }
	Rows      struct{ n int }
	Row       struct{ n int }
	TxOptions struct{ ReadOnly bool }
	Result    interface{ RowsAffected() (int64, error) }
)

func (*DB) Begin() (*Tx, error)
func (*DB) BeginTx(context.Context, *TxOptions) (*Tx, error)
func (*DB) Conn(context.Context) (*Conn, error)
func (*DB) QueryContext(context.Context, string, ...any) (*Rows, error)
func (*DB) ExecContext(context.Context, string, ...any) (Result, error)
func (*DB) QueryRowContext(context.Context, string, ...any) *Row
func (*Tx) Commit() error
func (*Tx) Rollback() error
func (*Tx) ExecContext(context.Context, string, ...any) (Result, error)
func (*Tx) QueryContext(context.Context, string, ...any) (*Rows, error)
func (*Conn) Close() error
func (*Conn) BeginTx(context.Context, *TxOptions) (*Tx, error)
func (*Conn) Raw(func(any) error) error
func (*Rows) Next() bool
func (*Rows) Close() error
func (*Rows) Err() error
func (*Rows) Scan(...any) error
func (*Row) Scan(...any) error
`

// prelude begins each generated program.
const prelude = `package fuzz

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"net/http"
	"sync"
	"time"
)

type Doer interface {
	Do(ctx context.Context, s *Store) error
	Tx() *sql.Tx
}

type Closer interface{ Close() error }

type Store struct {
	db   *sql.DB
	tx   *sql.Tx
	rows *sql.Rows
	f    func() error
	g    func(*sql.Tx) error
	fns  map[string]func() error
	list []func() error
	arr  [3]func(*sql.Tx) error
	ch   chan int
	mu   sync.Mutex
	wg   sync.WaitGroup
	next *Store
	d    Doer
	in   struct{ tx *sql.Tx }
}

func (s *Store) Do(ctx context.Context, o *Store) error { return s.d.Do(ctx, s) }
func (s *Store) Tx() *sql.Tx                             { return s.tx }
func (s *Store) Close() error                            { return s.tx.Rollback() }
func (s *Store) use(tx *sql.Tx) error                    { _, err := http.Get("x"); return err }

type Outer struct {
	*Store
	n int
}

type value struct{ c *http.Client }

func (v value) Do(ctx context.Context, s *Store) error { _, err := v.c.Do(nil); return err }
func (v value) Tx() *sql.Tx                             { return nil }

type Func func() error

func (f Func) Do(ctx context.Context, s *Store) error { return f() }
func (f Func) Tx() *sql.Tx                             { return nil }

type Repo[T any] struct {
	x    T
	next *Repo[T]
}

func (r *Repo[T]) Get() T              { return r.x }
func (r *Repo[T]) With(f func(T) error) error { return f(r.x) }

type closing interface{ Commit() error; Rollback() error }

func ident[T any](x T) T { return x }
func end[T closing](x T, f func(T) error) error {
	defer x.Rollback()
	if err := f(x); err != nil {
		return err
	}
	return x.Commit()
}
func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}
func each(s *Store) iter.Seq[int] {
	return func(yield func(int) bool) {
		rows, err := s.db.QueryContext(context.Background(), "q")
		if err != nil {
			return
		}
		defer rows.Close()
		for rows.Next() {
			if !yield(1) {
				return
			}
		}
	}
}

var (
	glob  = &Store{f: func() error { return globF() }}
	globF func() error
	globs []Doer
	errX  = errors.New("x")
	_     = time.Sleep
)

`
