// Package ent looks like a client that ent generated.
package ent

import (
	"context"
	"errors"

	"entgo.io/ent/dialect"
)

type config struct{ driver dialect.Driver }

type Client struct {
	config
	User *UserClient
}

func NewClient(d dialect.Driver) *Client {
	cfg := config{driver: d}
	return &Client{config: cfg, User: &UserClient{cfg}}
}

// Tx begins a transaction.
func (c *Client) Tx(ctx context.Context) (*Tx, error) {
	if _, ok := c.driver.(*txDriver); ok {
		return nil, errors.New("ent: within a transaction")
	}
	tx, err := newTx(ctx, c.driver)
	if err != nil {
		return nil, err
	}
	cfg := c.config
	cfg.driver = tx
	return &Tx{ctx: ctx, config: cfg, User: &UserClient{cfg}}, nil
}

type Tx struct {
	config
	User *UserClient
	ctx  context.Context
}

func (tx *Tx) Commit() error   { return tx.config.driver.(*txDriver).tx.Commit() }
func (tx *Tx) Rollback() error { return tx.config.driver.(*txDriver).tx.Rollback() }
func (tx *Tx) Client() *Client { return &Client{config: tx.config, User: tx.User} }

type txDriver struct {
	drv dialect.Driver
	tx  dialect.Tx
}

func newTx(ctx context.Context, drv dialect.Driver) (*txDriver, error) {
	tx, err := drv.Tx(ctx)
	if err != nil {
		return nil, err
	}
	return &txDriver{tx: tx, drv: drv}, nil
}

func (t *txDriver) Tx(context.Context) (dialect.Tx, error) { return t, nil }
func (t *txDriver) Close() error                           { return nil }
func (t *txDriver) Dialect() string                        { return t.drv.Dialect() }
func (t *txDriver) Commit() error                          { return nil }
func (t *txDriver) Rollback() error                        { return nil }
func (t *txDriver) Exec(ctx context.Context, query string, args, v any) error {
	return t.tx.Exec(ctx, query, args, v)
}
func (t *txDriver) Query(ctx context.Context, query string, args, v any) error {
	return t.tx.Query(ctx, query, args, v)
}

type UserClient struct{ config }

func (c *UserClient) Create(ctx context.Context, name string) error {
	return c.driver.Exec(ctx, "insert", []any{name}, nil)
}
