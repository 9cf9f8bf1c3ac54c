package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/internal/pg/connstring"
	"github.com/pghold/pghold/pgxhold"
	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/session"
)

// openPool opens the pool that the settings name, recorded under that name. Its
// connections carry the application name, by which they are told from others on
// the server.
func (a *App) openPool(dsn, application string) (session.Pool, func(), error) {
	s := a.settings
	switch s.Pool {
	case experiment.QueuePool:
		cc, err := connstring.Parse(dsn)
		if err != nil {
			return nil, nil, err
		}
		cfg := queuepool.NewConfig(cc)
		a.prepare(cfg.ConnConfig, application)
		if err := pgxhold.InstallConn(cfg.ConnConfig, a.recorder, s.Pool); err != nil {
			return nil, nil, err
		}
		cfg.Size, cfg.MaxOverflow, cfg.Timeout = s.PoolSize, s.MaxOverflow, s.PoolTimeout
		pool, err := queuepool.New(cfg)
		if err != nil {
			return nil, nil, err
		}
		return session.From(pool), pool.Close, nil

	case experiment.PgxPool:
		cfg, err := pgxpool.ParseConfig(dsn)
		if err != nil {
			return nil, nil, connstring.Reason(err)
		}
		if err := connstring.Keepalive(cfg.ConnConfig); err != nil {
			return nil, nil, err
		}
		a.prepare(cfg.ConnConfig, application)
		if err := pgxhold.Install(cfg, a.recorder, s.Pool); err != nil {
			return nil, nil, err
		}
		cfg.MaxConns = int32(s.Connections())
		pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
		if err != nil {
			return nil, nil, err
		}
		return bounded{session.From(pool), s}, pool.Close, nil

	case experiment.SQLPool:
		cfg, err := connstring.Parse(dsn)
		if err != nil {
			return nil, nil, err
		}
		a.prepare(cfg, application)
		tracer := pgxhold.NewTracer(a.recorder.Pool(s.Pool))
		cfg.Tracer = tracer
		db := stdlib.OpenDB(*cfg)
		db.SetMaxOpenConns(s.Connections())
		db.SetMaxIdleConns(s.PoolSize)
		return tracedPool{bounded{session.FromDB(db), s}, tracer}, func() { db.Close() }, nil
	}
	return nil, nil, fmt.Errorf("there is no pool %q", s.Pool)
}

// prepare makes a configuration's connections those of the settings.
func (a *App) prepare(cc *pgx.ConnConfig, application string) {
	s := a.settings
	cc.RuntimeParams["application_name"] = application
	for name, d := range s.ServerTimeouts() {
		cc.RuntimeParams[name] = strconv.FormatInt(d.Milliseconds(), 10)
	}
	if s.PgBouncer > 0 {
		// A statement that is prepared by name belongs to a server connection, which
		// the next transaction may not get again.
		cc.DefaultQueryExecMode = pgx.QueryExecModeExec
		cc.StatementCacheCapacity, cc.DescriptionCacheCapacity = 0, 0
	}
	onPgError := cc.OnPgError
	cc.OnPgError = func(c *pgconn.PgConn, e *pgconn.PgError) bool {
		a.ends(e)
		return onPgError(c, e)
	}
	if a.tap != nil {
		host, port, _ := net.SplitHostPort(a.tap.String())
		n, _ := strconv.ParseUint(port, 10, 16)
		cc.Host, cc.Port, cc.TLSConfig, cc.Fallbacks = host, uint16(n), nil, nil // the tap speaks TLS to the server
	}
	if a.network != nil {
		cc.DialFunc = a.network.Dial
	}
	install(&cc.Config, s.Distance, exactly(a.network), &a.traffic)
}

// bounded gives the pools that wait as long as the context allows the pool
// timeout that QueuePool has of itself.
type bounded struct {
	session.Pool
	settings experiment.Settings
}

// poolTimeout is bounded's error, as queuepool.TimeoutError is QueuePool's. Like
// that, it has a Timeout method.
type poolTimeout struct {
	pool    string
	limit   int
	timeout time.Duration
}

func (e *poolTimeout) Error() string {
	return fmt.Sprintf("%s limit of %d connections reached, no connection within %.2f s", e.pool, e.limit, e.timeout.Seconds())
}

func (e *poolTimeout) Timeout() bool { return true }

func (b bounded) Acquire(ctx context.Context) (session.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, b.settings.PoolTimeout)
	defer cancel()
	c, err := b.Pool.Acquire(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return nil, &poolTimeout{b.settings.Pool, b.settings.Connections(), b.settings.PoolTimeout}
	}
	return c, err
}

// isPoolTimeout reports whether no connection came free in time.
func isPoolTimeout(err error) bool {
	var q *queuepool.TimeoutError
	var b *poolTimeout
	return errors.As(err, &q) || errors.As(err, &b)
}
