package clienttest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/clienttest/dbx"
	"github.com/pghold/pghold/sqlhold"
)

func TestSkip(t *testing.T) {
	// recipe: skip
	byPackage := pghold.NewRecorder(pghold.Config{Skip: []string{"github.com/pghold/pghold/internal/clienttest/dbx"}})
	// end
	// recipe: skip types
	byName := pghold.NewRecorder(pghold.Config{Skip: []string{
		"github.com/pghold/pghold/internal/clienttest/dbx.DB",
		"github.com/pghold/pghold/internal/clienttest/dbx.Table",
		"github.com/pghold/pghold/internal/clienttest/dbx.Get",
	}})
	// end
	callers := []string{"skip_test.go: (*users).name", "skip_test.go: (*users).rename", "skip_test.go: (*users).score"}
	for name, c := range map[string]struct {
		recorder *pghold.Recorder
		want     []string
	}{
		"none":       {pghold.NewRecorder(pghold.Config{}), []string{"dbx.go: dbx.(*DB).Tx", "dbx.go: dbx.Get[...]", "dbx.go: dbx.Get[...]"}},
		"by package": {byPackage, callers},
		"by name":    {byName, callers},
	} {
		pool, err := sqlhold.OpenDB(oneRow{}, c.recorder, "main")
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		db := dbx.New(pool)
		u := &users{db, dbx.NewTable[string](db, "select name from users where id = $1")}
		ctx := pghold.WithRoute(t.Context(), "GET /users/{id}")
		for _, use := range []func(context.Context) error{u.name, u.score, u.rename} {
			if err := use(ctx); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		var got []string
		for _, series := range c.recorder.Snapshot().Series {
			for range series.Held.Count() {
				got = append(got, filepath.Base(series.Site.File)+": "+inPackage(series.Site.Func))
			}
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("skipping %s, the holds are at %q, want %q", name, got, c.want)
		}
	}
}

// users is a repository of the application.
type users struct {
	db    *dbx.DB
	names *dbx.Table[string]
}

func (u *users) name(ctx context.Context) error {
	_, err := u.names.Find(ctx, 7)
	return err
}

func (u *users) score(ctx context.Context) error {
	_, err := dbx.Get[int64](ctx, u.db, "select score from users where id = $1", 7)
	return err
}

func (u *users) rename(ctx context.Context) error {
	return u.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "update users set name = $1 where id = $2", "ada", 7)
		return err
	})
}

// oneRow is a database whose only row is 1.
type oneRow struct{}

func (oneRow) Connect(context.Context) (driver.Conn, error) { return oneRow{}, nil }
func (oneRow) Driver() driver.Driver                        { return nil }
func (oneRow) Begin() (driver.Tx, error)                    { return oneRow{}, nil }
func (oneRow) Commit() error                                { return nil }
func (oneRow) Rollback() error                              { return nil }
func (oneRow) Prepare(string) (driver.Stmt, error)          { return oneRow{}, nil }
func (oneRow) NumInput() int                                { return -1 }
func (oneRow) Exec([]driver.Value) (driver.Result, error)   { return driver.RowsAffected(1), nil }
func (oneRow) Query([]driver.Value) (driver.Rows, error)    { return &oneRowLeft{true}, nil }
func (oneRow) Close() error                                 { return nil }

type oneRowLeft struct{ left bool }

func (r *oneRowLeft) Columns() []string { return []string{"value"} }
func (r *oneRowLeft) Close() error      { return nil }
func (r *oneRowLeft) Next(row []driver.Value) error {
	if !r.left {
		return io.EOF
	}
	row[0], r.left = int64(1), false
	return nil
}
