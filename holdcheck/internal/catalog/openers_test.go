package catalog

import (
	"slices"
	"testing"
)

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
