package lab

import (
	"context"

	"github.com/pghold/pghold"
)

// Checkouts returns how many connections the app has taken and given back.
func (a *App) Checkouts() int {
	n := 0
	for _, p := range a.recorder.Snapshot().Pools {
		n += int(p.Releases)
	}
	return n
}

// Snapshot is what the app's recorder knows.
func (a *App) Snapshot() *pghold.Snapshot { return a.recorder.Snapshot() }

func (db *Database) EmptyAccounts(ctx context.Context, n int) error { return db.emptyAccounts(ctx, n) }
func (db *Database) DrainOutbox(ctx context.Context) error          { return db.drainOutbox(ctx) }
func (db *Database) CountUpdates(ctx context.Context) (map[string]bool, int, error) {
	return db.countUpdates(ctx)
}
