package activity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/printable"
	"github.com/pghold/pghold/internal/pg/connstring"
)

// Locks tells a ledger that a tap fills which of its statements wait for a lock. It knows
// them by the pid that the server gave each of its clients. Only while statements run, it
// asks the server, over a connection of its own.
type Locks struct {
	cfg   Config
	blind bool // it was told

	answered func(waiting []uint32) // for tests; nil for nobody
}

// NewLocks makes Locks, whose role needs no grant where it is the app's.
func NewLocks(cfg Config) *Locks {
	cfg.Interval = cmp.Or(cfg.Interval, DefaultInterval)
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	cfg.Server = cfg.Server.Copy()
	return &Locks{cfg: cfg}
}

// Run asks until the context ends, or until the server does not let it in, which it tells
// the log. That the server is away, the tap tells.
func (l *Locks) Run(ctx context.Context) {
	for pause := l.cfg.Interval; ; pause = min(2*pause, maxPause) {
		conn, pooled, err := l.connect(ctx)
		if pooled {
			conn.Close(context.WithoutCancel(ctx))
			l.cfg.Log("who waits for a lock is not known, and counts as busy: a pooler is between, such as PgBouncer, which has pids of its own")
			return
		}
		if err == nil {
			pause = l.cfg.Interval
			l.ask(ctx, conn)
			conn.Close(context.WithoutCancel(ctx))
		}
		var is *pgconn.PgError
		if errors.As(err, &is) && (strings.HasPrefix(is.Code, "28") || strings.HasPrefix(is.Code, "3D")) { // role, password or database
			l.cfg.Log("who waits for a lock is not known, and counts as busy: " + printable.Line(strings.Join(strings.Fields(err.Error()), " ")))
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

func (l *Locks) connect(ctx context.Context) (_ *pgx.Conn, pooled bool, _ error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, pooled, err := connect(ctx, l.cfg.Server)
	if err != nil {
		return nil, false, connstring.Hide(l.cfg.Server, err)
	}
	return conn, pooled, nil
}

// The view hides of sessions of other roles what they wait for, and their type with it.
const locksSQL = `
select coalesce(array_agg(pid) filter (where wait_event_type = 'Lock'), '{}'), coalesce(bool_or(backend_type is null), false)
from pg_stat_activity where pid = any($1::int8[])`

// ask asks until the context ends, or the connection does.
func (l *Locks) ask(ctx context.Context, conn *pgx.Conn) {
	tick := time.NewTicker(l.cfg.Interval)
	defer tick.Stop()
	before := time.Now()
	for {
		at := time.Now()
		if running := l.cfg.Ledger.Running(); len(running) > 0 {
			var waiting []uint32
			var hidden bool
			if err := conn.QueryRow(ctx, locksSQL, running).Scan(&waiting, &hidden); err != nil {
				return
			}
			if hidden && !l.blind {
				l.blind = true
				role := conn.Config().User
				l.cfg.Log(fmt.Sprintf("role %q is not allowed to see which statements of other roles wait for a lock, and these count as busy; what shows them is GRANT pg_read_all_stats TO %s", role, pgx.Identifier{role}.Sanitize()))
			}
			l.cfg.Ledger.Waited(waiting, before, at)
			if l.answered != nil {
				l.answered(waiting)
			}
		}
		before = at
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
