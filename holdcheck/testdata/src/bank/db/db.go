// Package db looks like what sqlc generates, and transactions around it.
package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

type DBTX interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

type Queries struct{ db DBTX }

func New(db DBTX) *Queries { return &Queries{db} }

type User struct{ Name, Mail string }

func (q *Queries) CreateUser(ctx context.Context, name string) (u User, err error) {
	err = q.db.QueryRow(ctx, "insert into users", name).Scan(&u.Name, &u.Mail)
	return u, err
}

func (q *Queries) AddBalance(ctx context.Context, account, amount int64) error {
	_, err := q.db.Exec(ctx, "update accounts", account, amount)
	return err
}

// Querier is all of Queries.
type Querier interface {
	CreateUser(ctx context.Context, name string) (User, error)
	AddBalance(ctx context.Context, account, amount int64) error
}

// Store is Queries with transactions.
type Store interface {
	Querier
	CreateUserTx(ctx context.Context, arg CreateUserTxParams) (CreateUserTxResult, error)
	TransferTx(ctx context.Context, from, to, amount int64) error
	VerifyMailTx(ctx context.Context, arg VerifyMailTxParams) error
}

type SQLStore struct {
	pool *pgxpool.Pool
	*Queries
}

func NewStore(pool *pgxpool.Pool) Store { return &SQLStore{pool: pool, Queries: New(pool)} }

func (s *SQLStore) execTx(ctx context.Context, fn func(*Queries) error) error {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return err
	}
	q := New(tx)
	if err = fn(q); err != nil {
		if rerr := tx.Rollback(ctx); rerr != nil {
			return fmt.Errorf("tx: %v, rolling back: %v", err, rerr)
		}
		return err
	}
	return tx.Commit(ctx)
}

type CreateUserTxParams struct {
	Name        string
	AfterCreate func(user User) error
}

type CreateUserTxResult struct{ User User }

func (s *SQLStore) CreateUserTx(ctx context.Context, arg CreateUserTxParams) (CreateUserTxResult, error) {
	var result CreateUserTxResult
	err := s.execTx(ctx, func(q *Queries) error { // hold
		var err error
		result.User, err = q.CreateUser(ctx, arg.Name)
		if err != nil {
			return err
		}
		return arg.AfterCreate(result.User) // wantcheck "medium broker .*Enqueue"
	})
	return result, err
}

func (s *SQLStore) okTransfer(ctx context.Context, from, to, amount int64) error {
	return s.execTx(ctx, func(q *Queries) error {
		if err := q.AddBalance(ctx, from, -amount); err != nil {
			return err
		}
		return q.AddBalance(ctx, to, amount)
	})
}

func (s *SQLStore) TransferTx(ctx context.Context, from, to, amount int64) error {
	return s.okTransfer(ctx, from, to, amount)
}

type VerifyMailTxParams struct {
	Account int64
	Check   func(code string) bool
	Done    func(user User) error
}

func (s *SQLStore) okVerify(ctx context.Context, arg VerifyMailTxParams) error {
	if err := s.execTx(ctx, func(q *Queries) error {
		if !arg.Check("1234") {
			return pgx.ErrNoRows
		}
		return q.AddBalance(ctx, arg.Account, 1)
	}); err != nil {
		return err
	}
	return arg.Done(User{})
}

func (s *SQLStore) VerifyMailTx(ctx context.Context, arg VerifyMailTxParams) error {
	return s.okVerify(ctx, arg)
}
