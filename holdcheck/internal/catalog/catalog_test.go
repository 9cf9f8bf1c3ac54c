package catalog

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

// names are all names of all tables, by table.
func tableNames() map[string][]string {
	return map[string][]string{
		"openers": slices.Sorted(maps.Keys(openers.exact)), "sinks": slices.Sorted(maps.Keys(sinks.exact)),
		"joins": slices.Sorted(maps.Keys(joins.exact)), "spawns": slices.Sorted(maps.Keys(spawns.exact)),
		"callbacks": slices.Sorted(maps.Keys(callbacks.exact)), "writesTo": slices.Sorted(maps.Keys(writesTo.exact)),
		"standsFor": slices.Sorted(maps.Keys(standsFor.exact)),
	}
}

// fullNameForm has a method's receiver and name, or a function's package and name.
var fullNameForm = regexp.MustCompile(`^(?:\((\*?)([\w./~-]+)\.(\w+)\)|([\w./~-]+))\.(\w+)$`)

func TestTables_HaveFullNames(t *testing.T) {
	for table, names := range tableNames() {
		if len(names) == 0 {
			t.Errorf("%s has no rows", table)
		}
		for _, name := range names {
			if !fullNameForm.MatchString(name) {
				t.Errorf("%s: %s is no name that types.Func.FullName makes", table, name)
			}
		}
	}
	for table, n := range map[string]int{
		"openers": len(openers.prefix), "sinks": len(sinks.prefix), "joins": len(joins.prefix), "spawns": len(spawns.prefix),
		"callbacks": len(callbacks.prefix), "writesTo": len(writesTo.prefix), "standsFor": len(standsFor.prefix),
	} {
		if n > 0 {
			t.Errorf("%s has %d names with a star; they would match constructors too", table, n)
		}
	}
}

func TestTables_AFunctionTakesOrIsSlow(t *testing.T) {
	for name := range openers.exact {
		if _, ok := sinks.find(name); ok {
			t.Errorf("%s is in openers and in sinks", name)
		}
	}
}

func TestTables_WhatJoinsIsASinkToo(t *testing.T) {
	for name := range joins.exact {
		if s, ok := sinks.find(name); !ok || s.Kind != Blocked {
			t.Errorf("%s waits for goroutines, and sinks has %v", name, s)
		}
	}
}

func TestTables_HaveKnownKindsAndSeverities(t *testing.T) {
	kinds := []Kind{HTTP, RPC, Mail, Cloud, Model, Network, Process, Sleep, Broker, Blocked, Client, File, Compute}
	valid := func(where string, s Cost) {
		if !slices.Contains(kinds, s.Kind) || !slices.Contains(Severities(), s.Severity) {
			t.Errorf("%s has kind %q and severity %q", where, s.Kind, s.Severity)
		}
	}
	for name, s := range sinks.exact {
		valid(name, s)
	}
	for _, r := range rules {
		valid(fmt.Sprint("the rule for ", r.paths), r.Cost)
		for _, path := range r.paths {
			if withoutVersion(path) != path {
				t.Errorf("the rule for %s has a major version: it will match nothing", path)
			}
			if !Curated(path) {
				t.Errorf("there is a rule for %s, and its functions are looked into", path)
			}
		}
	}
}

func TestOpeners_SayWhatIsHeldAndUntilWhen(t *testing.T) {
	for name, o := range openers.exact {
		switch {
		case o.What == "":
			t.Errorf("%s: nothing says what is held", name)
		case o.Result == None && o.Callback == None:
			t.Errorf("%s has neither a result nor a callback", name)
		case o.Result != None && len(o.Closers) == 0:
			t.Errorf("%s: nothing releases it", name)
		case o.Result == None && len(o.Closers) > 0:
			t.Errorf("%s runs a callback and has closers %v", name, o.Closers)
		case o.Result < Receiver || o.Callback < None:
			t.Errorf("%s: result %d, callback %d", name, o.Result, o.Callback)
		}
		if slices.Contains(o.Closers, "Next") != (o.What == Rows && o.Result >= 0) {
			t.Errorf("%s: %s with closers %v", name, o.What, o.Closers)
		}
	}
}

func TestNewTable_RefusesTwoRowsForOneName(t *testing.T) {
	defer func() {
		if got, want := fmt.Sprint(recover()), "holdcheck: two rows for p.B"; got != want {
			t.Errorf("panic %q, want %q", got, want)
		}
	}()
	newTable(map[string]bool{"p.{A,B}": true, "p.B": true})
}

func TestTable_Find(t *testing.T) {
	table := newTable(map[string]string{
		"(*example.com/a.T).{M,N}": "any version",
		"example.com/a/v3.F":       "v3",
		"example.com/a.F":          "other versions",
		"example.com/{b,c}/d.F":    "b or c",
		"example.com/star.*":       "star",
		"example.com/star.New*":    "longer star",
	})
	for name, want := range map[string]string{
		"(*example.com/a.T).M":      "any version",
		"(*example.com/a/v2.T).N":   "any version",
		"(*example.com/a/v10.T).N":  "any version",
		"(example.com/a.T).M":       "",
		"(*example.com/a.T).MN":     "",
		"(*example.com/a/vx.T).M":   "",
		"example.com/a/v3.F":        "v3",
		"example.com/a/v4.F":        "other versions",
		"example.com/c/d.F":         "b or c",
		"example.com/c/v2/d.F":      "b or c",
		"example.com/e/d.F":         "",
		"example.com/star.Run":      "star",
		"example.com/star/v2.Run":   "star",
		"example.com/star.NewThing": "longer star",
		"example.com/starry.Run":    "",
	} {
		if got, _ := table.find(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestWithoutVersion(t *testing.T) {
	for path, want := range map[string]string{
		"github.com/jackc/pgx/v5":                       "github.com/jackc/pgx",
		"github.com/jackc/pgx/v5/pgxpool":               "github.com/jackc/pgx/pgxpool",
		"(*github.com/jackc/pgx/v5/pgxpool.Pool).Begin": "(*github.com/jackc/pgx/pgxpool.Pool).Begin",
		"*github.com/a/v2/b/v3.T":                       "*github.com/a/b.T",
		"github.com/a/v2ray":                            "github.com/a/v2ray",
		"github.com/a/view/v1":                          "github.com/a/view",
		"gopkg.in/gomail.v2":                            "gopkg.in/gomail.v2",
		"github.com/a/v":                                "github.com/a/v",
	} {
		if got := withoutVersion(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// standardTypes are the packages of the standard library that the tables name.
var standardTypes = sync.OnceValues(func() (map[string]*types.Package, error) {
	paths := map[string]bool{"context": true, "errors": true}
	for _, names := range tableNames() {
		for _, name := range names {
			if path := pathOf(name); IsStd(path) {
				paths[path] = true
			}
		}
	}
	loaded, err := packages.Load(&packages.Config{Mode: packages.NeedName | packages.NeedTypes}, slices.Sorted(maps.Keys(paths))...)
	byPath := map[string]*types.Package{}
	for _, p := range loaded {
		byPath[p.PkgPath] = p.Types
	}
	return byPath, err
})

func pathOf(name string) string {
	m := fullNameForm.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	return m[2] + m[4]
}

// standardFunc finds a function of the standard library by its full name.
func standardFunc(t *testing.T, name string) *types.Func {
	t.Helper()
	all, err := standardTypes()
	if err != nil {
		t.Fatal(err)
	}
	m := fullNameForm.FindStringSubmatch(name)
	pkg := all[pathOf(name)]
	if pkg == nil {
		t.Fatalf("no package for %s", name)
	}
	if m[3] == "" {
		fn, _ := pkg.Scope().Lookup(m[5]).(*types.Func)
		return fn
	}
	typ, ok := pkg.Scope().Lookup(m[3]).(*types.TypeName)
	if !ok {
		return nil
	}
	obj, _, _ := types.LookupFieldOrMethod(types.NewPointer(typ.Type()), true, pkg, m[5])
	if types.IsInterface(typ.Type()) {
		obj, _, _ = types.LookupFieldOrMethod(typ.Type(), true, pkg, m[5])
	}
	fn, _ := obj.(*types.Func)
	if fn == nil || FullName(fn) != name {
		return nil // it is another type's, or has no pointer
	}
	return fn
}

func TestTables_StandardFunctionsExist(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for types")
	}
	for table, names := range tableNames() {
		for _, name := range names {
			if IsStd(pathOf(name)) && !unexported(name) && standardFunc(t, name) == nil {
				t.Errorf("%s: there is no %s", table, name)
			}
		}
	}
}

// unexported reports whether a name's receiver is not exported: export data need not
// have it.
func unexported(name string) bool {
	m := fullNameForm.FindStringSubmatch(name)
	return m[3] != "" && !ast.IsExported(m[3])
}

func TestTables_ArgumentsAreWhatTheyAreUsedAs(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for types")
	}
	argument := func(fn *types.Func, n int) types.Type {
		sig := fn.Signature()
		if sig.Recv() != nil {
			if n == 0 {
				return sig.Recv().Type()
			}
			n--
		}
		if n >= sig.Params().Len() {
			return nil
		}
		return sig.Params().At(n).Type()
	}
	each := func(table table[int], ok func(types.Type) bool) {
		for name, n := range table.exact {
			if !IsStd(pathOf(name)) || unexported(name) {
				continue
			}
			if arg := argument(standardFunc(t, name), n); arg == nil || !ok(arg) {
				t.Errorf("%s: argument %d is a %v", name, n, arg)
			}
		}
	}
	isFunction := func(t types.Type) bool { _, ok := t.Underlying().(*types.Signature); return ok }
	each(callbacks, isFunction)
	each(spawns, isFunction)
	each(writesTo, func(t types.Type) bool { return !isFunction(t) })
	for name, o := range openers.exact {
		if o.Callback >= 0 && IsStd(pathOf(name)) {
			fn := standardFunc(t, name)
			if p := fn.Signature().Params(); o.Callback >= p.Len() || !isFunction(p.At(o.Callback).Type()) {
				t.Errorf("%s: argument %d is no function", name, o.Callback)
			}
		}
	}
}

func TestSinks_SpareWhatOnlyPrepares(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the go command for types")
	}
	for _, name := range []string{
		"net/http.NewRequest", "net/http.NewRequestWithContext", "(*net/http.Client).CloseIdleConnections",
		"os/exec.Command", "os/exec.CommandContext", "(*os/exec.Cmd).Start", "(*os/exec.Cmd).StdoutPipe",
		"net.ParseIP", "net.JoinHostPort", "net.SplitHostPort", "net/smtp.PlainAuth", "time.Now", "time.NewTimer",
		"net/http/httputil.NewSingleHostReverseProxy", "(*sync.Mutex).TryLock", "(*sync.Mutex).Unlock",
		"(*sync.WaitGroup).Add", "(*sync.WaitGroup).Done", "os.Getenv", "(*os.File).Name", "(net/http.ResponseWriter).Header",
		"(*database/sql.DB).Query", "(*database/sql.Tx).Commit", "fmt.Println", "io.ReadAll",
	} {
		fn := standardFunc(t, name)
		if fn == nil {
			// Its package is in no table.
			continue
		}
		if s, ok := slowCall(fn); ok {
			t.Errorf("%s is slow: %v", name, s)
		}
	}
}

func TestIsStd(t *testing.T) {
	if !testing.Short() {
		std, err := packages.Load(&packages.Config{Mode: packages.NeedName}, "std")
		if err != nil || len(std) < 100 {
			t.Fatalf("%d packages, error %v", len(std), err)
		}
		for _, p := range std {
			if !IsStd(p.PkgPath) {
				t.Errorf("%s is of the standard library", p.PkgPath)
			}
		}
	}
	for _, path := range []string{"flow", "libs", "entapp/ent", "networking", "main", "cmdline", "example.com/net/http", "golang.org/x/net", ""} {
		if IsStd(path) {
			t.Errorf("%q is not of the standard library", path)
		}
	}
}

func TestCuratedAndDriver(t *testing.T) {
	for path, want := range map[string]struct{ curated, driver bool }{
		"database/sql":                                 {true, true},
		"database/sql/driver":                          {true, true},
		"net/http":                                     {true, false},
		"github.com/jackc/pgx/v5/pgxpool":              {true, true},
		"github.com/jackc/pgx/v4":                      {true, true},
		"github.com/lib/pq":                            {true, true},
		"github.com/uptrace/bun/dialect/pgdialect":     {true, true},
		"gorm.io/driver/postgres":                      {true, true},
		"modernc.org/sqlite":                           {true, true},
		"entgo.io/ent/dialect/sql":                     {true, true},
		"github.com/gobuffalo/pop/v6":                  {true, true},
		"github.com/aws/aws-sdk-go-v2/service/s3":      {true, false},
		"github.com/stripe/stripe-go/v83/subscription": {true, false},
		"google.golang.org/grpc":                       {true, false},
		"go.uber.org/zap":                              {true, false},
		"github.com/labstack/echo/v4":                  {true, false},
		"go.opentelemetry.io/otel/trace":               {true, false},
		"github.com/stretchr/testify/require":          {true, false},
		"github.com/pghold/pghold/session":             {false, false},
		"github.com/lib/pquery":                        {false, false},
		"github.com/jackcx/pgx":                        {false, false},
		"github.com/slack-go/slack":                    {false, false},
		"github.com/gobuffalo/envy":                    {false, false},
		"modernc.org/libc":                             {false, false},
		"app/net/http":                                 {false, false},
	} {
		if got := Curated(path); got != want.curated {
			t.Errorf("curated(%s) = %t", path, got)
		}
		if got := Driver(path); got != want.driver {
			t.Errorf("driver(%s) = %t", path, got)
		}
	}
}

// world type-checks small packages that stand in for a library's.
type world struct {
	t        *testing.T
	packages map[string]*types.Package
}

func newWorld(t *testing.T) *world {
	if testing.Short() {
		t.Skip("asks the go command for types")
	}
	std, err := standardTypes()
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, maps.Clone(std)}
}

func (w *world) Import(path string) (*types.Package, error) {
	if p := w.packages[path]; p != nil {
		return p, nil
	}
	return importer.Default().Import(path)
}

// add checks a package, and returns its functions by their full names.
func (w *world) add(path, source string) map[string]*types.Func {
	w.t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: w}).Check(path, fset, []*ast.File{file}, info)
	if err != nil {
		w.t.Fatal(err)
	}
	w.packages[path] = pkg
	funcs := map[string]*types.Func{}
	for _, obj := range info.Defs {
		if fn, ok := obj.(*types.Func); ok {
			funcs[strings.ReplaceAll(FullName(fn), path+".", "")] = fn
		}
	}
	return funcs
}

func TestSlowCall_Rules(t *testing.T) {
	w := newWorld(t)
	for _, p := range []struct {
		path, source string
		want         Cost
		slow, fast   []string
	}{{
		"github.com/aws/aws-sdk-go-v2/service/s3",
		`package s3
		import "context"
		type Options struct{}
		type Client struct{}
		type PutObjectInput struct{}
		func New(Options, ...func(*Options)) *Client
		func (*Client) Options() Options
		func (*Client) PutObject(context.Context, *PutObjectInput, ...func(*Options)) (int, error)
		type ListPaginator struct{}
		func (*ListPaginator) HasMorePages() bool
		func (*ListPaginator) NextPage(context.Context, ...func(*Options)) (int, error)
		type PresignClient struct{}
		func (*PresignClient) PresignPutObject(context.Context, *PutObjectInput) (int, error)`,
		slowCloud,
		[]string{"(*Client).PutObject", "(*ListPaginator).NextPage"},
		[]string{"New", "(*Client).Options", "(*ListPaginator).HasMorePages", "(*PresignClient).PresignPutObject"},
	}, {
		"github.com/aws/aws-sdk-go/service/s3",
		`package s3
		import "context"
		type S3 struct{}
		type GetObjectInput struct{}
		func New() *S3
		func (*GetObjectInput) Validate() error
		func (*S3) GetObject(*GetObjectInput) (int, error)
		func (*S3) GetObjectWithContext(context.Context, *GetObjectInput) (int, error)
		func (*S3) GetObjectRequest(*GetObjectInput) (int, int)
		func (*S3) ListPages(*GetObjectInput, func() bool) error`,
		slowCloud,
		[]string{"(*S3).GetObject", "(*S3).GetObjectWithContext", "(*S3).ListPages"},
		[]string{"New", "(*GetObjectInput).Validate", "(*S3).GetObjectRequest"},
	}, {
		"google.golang.org/api/drive/v3",
		`package drive
		type FilesService struct{}
		type FilesListCall struct{}
		func (*FilesService) List() *FilesListCall
		func (*FilesListCall) Q(string) *FilesListCall
		func (*FilesListCall) Do() (int, error)`,
		slowCloud,
		[]string{"(*FilesListCall).Do"},
		[]string{"(*FilesService).List", "(*FilesListCall).Q"},
	}, {
		"github.com/openai/openai-go/v3",
		`package openai
		import "context"
		type ChatCompletionService struct{}
		type Client struct{}
		func NewClient() Client
		func UserMessage(string) string
		func (*ChatCompletionService) New(context.Context, int) (int, error)
		func (*ChatCompletionService) NewStreaming(context.Context, int) *int`,
		slowModel,
		[]string{"(*ChatCompletionService).New", "(*ChatCompletionService).NewStreaming"},
		[]string{"NewClient", "UserMessage"},
	}, {
		"github.com/stripe/stripe-go/v83/webhook",
		`package webhook
		func ConstructEvent(payload []byte, header, secret string) (int, error)`,
		Cost{}, nil, []string{"ConstructEvent"},
	}, {
		"github.com/stripe/stripe-go/v83/checkout/session",
		`package session
		type Client struct{}
		type Iter struct{}
		func New(*int) (*int, error)
		func (Client) New(*int) (*int, error)
		func List(*int) *Iter`,
		slowHTTP, []string{"New", "(Client).New"}, []string{"List"},
	}, {
		"github.com/redis/go-redis/v9",
		`package redis
		import "context"
		type StringCmd struct{}
		type Options struct{}
		type cmdable func()
		type Client struct{ cmdable }
		func NewClient(*Options) *Client
		func (*StringCmd) Result() (string, error)
		func (cmdable) Get(context.Context, string) *StringCmd
		func (*Client) Options() *Options
		func (*Client) Do(context.Context, ...any) *StringCmd
		type StringCmdable interface { Get(context.Context, string) *StringCmd }`,
		broker,
		[]string{"(cmdable).Get", "(StringCmdable).Get", "(*Client).Do"},
		[]string{"NewClient", "(*StringCmd).Result", "(*Client).Options"},
	}, {
		"cloud.google.com/go/spanner",
		`package spanner
		import "context"
		type Client struct{}
		func (*Client) Apply(context.Context) error`,
		Cost{}, nil, []string{"(*Client).Apply"}, // a database itself
	}, {
		"example.com/app/cloud",
		`package cloud
		import "context"
		type Client struct{}
		func (*Client) PutObject(context.Context) (int, error)`,
		Cost{}, nil, []string{"(*Client).PutObject"},
	}} {
		funcs := w.add(p.path, p.source)
		for _, name := range p.slow {
			if got, ok := slowCall(funcs[name]); !ok || got != p.want {
				t.Errorf("%s: %s is %v, want %v", p.path, name, got, p.want)
			}
		}
		for _, name := range p.fast {
			if got, ok := slowCall(funcs[name]); ok {
				t.Errorf("%s: %s is %v, and is not slow", p.path, name, got)
			}
		}
	}
}

func TestSlowCall_InterfacesOfProjects(t *testing.T) {
	w := newWorld(t)
	w.add("google.golang.org/grpc", `package grpc
		type CallOption interface{ before() }`)
	w.add("golang.org/x/oauth2", `package oauth2
		type Token struct{}`)
	funcs := w.add("example.com/app", `package app
		import (
			"context"
			"net"
			"net/http"

			"golang.org/x/oauth2"
			"google.golang.org/grpc"
		)
		type Doer interface { Do(*http.Request) (*http.Response, error) }
		type Greeter interface {
			SayHello(context.Context, *int, ...grpc.CallOption) (*int, error)
			Name() string
		}
		type Dialer interface { DialContext(context.Context, string, string) (net.Conn, error) }
		type Provider interface {
			Exchange(context.Context, string) (*oauth2.Token, error)
			Stored(context.Context) (*oauth2.Token, error)
		}
		type local struct{}
		func (local) SayHello(context.Context, *int, ...grpc.CallOption) (*int, error)
		func (local) Do(*http.Request) (*http.Response, error)`)
	for name, want := range map[string]Cost{
		"(Doer).Do": slowHTTP, "(Greeter).SayHello": slowRPC, "(Dialer).DialContext": slowNetwork, "(Provider).Exchange": slowHTTP,
	} {
		if got, _ := slowCall(funcs[name]); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	// What has a body is looked into.
	for _, name := range []string{"(Greeter).Name", "(Provider).Stored", "(local).SayHello", "(local).Do"} {
		if got, ok := slowCall(funcs[name]); ok {
			t.Errorf("%s is %v, and is not slow", name, got)
		}
	}
}

func TestOpenerOf_InterfacesOfProjects(t *testing.T) {
	w := newWorld(t)
	w.add("github.com/jackc/pgx/v5", `package pgx
		type Tx interface{ Commit() error }
		type Rows interface{ Next() bool }`)
	funcs := w.add("example.com/app", `package app
		import (
			"context"
			"database/sql"

			"github.com/jackc/pgx/v5"
		)
		type DB interface {
			Begin(context.Context) (pgx.Tx, error)
			Query(context.Context, string) (pgx.Rows, error)
			Exec(context.Context, string) error
			Current() pgx.Tx
		}
		type SQL interface {
			BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
			Conn(context.Context) (*sql.Conn, error)
		}
		type Tx interface {
			Begin(context.Context) (pgx.Tx, error)
			Commit() error
		}
		type store struct{}
		func (store) Begin(context.Context) (pgx.Tx, error)`)
	for name, want := range map[string]Handle{
		"(DB).Begin": Transaction, "(DB).Query": Rows, "(SQL).BeginTx": Transaction, "(SQL).Conn": Connection,
		"(DB).Exec": "", "(DB).Current": "", "(Tx).Begin": "", "(store).Begin": "",
	} {
		o, ok := openerOf(funcs[name])
		if o.What != want || ok != (want != "") {
			t.Errorf("%s takes %q, want %q", name, o.What, want)
		}
		if ok && !o.Nests {
			t.Errorf("%s: the interface may have a transaction in it", name)
		}
	}
}

func TestHookOf(t *testing.T) {
	w := newWorld(t)
	w.add("gorm.io/gorm", `package gorm
		type DB struct{}`)
	w.add("github.com/jackc/pgx/v5", `package pgx
		type CopyFromSource interface{ Next() bool }`)
	w.add("github.com/uptrace/bun", `package bun
		type Tx struct{}`)
	funcs := w.add("example.com/app", `package app
		import (
			"context"
			"database/sql/driver"

			"github.com/jackc/pgx/v5"
			"github.com/uptrace/bun"
			"gorm.io/gorm"
		)
		var _ bun.Tx
		var _ pgx.CopyFromSource
		type order struct{}
		func (*order) BeforeSave(*gorm.DB) error
		func (*order) AfterFind(*gorm.DB) error
		func (*order) AfterScanRow(context.Context) error
		func (order) Value() (driver.Value, error)
		func (*order) Scan(any) error
		type other struct{}
		func (*other) BeforeSave(context.Context) error
		func (*other) Value() (string, error)
		func (*other) Scan(string) error
		func BeforeSave(*gorm.DB) error
		type pages struct{}
		func (*pages) Next() bool
		func (*pages) Values() ([]any, error)
		func (*pages) Err() error
		type list struct{}
		func (*list) Next() bool`)
	for name, want := range map[string]Handle{
		"(*order).BeforeSave": Transaction, "(*order).AfterScanRow": Rows, "(order).Value": Connection, "(*order).Scan": Rows,
		"(*pages).Next":      Connection,
		"(*order).AfterFind": "", "(*other).BeforeSave": "", "(*other).Value": "", "(*other).Scan": "", "BeforeSave": "", "(*list).Next": "",
	} {
		if got, ok := HookOf(funcs[name]); got != want || ok != (want != "") {
			t.Errorf("%s is called while %q is held, want %q", name, got, want)
		}
	}
}
