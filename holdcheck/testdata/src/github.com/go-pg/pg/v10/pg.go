// Package pg stands for github.com/go-pg/pg/v10.
package pg

import "context"

type Tx struct{}

func (tx *Tx) Exec(query string) error { return nil }

// DBI is a DB or a Tx.
type DBI interface {
	RunInTransaction(ctx context.Context, fn func(*Tx) error) error
}
