// Package pgx is a stub: signatures only.
package pgx

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

var ErrNoRows = errors.New("no rows")

type TxOptions struct{ IsoLevel string }

type Identifier []string

type Tx interface {
	Begin(ctx context.Context) (Tx, error)
	Commit(ctx context.Context) error
	Rollback(ctx context.Context) error
	CopyFrom(ctx context.Context, table Identifier, columns []string, src CopyFromSource) (int64, error)
	SendBatch(ctx context.Context, b *Batch) BatchResults
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) Row
	Conn() *Conn
}

type Row interface{ Scan(dest ...any) error }

type Rows interface {
	Close()
	Err() error
	Next() bool
	Scan(dest ...any) error
	Values() ([]any, error)
	Conn() *Conn
}

type CollectableRow interface{ Scan(dest ...any) error }

type RowToFunc[T any] func(row CollectableRow) (T, error)

func RowTo[T any](row CollectableRow) (T, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}

func CollectRows[T any](rows Rows, fn RowToFunc[T]) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := fn(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

func CollectOneRow[T any](rows Rows, fn RowToFunc[T]) (T, error) {
	defer rows.Close()
	rows.Next()
	return fn(rows)
}

func ForEachRow(rows Rows, scans []any, fn func() error) (pgconn.CommandTag, error) {
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(scans...); err != nil {
			return pgconn.CommandTag{}, err
		}
		if err := fn(); err != nil {
			return pgconn.CommandTag{}, err
		}
	}
	return pgconn.CommandTag{}, rows.Err()
}

type Conn struct{ _ int }

func (c *Conn) Begin(ctx context.Context) (Tx, error)                       { return nil, nil }
func (c *Conn) BeginTx(ctx context.Context, o TxOptions) (Tx, error)        { return nil, nil }
func (c *Conn) Close(ctx context.Context) error                             { return nil }
func (c *Conn) Query(ctx context.Context, s string, a ...any) (Rows, error) { return nil, nil }
func (c *Conn) QueryRow(ctx context.Context, s string, a ...any) Row        { return nil }
func (c *Conn) Exec(ctx context.Context, s string, a ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, nil
}
func (c *Conn) WaitForNotification(ctx context.Context) (*pgconn.Notification, error) {
	return nil, nil
}

type CopyFromSource interface {
	Next() bool
	Values() ([]any, error)
	Err() error
}

type rowsSource struct{ rows [][]any }

func (s *rowsSource) Next() bool             { return false }
func (s *rowsSource) Values() ([]any, error) { return nil, nil }
func (s *rowsSource) Err() error             { return nil }

func CopyFromRows(rows [][]any) CopyFromSource { return &rowsSource{rows} }

type funcSource struct {
	next func() ([]any, error)
	row  []any
	err  error
}

func (s *funcSource) Next() bool {
	s.row, s.err = s.next()
	return s.err == nil && s.row != nil
}
func (s *funcSource) Values() ([]any, error) { return s.row, nil }
func (s *funcSource) Err() error             { return s.err }

func CopyFromFunc(next func() (row []any, err error)) CopyFromSource {
	return &funcSource{next: next}
}

type Batch struct{ n int }

func (b *Batch) Queue(sql string, args ...any) { b.n++ }

type BatchResults interface {
	Exec() (pgconn.CommandTag, error)
	Query() (Rows, error)
	QueryRow() Row
	Close() error
}

func BeginFunc(ctx context.Context, db interface {
	Begin(ctx context.Context) (Tx, error)
}, fn func(Tx) error) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func BeginTxFunc(ctx context.Context, db interface {
	BeginTx(ctx context.Context, o TxOptions) (Tx, error)
}, o TxOptions, fn func(Tx) error) error {
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
