// Package sqlstore is a storage in a SQL database.
package sqlstore

import (
	"context"
	"database/sql"

	"dex/storage"
)

type conn struct{ db *sql.DB }

func Open(db *sql.DB) storage.Storage { return &conn{db} }

type trans struct {
	tx  *sql.Tx
	ctx context.Context
}

func (t *trans) Exec(query string, args ...any) (sql.Result, error) {
	return t.tx.ExecContext(t.ctx, query, args...)
}

func (t *trans) QueryRow(query string, args ...any) *sql.Row {
	return t.tx.QueryRowContext(t.ctx, query, args...)
}

// ExecTx runs fn in a transaction.
func (c *conn) ExecTx(ctx context.Context, fn func(tx *trans) error) error {
	tx, err := c.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return err
	}
	if err := fn(&trans{tx, ctx}); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func (c *conn) UpdateRefreshToken(ctx context.Context, id string, updater func(old storage.RefreshToken) (storage.RefreshToken, error)) error {
	return c.ExecTx(ctx, func(tx *trans) error { // hold
		r := storage.RefreshToken{ID: id}
		if err := tx.QueryRow("select data from refresh_token", id).Scan(&r.Data); err != nil {
			return err
		}
		if r, err := updater(r); err != nil { // wantcheck "high http"
			return err
		} else if _, err := tx.Exec("update refresh_token", r.Data); err != nil {
			return err
		}
		return nil
	})
}

func (c *conn) okUpdate(ctx context.Context, id string, updater func(old storage.AuthRequest) (storage.AuthRequest, error)) error {
	return c.ExecTx(ctx, func(tx *trans) error {
		a, err := updater(storage.AuthRequest{ID: id})
		if err != nil {
			return err
		}
		_, err = tx.Exec("update auth_request", a.Scope)
		return err
	})
}

func (c *conn) UpdateAuthRequest(ctx context.Context, id string, updater func(old storage.AuthRequest) (storage.AuthRequest, error)) error {
	return c.okUpdate(ctx, id, updater)
}

func (c *conn) GetRefreshToken(ctx context.Context, id string) (r storage.RefreshToken, err error) {
	err = c.db.QueryRowContext(ctx, "select data from refresh_token", id).Scan(&r.Data)
	return r, err
}
