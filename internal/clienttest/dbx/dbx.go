// Package dbx is what an application may have between its repositories and its database:
// everything that takes a connection is called from here. Tests use it as an example.
package dbx

import (
	"context"
	"database/sql"
	"errors"
)

// DB is a database. All holds of the application begin in its methods, in Get, or in
// those of a Table.
type DB struct{ pool *sql.DB }

// New makes a DB of a pool.
func New(pool *sql.DB) *DB { return &DB{pool} }

// Tx runs f in a transaction.
func (db *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Get reads a value.
func Get[T any](ctx context.Context, db *DB, query string, args ...any) (value T, err error) {
	err = db.pool.QueryRowContext(ctx, query, args...).Scan(&value)
	return value, err
}

// Table is a table with a column that is read as T.
type Table[T any] struct {
	db    *DB
	query string
}

// NewTable makes a Table of a query that takes an id.
func NewTable[T any](db *DB, query string) *Table[T] { return &Table[T]{db, query} }

// Find reads the row with an id.
func (t *Table[T]) Find(ctx context.Context, id int64) (T, error) {
	return Get[T](ctx, t.db, t.query, id)
}
