package lab

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// with runs f on a connection of its own: not one of the app's, which are measured.
func (db *Database) with(ctx context.Context, f func(*pgx.Conn) error) error {
	conn, err := connect(ctx, db.network, db.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return f(conn)
}

// emptyAccounts makes so many accounts of balance 0 that nothing has been done to.
func (db *Database) emptyAccounts(ctx context.Context, accounts int) error {
	return db.with(ctx, func(conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, db.in(`truncate SCHEMA.accounts, SCHEMA.payments, SCHEMA.outbox`)); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, db.in(`insert into SCHEMA.accounts (id, balance, version) select id, 0, 0 from generate_series(1, $1) id`), accounts)
		return err
	})
}

// countUpdates returns the names of the updates that were recorded, and the sum of
// the balances: as many, where none was lost.
func (db *Database) countUpdates(ctx context.Context) (recorded map[string]bool, sum int, err error) {
	err = db.with(ctx, func(conn *pgx.Conn) error {
		rows, _ := conn.Query(ctx, db.in(`select op from SCHEMA.payments`)) // CollectRows returns the error
		ops, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		recorded = make(map[string]bool, len(ops))
		for _, op := range ops {
			recorded[op] = true
		}
		return conn.QueryRow(ctx, db.in(`select coalesce(sum(balance), 0)::int from SCHEMA.accounts`)).Scan(&sum)
	})
	return recorded, sum, err
}

// drainOutbox waits until nothing is left in the outbox, or ctx ends.
func (db *Database) drainOutbox(ctx context.Context) error {
	return db.with(ctx, func(conn *pgx.Conn) error {
		tick := time.NewTicker(minSamplePeriod)
		defer tick.Stop()
		for {
			var left bool
			if err := conn.QueryRow(ctx, db.in(`select exists (select from SCHEMA.outbox where not done)`)).Scan(&left); err != nil || !left {
				return err
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}
