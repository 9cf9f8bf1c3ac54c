// Package storage keeps accounts.
package storage

import (
	"context"
	"database/sql"
)

type Account struct {
	Mail, Phone string
	Confirmed   bool
}

// Store is what handlers know of the database.
type Store interface {
	// RunInTx runs fn in a transaction; inside one, in that one.
	RunInTx(ctx context.Context, fn func(s Store) error) error
	Find(ctx context.Context, mail string) (*Account, error)
	Save(ctx context.Context, a *Account) error
}

type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Postgres is a Store.
type Postgres struct {
	db *sql.DB
	tx *sql.Tx // nil outside a transaction
}

func New(db *sql.DB) *Postgres { return &Postgres{db: db} }

func (p *Postgres) q() querier {
	if p.tx != nil {
		return p.tx
	}
	return p.db
}

func (p *Postgres) RunInTx(ctx context.Context, fn func(s Store) error) error {
	if p.tx != nil {
		return fn(p)
	}
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(&Postgres{db: p.db, tx: tx}); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func (p *Postgres) Find(ctx context.Context, mail string) (*Account, error) {
	a := &Account{Mail: mail}
	err := p.q().QueryRowContext(ctx, "select phone from accounts where mail = $1", mail).Scan(&a.Phone)
	return a, err
}

func (p *Postgres) Save(ctx context.Context, a *Account) error {
	_, err := p.q().ExecContext(ctx, "insert into accounts values ($1, $2)", a.Mail, a.Phone)
	return err
}
