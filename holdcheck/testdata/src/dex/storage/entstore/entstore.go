// Package entstore is a storage that begins its transactions by itself.
package entstore

import (
	"context"
	"database/sql"
	"fmt"

	"dex/storage"
)

type Database struct{ db *sql.DB }

func New(db *sql.DB) *Database { return &Database{db} }

func (d *Database) BeginTx(ctx context.Context) (*sql.Tx, error) {
	return d.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
}

func rollback(tx *sql.Tx, text string, err error) error {
	if rerr := tx.Rollback(); rerr != nil {
		err = fmt.Errorf("%w: rolling back: %v", err, rerr)
	}
	return fmt.Errorf(text, err)
}

func (d *Database) UpdateRefreshToken(ctx context.Context, id string, updater func(old storage.RefreshToken) (storage.RefreshToken, error)) error {
	tx, err := d.BeginTx(ctx)
	if err != nil {
		return err
	}
	old := storage.RefreshToken{ID: id}
	if err := tx.QueryRowContext(ctx, "select data from refresh_token", id).Scan(&old.Data); err != nil {
		return rollback(tx, "update refresh token: %w", err)
	}
	renewed, err := updater(old) // wantcheck "high http"
	if err != nil {
		return rollback(tx, "update refresh token: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "update refresh_token", renewed.Data); err != nil {
		return rollback(tx, "update refresh token: %w", err)
	}
	return tx.Commit()
}

func (d *Database) UpdateAuthRequest(ctx context.Context, id string, updater func(old storage.AuthRequest) (storage.AuthRequest, error)) error {
	a, err := updater(storage.AuthRequest{ID: id})
	if err != nil {
		return err
	}
	_, err = d.db.ExecContext(ctx, "update auth_request", a.Scope)
	return err
}

func (d *Database) okGet(ctx context.Context, id string) (r storage.RefreshToken, err error) {
	tx, err := d.BeginTx(ctx)
	if err != nil {
		return r, err
	}
	if err := tx.QueryRowContext(ctx, "select data from refresh_token", id).Scan(&r.Data); err != nil {
		return r, rollback(tx, "get refresh token: %w", err)
	}
	return r, tx.Commit()
}

func (d *Database) GetRefreshToken(ctx context.Context, id string) (storage.RefreshToken, error) {
	return d.okGet(ctx, id)
}
