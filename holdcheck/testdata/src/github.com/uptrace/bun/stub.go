// Package bun is a stub: signatures only.
package bun

import (
	"context"
	"database/sql"
)

type IDB interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	RunInTx(ctx context.Context, o *sql.TxOptions, fn func(ctx context.Context, tx Tx) error) error
}

type DB struct{ *sql.DB }

type Tx struct{ *sql.Tx }

type Conn struct{ *sql.Conn }

func (db *DB) BeginTx(ctx context.Context, o *sql.TxOptions) (Tx, error) { return Tx{}, nil }
func (db *DB) Conn(ctx context.Context) (Conn, error)                    { return Conn{}, nil }
func (db *DB) RunInTx(ctx context.Context, o *sql.TxOptions, fn func(ctx context.Context, tx Tx) error) error {
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (tx Tx) RunInTx(ctx context.Context, o *sql.TxOptions, fn func(ctx context.Context, tx Tx) error) error {
	return fn(ctx, tx)
}
