// Package checkouts takes a second connection while it holds one.
package checkouts

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func execBeside(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := db.ExecContext(ctx, "delete from a"); err != nil { // want "high checkout"
		return err
	}
	return tx.Commit()
}

func okExecInside(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "delete from a"); err != nil {
		return err
	}
	return tx.Commit()
}

func okOtherPool(ctx context.Context, db, other *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := other.ExecContext(ctx, "delete from a"); err != nil {
		return err
	}
	return tx.Commit()
}

func perRow(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a, c string
		rows.Scan(&a)
		db.QueryRowContext(ctx, "select c from d", a).Scan(&c) // want "high checkout"
	}
	return rows.Err()
}

func okAfterRows(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var a string
		rows.Scan(&a)
		all = append(all, a)
	}
	for _, a := range all {
		if _, err := db.ExecContext(ctx, "delete from d", a); err != nil {
			return err
		}
	}
	return rows.Err()
}

type repo struct{ db, replica *sql.DB }

func (r *repo) beginTwice(ctx context.Context) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	second, err := r.db.BeginTx(ctx, nil) // want "high checkout"
	if err != nil {
		return err
	}
	if err := second.Commit(); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *repo) okBeginInTurn(ctx context.Context) error {
	for range 2 {
		tx, err := r.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func (r *repo) okReplica(ctx context.Context) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var n int
	if err := r.replica.QueryRowContext(ctx, "select 1").Scan(&n); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *repo) find(ctx context.Context) (n int, err error) {
	err = r.db.QueryRowContext(ctx, "select 1").Scan(&n)
	return n, err
}

func (r *repo) findWith(ctx context.Context, tx *sql.Tx) (n int, err error) {
	err = tx.QueryRowContext(ctx, "select 1").Scan(&n)
	return n, err
}

func (r *repo) inCallee(ctx context.Context) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := r.find(ctx); err != nil { // want "high checkout"
		return err
	}
	return tx.Commit()
}

func (r *repo) okInCallee(ctx context.Context) error {
	if _, err := r.find(ctx); err != nil {
		return err
	}
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := r.findWith(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *repo) inTx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *repo) nestedHelper(ctx context.Context) error {
	return r.inTx(ctx, func(tx *sql.Tx) error {
		return r.inTx(ctx, func(inner *sql.Tx) error { // want "high checkout"
			_, err := inner.ExecContext(ctx, "delete from a")
			return err
		})
	})
}

func (r *repo) okHelperTwice(ctx context.Context) error {
	if err := r.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "delete from a")
		return err
	}); err != nil {
		return err
	}
	return r.inTx(ctx, func(tx *sql.Tx) error { return nil })
}

func acquireTwice(ctx context.Context, p *pgxpool.Pool) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	_, err = p.Exec(ctx, "delete from a") // want "high checkout"
	return err
}

func okOnAcquired(ctx context.Context, p *pgxpool.Pool) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	return tx.Commit(ctx)
}

func poolInBeginFunc(ctx context.Context, p *pgxpool.Pool) error {
	return pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
		_, err := p.Exec(ctx, "delete from a") // want "high checkout"
		return err
	})
}

func okTxInBeginFunc(ctx context.Context, p *pgxpool.Pool) error {
	if err := pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "delete from a")
		return err
	}); err != nil {
		return err
	}
	_, err := p.Exec(ctx, "delete from a")
	return err
}

func okBesideGoroutine(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	go db.ExecContext(ctx, "delete from a")
	return tx.Commit()
}

func connBeside(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var n int
	return db.QueryRowContext(ctx, "select 1").Scan(&n) // want "high checkout"
}

func handedDown(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := touch(ctx, db); err != nil { // want "high checkout"
		return err
	}
	return tx.Commit()
}

func touch(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "update a set b = now()")
	return err
}

func preparedBeside(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	st, err := db.PrepareContext(ctx, "select 1") // want "high checkout"
	if err != nil {
		return err
	}
	return st.Close()
}
