// Package pgxcases has the ways of pgx and pgxpool to take a connection.
package pgxcases

import (
	"context"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const u = "https://example.com/"

func begin(ctx context.Context, p *pgxpool.Pool) error {
	tx, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	http.Get(u) // want "high http"
	return tx.Commit(ctx)
}

func okCommitted(ctx context.Context, p *pgxpool.Pool) error {
	tx, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "delete from a"); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

func beginTx(ctx context.Context, p *pgxpool.Pool) error {
	tx, err := p.BeginTx(ctx, pgx.TxOptions{IsoLevel: "serializable"})
	if err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return tx.Rollback(ctx)
}

func beginFunc(ctx context.Context, p *pgxpool.Pool) error {
	return pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error { // hold
		if _, err := tx.Exec(ctx, "delete from a"); err != nil {
			return err
		}
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func okAfterBeginFunc(ctx context.Context, p *pgxpool.Pool) error {
	err := pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "delete from a")
		return err
	})
	if err != nil {
		return err
	}
	_, err = http.Get(u)
	return err
}

func beginTxFunc(ctx context.Context, p *pgxpool.Pool) error {
	return pgx.BeginTxFunc(ctx, p, pgx.TxOptions{}, func(tx pgx.Tx) error {
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func acquire(ctx context.Context, p *pgxpool.Pool) error {
	c, err := p.Acquire(ctx) // hold
	if err != nil {
		return err
	}
	defer c.Release()
	var a string
	if err := c.QueryRow(ctx, "select a from b").Scan(&a); err != nil {
		return err
	}
	_, err = http.Get(a) // want "high http"
	return err
}

func okReleased(ctx context.Context, p *pgxpool.Pool) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	var a string
	err = c.QueryRow(ctx, "select a from b").Scan(&a)
	c.Release()
	if err != nil {
		return err
	}
	_, err = http.Get(a)
	return err
}

func okHijacked(ctx context.Context, p *pgxpool.Pool) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	own := c.Hijack()
	http.Get(u)
	return own.Close(ctx)
}

func acquireFunc(ctx context.Context, p *pgxpool.Pool) error {
	return p.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		http.Get(u) // want "high http"
		return nil
	})
}

func okAcquireFunc(ctx context.Context, p *pgxpool.Pool) error {
	var a string
	err := p.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		return c.QueryRow(ctx, "select a from b").Scan(&a)
	})
	http.Get(a)
	return err
}

func query(ctx context.Context, p *pgxpool.Pool) error {
	rows, err := p.Query(ctx, "select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		http.Get(u) // want "high http"
	}
	return rows.Err()
}

func okQueryRead(ctx context.Context, p *pgxpool.Pool) error {
	rows, err := p.Query(ctx, "select a from b")
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	http.Get(u)
	return rows.Err()
}

func collect(ctx context.Context, p *pgxpool.Pool) ([]string, error) {
	rows, err := p.Query(ctx, "select a from b")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var a string
		err := row.Scan(&a)
		http.Get(a) // want "high http"
		return a, err
	})
}

func okCollected(ctx context.Context, p *pgxpool.Pool) error {
	rows, err := p.Query(ctx, "select a from b")
	if err != nil {
		return err
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, a := range all {
		http.Get(a)
	}
	return nil
}

func okCollectedOne(ctx context.Context, p *pgxpool.Pool) error {
	rows, _ := p.Query(ctx, "select a from b")
	a, err := pgx.CollectOneRow(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	http.Get(a)
	return nil
}

func forEach(ctx context.Context, p *pgxpool.Pool) error {
	rows, err := p.Query(ctx, "select a from b")
	if err != nil {
		return err
	}
	var a string
	_, err = pgx.ForEachRow(rows, []any{&a}, func() error {
		_, err := http.Get(a) // want "high http"
		return err
	})
	return err
}

func okForEach(ctx context.Context, p *pgxpool.Pool) error {
	rows, err := p.Query(ctx, "select a from b")
	if err != nil {
		return err
	}
	var a string
	var all []string
	if _, err = pgx.ForEachRow(rows, []any{&a}, func() error {
		all = append(all, a)
		return nil
	}); err != nil {
		return err
	}
	http.Get(all[0])
	return nil
}

func rowUnscanned(ctx context.Context, p *pgxpool.Pool) (a string, err error) {
	row := p.QueryRow(ctx, "select a from b")
	http.Get(u) // want "high http"
	err = row.Scan(&a)
	return a, err
}

func batch(ctx context.Context, p *pgxpool.Pool) error {
	var b pgx.Batch
	b.Queue("select 1")
	results := p.SendBatch(ctx, &b)
	defer results.Close()
	if _, err := results.Exec(); err != nil {
		return err
	}
	_, err := http.Get(u) // want "high http"
	return err
}

func okBatchClosed(ctx context.Context, p *pgxpool.Pool) error {
	var b pgx.Batch
	b.Queue("select 1")
	results := p.SendBatch(ctx, &b)
	if _, err := results.Exec(); err != nil {
		results.Close()
		return err
	}
	if err := results.Close(); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

// pages is a source for COPY that fetches each row.
type pages struct{ urls []string }

func (p *pages) Next() bool {
	if len(p.urls) == 0 {
		return false
	}
	http.Get(p.urls[0]) // want "high http"
	p.urls = p.urls[1:]
	return true
}
func (p *pages) Values() ([]any, error) { return []any{p.urls[0]}, nil }
func (p *pages) Err() error             { return nil }

func copySource(ctx context.Context, p *pgxpool.Pool, urls []string) (int64, error) {
	return p.CopyFrom(ctx, pgx.Identifier{"a"}, []string{"b"}, &pages{urls})
}

func copyFunc(ctx context.Context, p *pgxpool.Pool) (int64, error) {
	columns := []string{"b"}
	return p.CopyFrom(ctx, pgx.Identifier{"a"}, columns, pgx.CopyFromFunc(func() ([]any, error) { return page() })) // want "high http"
}

func page() ([]any, error) {
	_, err := http.Get(u)
	return nil, err
}

func okCopyRows(ctx context.Context, p *pgxpool.Pool, urls []string) (int64, error) {
	var rows [][]any
	for _, a := range urls {
		r, err := http.Get(a)
		if err != nil {
			return 0, err
		}
		rows = append(rows, []any{r.Status})
	}
	return p.CopyFrom(ctx, pgx.Identifier{"a"}, []string{"b"}, pgx.CopyFromRows(rows))
}

func allIdle(ctx context.Context, p *pgxpool.Pool) {
	for _, c := range p.AcquireAllIdle(ctx) {
		http.Get(u) // want "high http"
		c.Release()
	}
}

func okAllIdle(ctx context.Context, p *pgxpool.Pool) {
	for _, c := range p.AcquireAllIdle(ctx) {
		c.Release()
	}
	http.Get(u)
}

func savepoint(ctx context.Context, p *pgxpool.Pool) error {
	tx, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	inner, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	if err := inner.Commit(ctx); err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return tx.Commit(ctx)
}

func okSavepoint(ctx context.Context, p *pgxpool.Pool) error {
	tx, err := p.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	inner, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	if err := inner.Commit(ctx); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

func savepointFunc(ctx context.Context, p *pgxpool.Pool) error {
	return pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
		if err := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			_, err := inner.Exec(ctx, "delete from a")
			return err
		}); err != nil {
			return err
		}
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func okPoolExec(ctx context.Context, p *pgxpool.Pool) error {
	if _, err := p.Exec(ctx, "delete from a"); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}
