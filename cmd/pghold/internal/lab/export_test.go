package lab

import (
	"context"
	"maps"
	"reflect"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
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

// WarningsOf are those of the runs of one route.
func WarningsOf(name string, done []*experiment.RouteResult) []string {
	res := &experiment.Result{Settings: experiment.Defaults()}
	return warnings(res, []ranCase{{experiment.Case{Name: name}, done}}, 1)
}

// Schema is the name of the lab's.
func (db *Database) Schema() string { return db.schema }

// LockKey is the key of the lock that the run of the schema has.
func (db *Database) LockKey() (class, key int32) { return lockClass, db.lockKey() }

// Keeper is the process that serves the connection that the run keeps, or 0.
func (db *Database) Keeper() uint32 {
	if db.keeper == nil {
		return 0
	}
	return db.keeper.PgConn().PID()
}

// Written returns how many checkouts the app has written down.
func (a *App) Written() int {
	if a.trace == nil {
		return 0
	}
	return len(a.trace.done)
}

// Connect makes a connection to the database.
func (db *Database) Connect(ctx context.Context, parameters map[string]string) (*pgx.Conn, error) {
	cc, err := pgx.ParseConfig(db.dsn)
	if err != nil {
		return nil, err
	}
	if db.network != nil {
		cc.DialFunc = db.network.Dial
	}
	maps.Copy(cc.RuntimeParams, parameters)
	return pgx.ConnectConfig(ctx, cc)
}

// OpenSampler connects what watches the server's sessions.
func (db *Database) OpenSampler(ctx context.Context) (*activity.Sampler, error) {
	return db.openSampler(ctx)
}

// In names the schema in a statement.
func (db *Database) In(sql string) string { return db.in(sql) }

// Statements are the app's, by their names.
func (db *Database) Statements() map[string]string {
	named := map[string]string{}
	v := reflect.ValueOf(statementsOf(db))
	for i := range v.NumField() {
		named[v.Type().Field(i).Name] = v.Field(i).String()
	}
	return named
}
