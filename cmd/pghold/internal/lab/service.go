package lab

import (
	"context"
	"errors"
	"net/http"

	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/lab/upstream"
)

// Service is the app with all its routes and what stands around it, for somebody
// else's load generator.
type Service struct {
	*App
	provider *upstream.Server
	bouncer  *Bouncer
}

// StartService starts it. bouncer is as in Options, and is needed where the settings
// have a PgBouncer.
func StartService(ctx context.Context, db *Database, s experiment.Settings, application string,
	bouncer func(context.Context, int) (*Bouncer, error)) (_ *Service, err error) {
	v := &Service{}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	if err := db.emptyAccounts(ctx, s.Accounts); err != nil {
		return nil, err
	}
	if v.provider, err = startProvider(s, db.network); err != nil {
		return nil, err
	}
	cfg := AppConfig{Database: db, Settings: s, Routes: experiment.Routes, Application: application, Provider: v.provider.URL()}
	if s.PgBouncer > 0 {
		if v.bouncer, err = bouncer(ctx, s.PgBouncer); err != nil {
			return nil, err
		}
		cfg.Via = v.bouncer.DSN
	}
	v.App, err = NewApp(cfg)
	return v, err
}

var _ http.Handler = (*Service)(nil)

// Close ends all of it, once the handlers have returned.
func (v *Service) Close() (err error) {
	if v.App != nil {
		v.App.Close()
	}
	if v.provider != nil {
		v.provider.Close()
	}
	if v.bouncer != nil {
		err = v.bouncer.Stop()
	}
	return err
}
