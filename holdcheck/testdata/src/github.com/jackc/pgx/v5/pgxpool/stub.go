// Package pgxpool is a stub: signatures only.
package pgxpool

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

type Pool struct{ _ int }

func New(ctx context.Context, dsn string) (*Pool, error) { return &Pool{}, nil }

func (p *Pool) Acquire(ctx context.Context) (*Conn, error) { return nil, nil }
func (p *Pool) AcquireFunc(ctx context.Context, f func(*Conn) error) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	return f(c)
}
func (p *Pool) AcquireAllIdle(ctx context.Context) []*Conn                        { return nil }
func (p *Pool) Begin(ctx context.Context) (pgx.Tx, error)                         { return nil, nil }
func (p *Pool) BeginTx(ctx context.Context, o pgx.TxOptions) (pgx.Tx, error)      { return nil, nil }
func (p *Pool) Query(ctx context.Context, sql string, a ...any) (pgx.Rows, error) { return nil, nil }
func (p *Pool) QueryRow(ctx context.Context, sql string, a ...any) pgx.Row        { return nil }
func (p *Pool) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults      { return nil }
func (p *Pool) Ping(ctx context.Context) error                                    { return nil }
func (p *Pool) Close()                                                            {}
func (p *Pool) Exec(ctx context.Context, sql string, a ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, nil
}
func (p *Pool) CopyFrom(ctx context.Context, t pgx.Identifier, cols []string, src pgx.CopyFromSource) (int64, error) {
	for src.Next() {
		src.Values()
	}
	return 0, src.Err()
}

type Conn struct{ _ int }

func (c *Conn) Release()                                                          {}
func (c *Conn) Hijack() *pgx.Conn                                                 { return nil }
func (c *Conn) Conn() *pgx.Conn                                                   { return nil }
func (c *Conn) Begin(ctx context.Context) (pgx.Tx, error)                         { return nil, nil }
func (c *Conn) Query(ctx context.Context, sql string, a ...any) (pgx.Rows, error) { return nil, nil }
func (c *Conn) QueryRow(ctx context.Context, sql string, a ...any) pgx.Row        { return nil }
func (c *Conn) Exec(ctx context.Context, sql string, a ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, nil
}
