// Package riverhold names the routes of the holds that river's jobs have: "job " and the
// job's kind.
//
//	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
//		Middleware: []rivertype.Middleware{riverhold.Middleware{}},
//		Queues:     map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
//		Workers:    workers,
//	})
//
// Workers pass the context that they are given on, to their database and to what they
// call: httphold.Transport and grpchold tell of slow calls in it.
//
// # What it does not do
//
// It records no connection: pgxhold or sqlhold do that, in the pool that the workers use.
// Where river has the same pool, the connections that river takes for itself, to fetch
// jobs, to complete them and to listen, are recorded too, without a route. Started
// with client.Start(pghold.Intend(ctx, "river")), river holds them on purpose.
//
// It requires river's types alone, and not river.
package riverhold

import (
	"context"

	"github.com/riverqueue/river/rivertype"

	"github.com/pghold/pghold"
)

// Middleware runs each job within [pghold.Do]. It belongs in river.Config.Middleware,
// before other middlewares that take connections: these are then the job's. The job's
// error is passed on. Where the job panics, its last hold and those that it left open are
// marked; the panic goes on, to river.
type Middleware struct{}

var _ rivertype.WorkerMiddleware = Middleware{}

// IsMiddleware says to river that this is one.
func (Middleware) IsMiddleware() bool { return true }

// Work is called by river.
func (Middleware) Work(ctx context.Context, job *rivertype.JobRow, doInner func(context.Context) error) (err error) {
	pghold.Do(ctx, "job "+job.Kind, func(ctx context.Context) { err = doInner(ctx) })
	return err
}
