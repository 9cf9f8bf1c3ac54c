package lab

import (
	"context"
	"net/http"
	"time"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/session"
)

// updateOutbox writes down what is to be done, and answers. A worker does it.
func (a *App) updateOutbox(ctx context.Context) (reply, error) { return a.writeDown(ctx, true) }

// updateOutboxWithoutKey is the same with a provider that does not know idempotency
// keys.
func (a *App) updateOutboxWithoutKey(ctx context.Context) (reply, error) {
	return a.writeDown(ctx, false)
}

func (a *App) writeDown(ctx context.Context, keyed bool) (reply, error) {
	u := a.newUpdate()
	err := session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		_, err := s.Exec(ctx, a.sql.insertOutbox, u.op, u.account, keyed)
		return err
	})
	if err != nil {
		return reply{}, err
	}
	a.wakeWorker()
	return reply{status: http.StatusAccepted, value: map[string]string{"op": u.op}}, nil
}

func (a *App) wakeWorker() {
	select {
	case a.outboxed <- struct{}{}:
	default: // one has been woken and is not up yet
	}
}

// startWorkers starts the outbox's workers, as many as there are threads, and looks
// from time to time for what was left by others.
func (a *App) startWorkers() {
	for range a.settings.Threads {
		a.workers.Go(func() {
			pghold.Do(withTrip(a.ctx), "outbox worker", a.work)
		})
	}
	a.workers.Go(func() {
		for sleep(a.ctx, a.settings.Slow/2+time.Millisecond) == nil {
			a.wakeWorker()
		}
	})
}

// work does what is in the outbox until ctx ends. What fails, and what a worker that
// was killed had taken, is taken up again when its claim has run out.
func (a *App) work(ctx context.Context) {
	for {
		select {
		case <-a.outboxed:
		case <-ctx.Done():
			return
		}
		for {
			u, keyed, err := a.claim(ctx)
			if err != nil {
				a.workerFault(ctx, err)
				break // pgx.ErrNoRows: there is nothing to do
			}
			a.wakeWorker() // there may be more
			a.workerFault(ctx, a.perform(ctx, u, keyed))
		}
	}
}

// claimFor is how long what a worker took is left to it: longer than a call takes.
func (a *App) claimFor() time.Duration { return 2*a.settings.Slow + a.settings.ClientTimeout/10 }

// claim takes one update that nobody is working at. pgx.ErrNoRows says that there is
// none.
func (a *App) claim(ctx context.Context) (u update, keyed bool, err error) {
	err = session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		return s.QueryRow(ctx, a.sql.claim, a.claimFor()).Scan(&u.op, &u.account, &keyed)
	})
	return u, keyed, err
}

// perform makes the call and records it. It may be killed at any point of it, and
// somebody else then begins at the first: the key lets the provider see that it is
// the same, and the row of the payment lets the database.
func (a *App) perform(ctx context.Context, u update, keyed bool) error {
	key := ""
	if keyed {
		key = u.op
	}
	if err := a.charge(ctx, u, key); err != nil {
		return err
	}
	return session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		err := a.write(ctx, s, u, a.sql.addToBalance, 1)
		if err != nil {
			return err // that it was recorded before among them: then the claim had run out
		}
		_, err = s.Exec(ctx, a.sql.endOutbox, u.op)
		return err
	})
}
