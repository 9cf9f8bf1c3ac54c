// Package longholds holds connections for long, and means to.
package longholds

import (
	"context"
	"database/sql"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rabbitmq/amqp091-go"
)

const u = "https://example.com/"

func okListen(ctx context.Context, p *pgxpool.Pool) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	if _, err := c.Exec(ctx, "listen events"); err != nil {
		return err
	}
	for {
		n, err := c.Conn().WaitForNotification(ctx)
		if err != nil {
			return err
		}
		println(n.Payload)
	}
}

func okListenHijacked(ctx context.Context, p *pgxpool.Pool, handle func(string)) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	own := c.Hijack()
	defer own.Close(ctx)
	for {
		n, err := own.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		http.Get(u + n.Payload)
	}
}

func okAdvisoryLock(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "select pg_advisory_lock(1)"); err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, "select pg_advisory_unlock(1)")
	return err
}

func okMigrate(ctx context.Context, db *sql.DB, steps []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, step := range steps {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// poll locks a message, publishes it and deletes it.
func poll(ctx context.Context, db *sql.DB, ch *amqp091.Channel) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var body []byte
	if err := tx.QueryRowContext(ctx, "select body from outbox for update skip locked").Scan(&body); err != nil {
		return err
	}
	if err := ch.PublishWithContext(ctx, "", "a", false, false, amqp091.Publishing{Body: body}); err != nil { // want "medium broker"
		return err
	}
	return tx.Commit()
}

func okIgnoredPoll(ctx context.Context, db *sql.DB, ch *amqp091.Channel) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var body []byte
	if err := tx.QueryRowContext(ctx, "select body from outbox for update skip locked").Scan(&body); err != nil {
		return err
	}
	//pghold:ignore an outbox poller, one per cluster: the row stays locked until the broker has it
	if err := ch.PublishWithContext(ctx, "", "a", false, false, amqp091.Publishing{Body: body}); err != nil {
		return err
	}
	return tx.Commit()
}
