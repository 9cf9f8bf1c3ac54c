// Package transaction keeps a transaction in a context.
package transaction

import (
	"context"
	"database/sql"
	"errors"
)

type key struct{}

type holder struct{ tx *sql.Tx }

// Pool is where transactions come from.
type Pool struct{ db *sql.DB }

func NewPool(db *sql.DB) *Pool { return &Pool{db} }

var pool *Pool

func Use(p *Pool) { pool = p }

// Do runs fn in a transaction: in the one that ctx has, or in a new one.
func Do(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	if _, ok := ctx.Value(key{}).(*holder); ok {
		return fn(ctx)
	}
	tx, err := pool.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = tx.Commit()
			return
		}
		if rerr := tx.Rollback(); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}()
	return fn(context.WithValue(ctx, key{}, &holder{tx}))
}

// DBTX is a *sql.DB or a *sql.Tx.
type DBTX interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// From is the context's transaction, or the database.
func From(ctx context.Context) DBTX {
	if h, ok := ctx.Value(key{}).(*holder); ok {
		return h.tx
	}
	return pool.db
}
