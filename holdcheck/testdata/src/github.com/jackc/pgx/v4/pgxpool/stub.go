// Package pgxpool is a stub of version 4: signatures only.
package pgxpool

import (
	"context"

	"github.com/jackc/pgx/v4"
)

type Pool struct{ _ int }

func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error) { return nil, nil }
func (p *Pool) BeginFunc(ctx context.Context, f func(pgx.Tx) error) error {
	tx, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
