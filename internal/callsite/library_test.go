package callsite

import "testing"

func TestLibrary(t *testing.T) {
	skip := []string{"example.com/app/db", "example.com/app/web.(*pool)", "example.com/app/web.Table", "example.com/app/web.Load"}
	for function, want := range map[string]bool{
		"github.com/jackc/pgx/v5.(*Conn).Query":                            true,
		"github.com/jackc/pgx/v5/pgxpool.(*Pool).Acquire.func1":            true,
		"database/sql.(*DB).QueryRow":                                      true,
		"database/sqlx.Get":                                                false,
		"gorm.io/gorm/callbacks.Query":                                     true,
		"google.golang.org/grpc.(*ClientConn).Invoke":                      true,
		"google.golang.org/grpcs.Invoke":                                   false,
		"github.com/pghold/pghold/grpchold.UnaryClientInterceptor":         true,
		"github.com/pghold/pghold/riverhold.Middleware.Work":               true,
		"github.com/pghold/pghold.(*Pool).Checkout":                        true,
		"github.com/pghold/pghold/internal/callsite.Profile":               true,
		"github.com/pghold/pghold/session.acquirer[...].Acquire":           true,
		"github.com/pghold/pghold/cmd/pghold/internal/lab.(*App).readUser": false,
		"github.com/pghold/pghold/cmd/pghold.main":                         false,
		"example.com/app.main":                                             false,
		"example.com/app/db.Get":                                           true,
		"example.com/app/db/rows.Get":                                      true,
		"example.com/app/dbs.Get":                                          false,
		"example.com/app/web.(*pool).get":                                  true,
		"example.com/app/web.(*page).get":                                  false,
		"example.com/app/web.pool.get":                                     true,
		"example.com/app/web.(*Table[...]).Get.func1":                      true,
		"example.com/app/web.Table.Get":                                    true,
		"example.com/app/web.(*Tables).Get":                                false,
		"example.com/app/web.Load[...]":                                    true,
		"example.com/app/web.Load.func2":                                   true,
		"example.com/app/web.Loader.Get":                                   false,
		"github.com/jackc/pgx/v5x.Query":                                   false,
	} {
		if got := library(function, "x.go", skip); got != want {
			t.Errorf("%s: got %v, want %v", function, got, want)
		}
	}
	if library("github.com/pghold/pghold.TestX", "x_test.go", nil) {
		t.Error("a test is an application of its package")
	}
	for file, want := range map[string]bool{"pay_grpc.pb.go": true, "pay.pb.go": true, "pay_pb.go": false} {
		if got := library("example.com/app/paypb.(*chargesClient).Create", file, nil); got != want {
			t.Errorf("%s: got %v, want %v: who calls it is the application, where it is generated", file, got, want)
		}
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
