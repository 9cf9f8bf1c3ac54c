package pgxcases

import (
	"context"
	"net/http"

	v4 "github.com/jackc/pgx/v4"
	v4pool "github.com/jackc/pgx/v4/pgxpool"
)

func beginFuncV4(ctx context.Context, p *v4pool.Pool) error {
	return p.BeginFunc(ctx, func(tx v4.Tx) error {
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func okBeginFuncV4(ctx context.Context, p *v4pool.Pool) error {
	if _, err := http.Get(u); err != nil {
		return err
	}
	return p.BeginFunc(ctx, func(tx v4.Tx) error {
		_, err := tx.Exec(ctx, "delete from a")
		return err
	})
}
