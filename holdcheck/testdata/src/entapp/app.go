// Package entapp uses a client that ent generated.
package entapp

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"

	entsql "entgo.io/ent/dialect/sql"

	"entapp/ent"
)

const u = "https://example.com/"

func open(db *sql.DB) *ent.Client { return ent.NewClient(entsql.OpenDB("postgres", db)) }

func withTx(ctx context.Context, c *ent.Client, fn func(tx *ent.Tx) error) error {
	tx, err := c.Tx(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if v := recover(); v != nil {
			tx.Rollback()
			panic(v)
		}
	}()
	if err := fn(tx); err != nil {
		if rerr := tx.Rollback(); rerr != nil {
			err = fmt.Errorf("%w: rolling back: %v", err, rerr)
		}
		return err
	}
	return tx.Commit()
}

func create(ctx context.Context, c *ent.Client) error {
	tx, err := c.Tx(ctx)
	if err != nil {
		return err
	}
	if err := tx.User.Create(ctx, "a"); err != nil {
		tx.Rollback()
		return err
	}
	http.Get(u) // want "high http"
	return tx.Commit()
}

func okCreate(ctx context.Context, c *ent.Client) error {
	tx, err := c.Tx(ctx)
	if err != nil {
		return err
	}
	if err := tx.User.Create(ctx, "a"); err != nil {
		tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

func createInHelper(ctx context.Context, c *ent.Client) error {
	return withTx(ctx, c, func(tx *ent.Tx) error {
		if err := tx.User.Create(ctx, "a"); err != nil {
			return err
		}
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func okCreateInHelper(ctx context.Context, c *ent.Client) error {
	if err := withTx(ctx, c, func(tx *ent.Tx) error {
		return tx.Client().User.Create(ctx, "a")
	}); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

func okWithoutTx(ctx context.Context, c *ent.Client) error {
	if err := c.User.Create(ctx, "a"); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}
