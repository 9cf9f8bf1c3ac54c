package ormtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/lib/pq"
	"modernc.org/sqlite"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/pg/pgtest"
	"github.com/pghold/pghold/sqlhold"
)

var connectors = map[string]func(*testing.T) driver.Connector{
	"pgx": func(t *testing.T) driver.Connector {
		cfg, err := pgx.ParseConfig(pgtest.DSN(t))
		must(t, err)
		return stdlib.GetConnector(*cfg)
	},
	"pq": func(t *testing.T) driver.Connector {
		c, err := pq.NewConnector(pgtest.DSN(t))
		must(t, err)
		return c
	},
	"sqlite": func(t *testing.T) driver.Connector {
		return nameConnector{filepath.Join(t.TempDir(), "db")}
	},
}

type nameConnector struct{ name string }

func (c nameConnector) Connect(context.Context) (driver.Conn, error) {
	return c.Driver().Open(c.name)
}
func (nameConnector) Driver() driver.Driver { return &sqlite.Driver{} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Real drivers give the same results and errors with sqlhold as without it, and the
// same of their connections are kept. Which of a driver's methods are called, sqlhold's
// own tests compare.
func TestDrivers_AreTheSameWithIt(t *testing.T) {
	for name, connector := range connectors {
		t.Run(name, func(t *testing.T) {
			bare := outcomes(t, sql.OpenDB, connector(t))
			with := outcomes(t, func(c driver.Connector) *sql.DB {
				db, err := sqlhold.OpenDB(c, pghold.NewRecorder(pghold.Config{}), "main")
				must(t, err)
				return db
			}, connector(t))
			if !slices.Equal(bare, with) {
				t.Errorf("without sqlhold:\n%q\nwith it:\n%q", bare, with)
			}
		})
	}
}

// outcomes are what callers see of one connection at a time, in words.
func outcomes(t *testing.T, open func(driver.Connector) *sql.DB, c driver.Connector) (lines []string) {
	db := open(c)
	defer db.Close()
	db.SetMaxOpenConns(1)
	ctx := t.Context()
	note := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }

	// own is the driver's connection that the pool has now: a new one where the last
	// was thrown away.
	var last any
	own := func() {
		conn, err := db.Conn(ctx)
		must(t, err)
		must(t, conn.Raw(func(c any) error {
			note("%T, kept: %t", sqlhold.Unwrap(c), sqlhold.Unwrap(c) == last)
			last = sqlhold.Unwrap(c)
			return nil
		}))
		must(t, conn.Close())
	}
	query := func(text string, args ...any) {
		rows, err := db.QueryContext(ctx, text, args...)
		if note("%s: %v", text, err); err != nil {
			return
		}
		defer rows.Close()
		types, err := rows.ColumnTypes()
		for _, c := range types {
			length, hasLength := c.Length()
			nullable, hasNullable := c.Nullable()
			precision, scale, hasScale := c.DecimalSize()
			note("%s %s %v %d %t %t %t %d %d %t", c.Name(), c.DatabaseTypeName(), c.ScanType(), length, hasLength, nullable, hasNullable, precision, scale, hasScale)
		}
		note("%v", err)
		for more := true; more; more = rows.NextResultSet() {
			for rows.Next() {
				values := make([]any, len(types))
				for i := range values {
					values[i] = new(any)
				}
				note("%v", rows.Scan(values...))
				for _, v := range values {
					note("%T %v", *v.(*any), *v.(*any))
				}
			}
		}
		note("%v", rows.Err())
	}
	own()
	note("ping: %v", db.PingContext(ctx))
	_, err := db.ExecContext(ctx, "create table t (n integer, s varchar(7), d numeric(5,2))")
	note("create: %v", err)
	result, err := db.ExecContext(ctx, "insert into t values ($1, $2, 1.5)", 7, "seven")
	must(t, err)
	n, err := result.RowsAffected()
	note("insert: %d, %v", n, err)
	query("select * from t where n = $1", 7)
	query("select 1 as a; select 2 as b")
	query("select broken")
	query("select $1", struct{}{})
	query("select $1", sql.Named("n", 1))
	_, err = db.ExecContext(ctx, "insert into t values ($1, $2, $3)", 1)
	note("too few: %t", err != nil)
	own()

	stmt, err := db.PrepareContext(ctx, "select n from t where s = $1")
	must(t, err)
	note("prepared: %v, %d", stmt.QueryRowContext(ctx, "seven").Scan(&n), n)
	_, err = db.PrepareContext(ctx, "select from where")
	note("prepare: %v", err)
	for _, opts := range []*sql.TxOptions{nil, {ReadOnly: true}, {Isolation: sql.LevelSerializable}, {Isolation: sql.LevelLinearizable}} {
		tx, err := db.BeginTx(ctx, opts)
		if note("begin: %v", err); err != nil {
			continue
		}
		_, err = tx.ExecContext(ctx, "update t set n = 8")
		note("update: %v", err)
		note("in it: %v, %d", tx.StmtContext(ctx, stmt).QueryRowContext(ctx, "seven").Scan(&n), n)
		note("commit: %v", tx.Commit())
		own()
	}

	// The next caller waits for the rollback in the background: the pool has no other
	// connection.
	leaves, leave := context.WithCancel(ctx)
	tx, err := db.BeginTx(leaves, nil)
	must(t, err)
	_, err = tx.ExecContext(ctx, "update t set n = 9")
	note("update: %v", err)
	leave()
	note("rolled back: %v, %d", db.QueryRowContext(ctx, "select n from t").Scan(&n), n)
	if _, ok := c.(*pq.Connector); !ok { // of which two goroutines decide, the one that is first
		own()
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, err = db.ExecContext(over, "select 1")
	note("over: %v", err)
	note("close: %v", stmt.Close())
	return lines
}
