package libs

import (
	"context"
	"net/http"

	"github.com/uptrace/bun"
)

func bunRunInTx(ctx context.Context, db *bun.DB) error {
	return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func okBunRunInTx(ctx context.Context, db *bun.DB) error {
	if err := db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "delete from a")
		return err
	}); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

func bunBegin(ctx context.Context, db *bun.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u) // want "high http"
	return tx.Commit()
}

func okBunCommitted(ctx context.Context, db *bun.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := tx.Commit(); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

func bunConn(ctx context.Context, db *bun.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	http.Get(u) // want "high http"
	return nil
}

func bunNested(ctx context.Context, db *bun.DB) error {
	return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if err := tx.RunInTx(ctx, nil, func(ctx context.Context, inner bun.Tx) error {
			return nil
		}); err != nil {
			return err
		}
		http.Get(u) // want "high http"
		return nil
	})
}
