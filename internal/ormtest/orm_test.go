// Package ormtest shows that mappers (GORM, bun, sqlx, ent) on top of database/sql, and
// drivers (pgx, lib/pq, modernc.org/sqlite) below it, work unchanged through
// sqlhold. It is a module of its own so that pghold's does not depend on them, and
// has nothing but tests.
package ormtest

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/sqlhold"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

type User struct {
	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

// mappers make a table of users, and then insert one and read it in a transaction,
// with a pause in between.
var mappers = map[string]func(t *testing.T, ctx context.Context, db *sql.DB, pause func()) (name string, err error){
	"gorm": func(t *testing.T, ctx context.Context, db *sql.DB, pause func()) (string, error) {
		g, err := gorm.Open(postgres.New(postgres.Config{Conn: db}), &gorm.Config{Logger: logger.Discard})
		if err != nil {
			return "", err
		}
		g = g.WithContext(ctx)
		if err := g.AutoMigrate(&User{}); err != nil {
			return "", err
		}
		var u User
		err = g.Transaction(func(tx *gorm.DB) error {
			if err := tx.Create(&User{Name: "ada"}).Error; err != nil {
				return err
			}
			pause()
			return tx.First(&u, "name = ?", "ada").Error
		})
		return u.Name, err
	},
	"bun": func(t *testing.T, ctx context.Context, db *sql.DB, pause func()) (string, error) {
		b := bun.NewDB(db, pgdialect.New())
		if _, err := b.NewCreateTable().Model((*User)(nil)).Exec(ctx); err != nil {
			return "", err
		}
		var u User
		err := b.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.NewInsert().Model(&User{Name: "ada"}).Exec(ctx); err != nil {
				return err
			}
			pause()
			return tx.NewSelect().Model(&u).Where("name = ?", "ada").Scan(ctx)
		})
		return u.Name, err
	},
	"sqlx": func(t *testing.T, ctx context.Context, db *sql.DB, pause func()) (string, error) {
		x := sqlx.NewDb(db, "pgx")
		if _, err := x.ExecContext(ctx, "create table users (id serial primary key, name text)"); err != nil {
			return "", err
		}
		tx, err := x.BeginTxx(ctx, nil)
		if err != nil {
			return "", err
		}
		defer tx.Rollback()
		if _, err := tx.NamedExecContext(ctx, "insert into users (name) values (:name)", User{Name: "ada"}); err != nil {
			return "", err
		}
		pause()
		var u User
		if err := tx.GetContext(ctx, &u, "select * from users where name = $1", "ada"); err != nil {
			return "", err
		}
		return u.Name, tx.Commit()
	},
	"ent": func(t *testing.T, ctx context.Context, db *sql.DB, pause func()) (string, error) {
		d := entsql.OpenDB(dialect.Postgres, db)
		if err := d.Exec(ctx, "create table users (id serial primary key, name text)", []any{}, nil); err != nil {
			return "", err
		}
		tx, err := d.Tx(ctx)
		if err != nil {
			return "", err
		}
		defer tx.Rollback()
		query, args := entsql.Dialect(dialect.Postgres).Insert("users").Columns("name").Values("ada").Query()
		if err := tx.Exec(ctx, query, args, nil); err != nil {
			return "", err
		}
		pause()
		query, args = entsql.Dialect(dialect.Postgres).Select("name").From(entsql.Table("users")).Where(entsql.EQ("name", "ada")).Query()
		var rows entsql.Rows
		if err := tx.Query(ctx, query, args, &rows); err != nil {
			return "", err
		}
		name, err := entsql.ScanString(rows)
		if err != nil {
			return "", err
		}
		return name, tx.Commit()
	},
}

func TestMappers(t *testing.T) {
	for mapper, use := range mappers {
		t.Run(mapper, func(t *testing.T) {
			recorder := pghold.NewRecorder(pghold.Config{})
			db, err := sqlhold.Open("pgx", pgtest.DSN(t), recorder, "main")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			ctx := pghold.WithRoute(t.Context(), "job "+mapper)
			name, err := use(t, ctx, db, func() {
				call := pghold.StartSlowCall(ctx, "pause")
				defer call.End()
				// Whatever passes in it is silence in the transaction.
				look := func() pghold.Hold { return recorder.Snapshot().Open[0] }
				a, b := look(), look()
				for b.Held == a.Held { // until the clock has moved
					b = look()
				}
				if passed := b.Held - a.Held; b.SilentInTransaction-a.SilentInTransaction != passed {
					t.Errorf("in %v the silence in transaction grew by %v", passed, b.SilentInTransaction-a.SilentInTransaction)
				}
			})
			if err != nil || name != "ada" {
				t.Fatalf("read %q: %v", name, err)
			}
			s := recorder.Snapshot()
			if len(s.Open) != 0 || s.Pools[0].Checkouts != s.Pools[0].Releases || s.Pools[0].Checkouts < 2 {
				t.Errorf("pool %+v, open %+v: every checkout should have its release", s.Pools[0], s.Open)
			}
			calls := 0
			for _, series := range s.Series {
				if !strings.HasSuffix(series.Site.File, "orm_test.go") {
					t.Errorf("a hold was taken at %+v, want a line of this test", series.Site)
				}
				for range series.SlowCalls {
					calls++
					if series.Route != "job "+mapper || series.SilentInTransaction <= 0 || series.Statements < 3 {
						t.Errorf("the hold with the pause is %+v, want it silent in transaction", series)
					}
				}
			}
			if calls != 1 {
				t.Errorf("%d holds were seen to have a slow call inside, want that with the pause", calls)
			}
		})
	}
}
