package lab

import (
	"context"

	"github.com/pghold/pghold/session"
)

// readBeginAlone reads in a transaction that begins in a round trip of its own, as
// pgx's Begin does, and the drivers that SQLAlchemy uses.
func (a *App) readBeginAlone(ctx context.Context) (reply, error) {
	conn, err := a.pool.Acquire(ctx)
	if err != nil {
		return reply{}, err
	}
	defer conn.Release()
	tx, err := conn.Conn().Begin(ctx)
	if err != nil {
		return reply{}, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	u := &User{}
	if err := tx.QueryRow(ctx, a.sql.selectUser, 1).Scan(&u.ID, &u.Name); err != nil {
		return reply{}, err
	}
	return reply{value: u}, nil
}

// readAutobegin reads in a session: BEGIN travels with the statement.
func (a *App) readAutobegin(ctx context.Context) (reply, error) {
	return a.readLocal(ctx, session.Options{})
}

// readAutocommit reads without a transaction.
func (a *App) readAutocommit(ctx context.Context) (reply, error) {
	return a.readLocal(ctx, session.Options{Autocommit: true})
}

func (a *App) readLocal(ctx context.Context, opts session.Options) (reply, error) {
	s := session.New(a.pool, opts)
	defer s.Close()
	u, err := a.readUser(ctx, s)
	return reply{value: u}, err
}
