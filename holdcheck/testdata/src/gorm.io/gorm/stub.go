// Package gorm is a stub: signatures only.
package gorm

import (
	"context"
	"database/sql"
)

type DB struct {
	Error        error
	RowsAffected int64
}

func (db *DB) Begin(opts ...*sql.TxOptions) *DB       { return db }
func (db *DB) Commit() *DB                            { return db }
func (db *DB) Rollback() *DB                          { return db }
func (db *DB) SavePoint(name string) *DB              { return db }
func (db *DB) RollbackTo(name string) *DB             { return db }
func (db *DB) WithContext(ctx context.Context) *DB    { return db }
func (db *DB) Model(v any) *DB                        { return db }
func (db *DB) Where(query any, args ...any) *DB       { return db }
func (db *DB) Create(v any) *DB                       { return db }
func (db *DB) Save(v any) *DB                         { return db }
func (db *DB) First(dest any, conds ...any) *DB       { return db }
func (db *DB) Find(dest any, conds ...any) *DB        { return db }
func (db *DB) Rows() (*sql.Rows, error)               { return nil, nil }
func (db *DB) Connection(fc func(tx *DB) error) error { return fc(db) }
func (db *DB) Transaction(fc func(tx *DB) error, opts ...*sql.TxOptions) (err error) {
	tx := db.Begin(opts...)
	if err = fc(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit().Error
}
