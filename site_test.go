package pghold

import (
	"runtime"
	"testing"
)

func TestLibrary(t *testing.T) {
	skip := []string{"example.com/app/db", "example.com/app/web.(*pool)"}
	for function, want := range map[string]bool{
		"github.com/jackc/pgx/v5.(*Conn).Query":                            true,
		"github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire.func1":            true,
		"database/sql.(*DB).QueryRow":                                      true,
		"database/sqlx.Get":                                                false,
		"gorm.io/gorm/callbacks.Query":                                     true,
		"github.com/pghold/pghold.(*Pool).Checkout":                        true,
		"github.com/pghold/pghold/session.acquirer[...].Acquire":           true,
		"github.com/pghold/pghold/cmd/pghold/internal/lab.(*App).readUser": false,
		"github.com/pghold/pghold/cmd/pghold.main":                         false,
		"example.com/app.main":                                             false,
		"example.com/app/db.Get":                                           true,
		"example.com/app/db/rows.Get":                                      true,
		"example.com/app/dbs.Get":                                          false,
		"example.com/app/web.(*pool).get":                                  true,
		"example.com/app/web.(*page).get":                                  false,
		"github.com/jackc/pgx/v5x.Query":                                   false,
	} {
		if got := library(runtime.Frame{Function: function, File: "x.go"}, skip); got != want {
			t.Errorf("%s: got %v, want %v", function, got, want)
		}
	}
	if library(runtime.Frame{Function: "github.com/pghold/pghold.TestX", File: "x_test.go"}, nil) {
		t.Error("a test is an application of its package")
	}
}

func TestDependency(t *testing.T) {
	for file, want := range map[string]bool{
		"/home/me/go/pkg/mod/github.com/openai/openai-go/v3@v3.96.0/client.go": true,
		"github.com/openai/openai-go/v3@v3.96.0/client.go":                     true, // -trimpath
		"/src/app/vendor/github.com/openai/openai-go/v3/client.go":             true,
		"/src/app/v3/client.go":        false,
		"example.com/app/client.go":    false,
		"/home/me@work/app/client.go":  false,
		"/usr/local/go/src/net/net.go": false, // library knows these
	} {
		if got := dependency(file); got != want {
			t.Errorf("%s: got %v, want %v", file, got, want)
		}
	}
}

// From deep within a library, as through an ORM, the line of the application is
// found all the same, and remembered.
func TestSites_Deep(t *testing.T) {
	var m sites
	var found []*place
	var down func(n int)
	down = func(n int) { // stands for the library
		if n > 0 {
			down(n - 1)
			return
		}
		var pcs stack
		runtime.Callers(2, pcs[:])
		found = append(found, m.at(&pcs, []string{"github.com/pghold/pghold.TestSites_Deep.func1"}))
	}
	for range 2 {
		down(20)
	}
	for _, site := range found {
		if site.Func != "github.com/pghold/pghold.TestSites_Deep" || site != found[0] {
			t.Errorf("got %+v, want this test, the same both times", site)
		}
	}
	if len(m.near) != 1 || len(m.far) != 1 {
		t.Errorf("%d and %d stacks are remembered, want one of each", len(m.near), len(m.far))
	}
	if found[0].String() == "unknown" || (Site{}).String() != "unknown" {
		t.Errorf("as text: %s", found[0])
	}
}

func TestWithPath(t *testing.T) {
	for _, c := range []struct{ function, path, want string }{
		{"main.pay", "example.com/shop/cmd/api", "example.com/shop/cmd/api.pay"},
		{"main.(*Server).Pay", "example.com/shop.v2", "example.com/shop%2ev2.(*Server).Pay"},
		{"main.pay", "", "main.pay"},
		{"main.pay", "command-line-arguments", "main.pay"},
		{"example.com/main.pay", "example.com/shop", "example.com/main.pay"},
		{"mains.pay", "example.com/shop", "mains.pay"},
	} {
		if got := withPath(c.function, c.path); got != c.want {
			t.Errorf("%s of %s: got %s, want %s", c.function, c.path, got, c.want)
		}
	}
}
