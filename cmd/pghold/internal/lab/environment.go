package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
	"github.com/pghold/pghold/cmd/pghold/internal/watch/activity"
)

// environment is what stands around the app in a case: the slow API that it calls,
// the PgBouncer and the tap that it connects through, and empty tables.
type environment struct {
	c        experiment.Case
	db       *Database
	upstream *upstream.Server
	bouncer  *Bouncer // nil where there is none
	sides    *sides   // nil where nobody asks
	app      AppConfig
}

func startEnvironment(ctx context.Context, db *Database, sampler *activity.Sampler, o Options, c experiment.Case) (_ *environment, err error) {
	e := &environment{c: c, db: db}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if e.upstream, err = startProvider(c.Settings, db.network); err != nil {
		return nil, err
	}
	e.app = AppConfig{
		Database: db, Settings: c.Settings, Routes: []experiment.Route{c.Route},
		Application: applicationName(db, c), Provider: e.upstream.URL(), traced: true,
	}
	if n := c.Settings.PgBouncer; n > 0 {
		if o.Bouncer == nil {
			return nil, errors.New("there is nobody to start a PgBouncer")
		}
		if e.bouncer, err = o.Bouncer(ctx, n); err != nil {
			return nil, err
		}
		e.app.Via = e.bouncer.DSN
	}
	if o.Tap {
		if e.sides, err = startSides(ctx, db, sampler, c, e.app.Application, cmp.Or(e.app.Via, db.dsn)); err != nil {
			return nil, err
		}
		e.app.tap = e.sides.listener.Addr()
	}
	if c.Route.Updates() {
		err = db.emptyAccounts(ctx, c.Settings.Accounts)
	}
	return e, err
}

// startProvider starts the slow API for an app with these settings.
func startProvider(s experiment.Settings, n Network) (*upstream.Server, error) {
	cfg := upstream.Config{Delay: s.Compressed().Slow, Shape: s.SlowShape}
	if s.Speed > 1 {
		cfg.Sleep = exactly(n)
	}
	listener, err := listen(n)
	if err != nil {
		return nil, err
	}
	return upstream.Serve(listener, cfg)
}

func (e *environment) close() (err error) {
	if e.upstream != nil {
		e.upstream.Close()
	}
	if e.sides != nil {
		e.sides.close()
	}
	if e.bouncer != nil {
		err = e.bouncer.Stop()
	}
	return err
}

// applicationName names an app's connections on the server, in at most as many bytes
// as it keeps of a name. The schema tells two runs on one server apart.
func applicationName(db *Database, c experiment.Case) string {
	const most = 63
	name := "pghold " + strings.TrimPrefix(db.schema, schemaPrefix) + " " + c.Name
	return name[:min(len(name), most)]
}

// updates is what became of the updates of the app that was just attacked, and what
// becomes of them where the app is killed.
func (e *environment) updates(ctx context.Context, retries int) (*experiment.Updates, error) {
	recorded, sum, err := e.db.countUpdates(ctx)
	if err != nil {
		return nil, err
	}
	ledger := e.upstream.Ledger()
	u := &experiment.Updates{
		Recorded: len(recorded), Lost: len(recorded) - sum, Retries: retries,
		Calls: ledger.TotalCalls, CallsRepeated: ledger.TotalCalls - len(ledger.Calls),
	}
	if childrenAreServed && e.db.network == nil && e.c.Settings.PgBouncer == 0 {
		if u.Killed, err = e.kill(ctx); err != nil {
			return nil, fmt.Errorf("killing the app: %w", err)
		}
	}
	return u, nil
}
