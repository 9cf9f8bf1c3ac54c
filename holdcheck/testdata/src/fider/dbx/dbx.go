// Package dbx opens transactions for the rest.
package dbx

import (
	"context"
	"database/sql"
)

var conn *sql.DB

func Use(db *sql.DB) { conn = db }

// Trx is a transaction.
type Trx struct {
	tx  *sql.Tx
	ctx context.Context
}

func BeginTx(ctx context.Context) (*Trx, error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &Trx{tx: tx, ctx: ctx}, nil
}

func (t *Trx) Commit() error   { return t.tx.Commit() }
func (t *Trx) Rollback() error { return t.tx.Rollback() }

// MustCommit panics where it cannot.
func (t *Trx) MustCommit() {
	if err := t.Commit(); err != nil {
		panic(err)
	}
}

func (t *Trx) Execute(query string, args ...any) error {
	_, err := t.tx.ExecContext(t.ctx, query, args...)
	return err
}
