// Package sql is a stub: signatures only.
package sql

import (
	"context"
	"database/sql"

	"entgo.io/ent/dialect"
)

type Driver struct{ db *sql.DB }

func OpenDB(d string, db *sql.DB) *Driver { return &Driver{db} }

func (d *Driver) Exec(ctx context.Context, query string, args, v any) error  { return nil }
func (d *Driver) Query(ctx context.Context, query string, args, v any) error { return nil }
func (d *Driver) Close() error                                               { return nil }
func (d *Driver) Dialect() string                                            { return "postgres" }
func (d *Driver) Tx(ctx context.Context) (dialect.Tx, error)                 { return d.BeginTx(ctx, nil) }
func (d *Driver) BeginTx(ctx context.Context, o *sql.TxOptions) (dialect.Tx, error) {
	tx, err := d.db.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Tx{tx}, nil
}

type Tx struct{ tx *sql.Tx }

func (t *Tx) Exec(ctx context.Context, query string, args, v any) error  { return nil }
func (t *Tx) Query(ctx context.Context, query string, args, v any) error { return nil }
func (t *Tx) Commit() error                                              { return t.tx.Commit() }
func (t *Tx) Rollback() error                                            { return t.tx.Rollback() }
