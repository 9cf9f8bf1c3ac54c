// Package sqlx is a stub: signatures only.
package sqlx

import (
	"context"
	"database/sql"
)

type DB struct{ *sql.DB }

type Tx struct{ *sql.Tx }

type Conn struct{ *sql.Conn }

type Rows struct{ *sql.Rows }

func (r *Rows) StructScan(dest any) error { return nil }

func (db *DB) Beginx() (*Tx, error)                                                   { return nil, nil }
func (db *DB) BeginTxx(ctx context.Context, o *sql.TxOptions) (*Tx, error)            { return nil, nil }
func (db *DB) MustBegin() *Tx                                                         { return nil }
func (db *DB) MustBeginTx(ctx context.Context, o *sql.TxOptions) *Tx                  { return nil }
func (db *DB) Connx(ctx context.Context) (*Conn, error)                               { return nil, nil }
func (db *DB) Queryx(query string, args ...any) (*Rows, error)                        { return nil, nil }
func (db *DB) NamedQuery(query string, arg any) (*Rows, error)                        { return nil, nil }
func (db *DB) Select(dest any, query string, args ...any) error                       { return nil }
func (db *DB) Get(dest any, query string, args ...any) error                          { return nil }
func (db *DB) NamedExec(query string, arg any) (sql.Result, error)                    { return nil, nil }
func (tx *Tx) Get(dest any, query string, args ...any) error                          { return nil }
func (tx *Tx) NamedExec(query string, arg any) (sql.Result, error)                    { return nil, nil }
func (db *DB) GetContext(ctx context.Context, dest any, query string, a ...any) error { return nil }
