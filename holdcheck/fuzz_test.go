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

// generator writes a program. Each byte decides one thing; after the last, all is 0.
type generator struct {
	b         []byte
	out       strings.Builder
	functions int
	depth     int
	nesting   int    // of expressions
	labels    []int  // of the loops around
	ret       string // how to return
	number    int
}

// generate makes a program of bytes. All functions have the same parameters, results
// and variables, so that everything fits everywhere.
func generate(b []byte) string {
	g := &generator{b: b}
	g.out.WriteString(prelude)
	g.functions = 1 + g.pick(6)
	for i := range g.functions {
		recv, typeParams := "", ""
		switch g.pick(4) {
		case 1:
			recv = "(z *Store) "
		case 2:
			recv = "(z Outer) "
		case 3:
			typeParams = "[T any]"
		}
		g.line("func %sF%d%s(%s) (%s) {", recv, i, typeParams, parameters, results)
		g.function(3+g.pick(8), "return", true)
		g.line("}\n")
		// Under the same name for everybody.
		pass := fmt.Sprintf("F%d(ctx, s, tx, f, g, n)", i)
		switch {
		case recv == "(z *Store) ":
			pass = "s." + pass
		case recv != "":
			pass = "Outer{Store: s}." + pass
		case typeParams != "":
			pass = fmt.Sprintf("F%d[*sql.Tx](ctx, s, tx, f, g, n)", i)
		}
		g.line("func call%d(%s) (%s) { return %s }\n", i, parameters, results, pass)
	}
	return g.out.String()
}

const (
	parameters = "ctx context.Context, s *Store, tx *sql.Tx, f func() error, g func(*sql.Tx) error, n int"
	results    = "rtx *sql.Tx, rf func() error, err error"
)

func (g *generator) pick(n int) int {
	if len(g.b) == 0 {
		return 0
	}
	v := int(g.b[0]) % n
	g.b = g.b[1:]
	return v
}

func (g *generator) line(format string, args ...any) {
	fmt.Fprintf(&g.out, format+"\n", args...)
}

// function writes the body of a function with n statements, and the return at its
// end; full is one of the program's functions, not a closure.
func (g *generator) function(n int, ret string, full bool) {
	labels, outer := g.labels, g.ret
	g.labels, g.ret = nil, ret
	if full {
		g.line("var rows *sql.Rows\nvar conn *sql.Conn\nvar row *sql.Row\nvar t2 *sql.Tx\nvar h func() error\nvar d Doer = value{}\nvar a any\nvar o Outer\nvar ch = make(chan int, n)\nvar wg sync.WaitGroup\nvar repo Repo[*sql.Tx]\nvar cp Store\nvar cancel func()\nvar ok bool")
		g.line("_, _, _, _, _, _, _, _, _, _, _, _, _ = rows, conn, row, t2, h, d, a, o, ch, &wg, repo, &cp, ok\n_ = cancel")
	}
	g.statements(n)
	if full {
		ret = fmt.Sprintf("return %s, %s, err", g.tx(), g.fn())
	}
	g.line("%s", ret)
	g.labels, g.ret = labels, outer
}

func (g *generator) statements(n int) {
	g.depth++
	for range n {
		g.statement()
	}
	g.depth--
}

func (g *generator) block() {
	if g.depth > 5 {
		return
	}
	g.statements(g.pick(4))
}

// text is what write writes.
func (g *generator) text(write func()) string {
	out := g.out
	g.out = strings.Builder{}
	write()
	text := g.out.String()
	g.out = out
	return text
}

func (g *generator) tx() string {
	if g.nesting++; g.nesting > 4 {
		g.nesting--
		return "tx"
	}
	defer func() { g.nesting-- }()
	switch g.pick(16) {
	case 0:
		return "tx"
	case 1:
		return "t2"
	case 2:
		return "s.tx"
	case 3:
		return "s.next.next.tx"
	case 4:
		return "must(s.db.Begin())"
	case 5:
		return "must(s.db.BeginTx(ctx, nil))"
	case 6:
		return `ctx.Value("tx").(*sql.Tx)`
	case 7:
		return "ident[*sql.Tx](" + g.tx() + ")"
	case 8:
		return "(&Repo[*sql.Tx]{x: " + g.tx() + "}).Get()"
	case 9:
		return "d.Tx()"
	case 10:
		return "glob.in.tx"
	case 11:
		return "repo.next.x"
	case 12:
		return "s.in.tx"
	case 13:
		return "o.Tx()"
	case 14:
		return "(*sql.Tx)(nil)"
	}
	return "cp.tx"
}

func (g *generator) fn() string {
	if g.nesting++; g.nesting > 4 {
		g.nesting--
		return "f"
	}
	defer func() { g.nesting-- }()
	switch g.pick(17) {
	case 0:
		return "f"
	case 1, 2, 3:
		return "func() error " + g.closure("return err")
	case 4:
		return "h"
	case 5:
		return "s.f"
	case 6:
		return `s.fns["x"]`
	case 7:
		return "s.list[n]"
	case 8:
		return g.tx() + ".Commit"
	case 9:
		return g.tx() + ".Rollback"
	case 10:
		return "rows.Close"
	case 11:
		return "Closer(s).Close"
	case 12:
		return "o.Close"
	case 13:
		return "globF"
	case 14:
		return "Func(" + g.fn() + ")"
	case 15:
		return "ident[func() error](" + g.fn() + ")"
	}
	return "func() (err error) " + g.closure("return "+g.fn()+"()")
}

// closure is a function's body.
func (g *generator) closure(ret string) string {
	n := g.depthless()
	return "{\n" + g.text(func() { g.function(n, ret, false) }) + "}"
}

// depthless is how many statements a closure has: none where it is deep.
func (g *generator) depthless() int {
	if g.depth > 4 {
		return 0
	}
	return g.pick(4)
}

func (g *generator) gn() string {
	if g.nesting++; g.nesting > 4 {
		g.nesting--
		return "g"
	}
	defer func() { g.nesting-- }()
	switch g.pick(8) {
	case 0, 1:
		return "g"
	case 2, 3:
		return "func(tx *sql.Tx) error " + g.closure("return err")
	case 4:
		return "s.g"
	case 5:
		return "s.arr[n%3]"
	case 6:
		return "s.use"
	}
	return "func(x *sql.Tx) (err error) { defer x.Rollback(); return g(x) }"
}

func (g *generator) store() string {
	if g.nesting++; g.nesting > 4 {
		g.nesting--
		return "s"
	}
	defer func() { g.nesting-- }()
	switch g.pick(6) {
	case 1:
		return "s.next"
	case 2:
		return "(&Store{db: s.db, tx: " + g.tx() + ", f: " + g.fn() + "})"
	case 3:
		return "(&cp)"
	case 4:
		return "o.Store"
	case 5:
		return "glob"
	}
	return "s"
}

func (g *generator) cond() string {
	switch g.pick(11) {
	case 0:
		return "err != nil"
	case 1:
		return "n > 3"
	case 2:
		return g.tx() + " == nil"
	case 3:
		return "rows.Next()"
	case 4:
		return "ok"
	case 5:
		return "!ok && f != nil"
	case 6:
		return "err == errX"
	case 7:
		return "true"
	case 8:
		return "tx != t2 || a != nil"
	case 9:
		return "rows == nil"
	}
	return "n == 0"
}

func (g *generator) loop(head string) {
	g.number++
	label := g.number
	g.labels = append(g.labels, label)
	g.line("L%d:\n%s {", label, head)
	g.block()
	g.line("if %s { %s L%d }", g.cond(), []string{"break", "continue"}[g.pick(2)], g.labels[g.pick(len(g.labels))])
	g.line("if n < 0 { continue L%d }", label)
	g.line("}")
	g.labels = g.labels[:len(g.labels)-1]
}

func (g *generator) statement() {
	if g.depth > 5 {
		g.line("_, err = http.Get(\"u\")")
		return
	}
	switch g.pick(53) {
	case 0:
		g.line("_, err = http.Get(\"u\")")
	case 1, 2:
		g.line("tx, err = s.db.BeginTx(ctx, nil)")
	case 3:
		g.line("t2, err = %s.db.Begin()", g.store())
	case 4:
		g.line("if err != nil { panic(err) }")
	case 5:
		g.line("err = %s.Commit()", g.tx())
	case 6:
		g.line("defer %s.Rollback()", g.tx())
	case 7:
		g.line("defer func() { if p := recover(); p != nil { ok = true }\nfunc() %s()\n}()", g.closure("return"))
	case 8:
		g.line("if %s {", g.cond())
		g.block()
		g.line("} else if %s {", g.cond())
		g.block()
		g.line("}")
	case 9:
		g.loop("for " + g.cond())
	case 10:
		g.loop("for i := n; i > 0; i--")
	case 11:
		g.loop("for range each(" + g.store() + ")")
	case 12:
		g.loop("for _, h = range s.fns")
	case 13:
		g.line("rows, err = s.db.QueryContext(ctx, \"q\")")
	case 14:
		g.line("for rows.Next() {\nerr = rows.Scan(&n)")
		g.block()
		g.line("}")
	case 15:
		g.line("err = rows.Close()")
	case 16:
		g.line("err = s.db.QueryRowContext(ctx, \"q\").Scan(&n)")
	case 17:
		g.line("row = s.db.QueryRowContext(ctx, \"q\")\nerr = row.Scan(&n)")
	case 18:
		g.line("conn, err = s.db.Conn(ctx)\ndefer conn.Close()")
	case 19:
		g.line("err = conn.Raw(func(any) error %s)", g.closure("return err"))
	case 20:
		g.line("h = %s", g.fn())
	case 21:
		g.line("err = %s()", g.fn())
	case 22:
		g.line("err = %s(%s)", g.gn(), g.tx())
	case 23:
		g.line("s.f = %s", g.fn())
	case 24:
		g.line("s.fns[\"x\"] = %s", g.fn())
	case 25:
		g.line("s.list = append(s.list, %s, %s)", g.fn(), g.fn())
	case 26:
		g.line("s.arr[1] = %s", g.gn())
	case 27, 28, 29:
		g.line("t2, h, err = call%d(ctx, %s, %s, %s, %s, n-1)", g.pick(g.functions), g.store(), g.tx(), g.fn(), g.gn())
	case 30:
		g.line("go call%d(ctx, %s, %s, %s, %s, 1)", g.pick(g.functions), g.store(), g.tx(), g.fn(), g.gn())
	case 31:
		g.line("defer call%d(ctx, %s, %s, %s, %s, 0)", g.pick(g.functions), g.store(), g.tx(), g.fn(), g.gn())
	case 32:
		g.line("wg.Go(func() %s)\nwg.Add(1)\ngo func() { defer wg.Done(); _ = %s() }()\nwg.Wait()", g.closure("return"), g.fn())
	case 33:
		g.line("go func() {\n_ = %s()\nch <- 1 }()\n<-ch", g.fn())
	case 34:
		g.line("select {\ncase n = <-ch:")
		g.block()
		g.line("case s.ch <- n:\ncase <-ctx.Done():\n%s", g.ret)
		if g.pick(2) == 1 {
			g.line("default:")
			g.block()
		}
		g.line("}")
	case 35:
		g.line("switch {\ncase %s:", g.cond())
		g.block()
		g.line("fallthrough\ncase %s:", g.cond())
		g.block()
		g.line("default:")
		g.block()
		g.line("}")
	case 36:
		g.line("switch x := a.(type) {\ncase *sql.Tx:\nerr = x.Commit()\ncase func() error:\nerr = x()\ncase Closer:\nerr = x.Close()\ncase Doer:\nerr = x.Do(ctx, s)\n}")
	case 37:
		g.line("a = %s", g.tx())
	case 38:
		g.line("a = %s", g.fn())
	case 39:
		g.line("d = %s", []string{"value{}", "s", "o", "Func(f)", "globs[n]", "&value{}"}[g.pick(6)])
	case 40:
		g.line("err = d.Do(ctx, %s)", g.store())
	case 41:
		g.line("err = end(%s, %s)", g.tx(), g.gn())
	case 42:
		g.line("err = (&repo).With(%s)", g.gn())
	case 43:
		g.line("{\nc := *s\nc.tx = %s\ns = &c\ncp.in = s.in\n}", g.tx())
	case 44:
		g.line("repo = Repo[*sql.Tx]{x: %s, next: &repo}", g.tx())
	case 45:
		g.line("ctx = context.WithValue(ctx, \"tx\", %s)", g.tx())
	case 46:
		g.line("s.mu.Lock()\ndefer s.mu.Unlock()")
	case 47:
		g.line("{\nvar once sync.Once\nonce.Do(func() { _ = %s() })\n}", g.fn())
	case 48:
		g.number++
		g.line("G%d:\n n--", g.number)
		number := g.number
		g.block()
		g.line("if n > 7 { goto G%d }", number)
	case 49:
		g.line("%s = %s", []string{"tx", "s.tx", "glob.in.tx", "s.next.tx", "t2"}[g.pick(5)], g.tx())
	case 50:
		g.line("{\nvar rec func(n int) error\nrec = func(n int) error { if n == 0 { return %s() }; return rec(n - 1) }\nerr = rec(n)\n}", g.fn())
	case 51:
		g.line("if %s { %s }", g.cond(), g.ret)
	case 52:
		g.line("{\nvar c context.CancelFunc\nctx, c = context.WithCancel(ctx)\ndefer c()\ncancel = c\n}\ntime.Sleep(1)\n<-time.After(1)\nglobs = append(globs, d)")
	}
}
