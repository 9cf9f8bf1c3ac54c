// Package jobs runs work by the clock, each run in a transaction.
package jobs

import (
	"context"
	"errors"
	"net"

	"github.com/stripe/stripe-go/v82/subscription"

	"fider/dbx"
)

type Handler interface {
	Schedule() string
	Run(ctx context.Context, trx *dbx.Trx) error
}

func Run(ctx context.Context, h Handler) error {
	trx, err := dbx.BeginTx(ctx)
	if err != nil {
		return err
	}
	defer trx.Rollback()
	println(h.Schedule())
	if err := h.Run(ctx, trx); err != nil { // want "high http"
		return err
	}
	trx.MustCommit()
	return nil
}

// Cancel cancels what is left to cancel.
type Cancel struct{ IDs []string }

func (j *Cancel) Schedule() string { return "0 0 0 * * *" }
func (j *Cancel) Run(ctx context.Context, trx *dbx.Trx) error {
	for _, id := range j.IDs {
		if err := j.one(trx, id); err != nil {
			return err
		}
	}
	return nil
}

func (j *Cancel) one(trx *dbx.Trx, id string) error {
	if _, err := subscription.Cancel(id, nil); err != nil {
		return err
	}
	return trx.Execute("delete from tenants", id)
}

// Purge only has statements.
type Purge struct{}

func (Purge) Schedule() string                            { return "0 0 * * * *" }
func (Purge) Run(ctx context.Context, trx *dbx.Trx) error { return trx.Execute("delete from events") }

func All() []Handler { return []Handler{&Cancel{}, Purge{}} }

// Certificate looks a name up inside its transaction.
func Certificate(ctx context.Context, host string) error {
	trx, err := dbx.BeginTx(ctx)
	if err != nil {
		return err
	}
	defer trx.MustCommit()
	if err := trx.Execute("select 1 from tenants", host); err != nil {
		return err
	}
	name, err := net.LookupCNAME(host) // want "high network .*LookupCNAME"
	if err != nil || name != host {
		return errors.New("jobs: not ours")
	}
	return nil
}

func okCertificate(ctx context.Context, host string) error {
	name, err := net.LookupCNAME(host)
	if err != nil {
		return err
	}
	trx, err := dbx.BeginTx(ctx)
	if err != nil {
		return err
	}
	defer trx.MustCommit()
	return trx.Execute("select 1 from tenants", name)
}
