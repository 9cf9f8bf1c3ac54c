// Package pgx is a stub of version 4: signatures only.
package pgx

import "context"

type Tx interface {
	Begin(ctx context.Context) (Tx, error)
	Commit(ctx context.Context) error
	Rollback(ctx context.Context) error
	Exec(ctx context.Context, sql string, args ...any) (int64, error)
}
