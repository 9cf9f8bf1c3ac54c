package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/session"
)

// update is an operation that reads an account's balance, has the provider charge
// somebody, and writes the balance plus one. Each of the routes below does it in
// another way.
type update struct {
	op      string // its name, of which there is no other
	account int
	began   time.Time
}

func (a *App) newUpdate() update {
	return update{op: rand.Text(), account: int(a.updates.Add(1)-1)%a.settings.Accounts + 1, began: time.Now()}
}

// account is a row as it was read.
type account struct{ balance, version int }

// updateInOneTransaction locks the row, makes the call, and writes: nothing can be
// lost, and nobody else can have the row, the transaction or the connection
// meanwhile.
func (a *App) updateInOneTransaction(ctx context.Context) (reply, error) {
	u := a.newUpdate()
	return u.done(session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		was, err := a.readAccount(ctx, s, a.sql.lockAccount, u)
		if err != nil {
			return err
		}
		//pghold:ignore that is what this route is there to measure
		if err := a.charge(ctx, u, ""); err != nil {
			return err
		}
		return a.write(ctx, s, u, a.sql.setBalance, was.balance+1)
	}))
}

// updateSplitNaive reads in one transaction and writes in another. Who writes in
// between is overwritten.
func (a *App) updateSplitNaive(ctx context.Context) (reply, error) {
	u := a.newUpdate()
	was, err := a.readLocalAccount(ctx, u)
	if err != nil {
		return reply{}, err
	}
	if err := a.charge(ctx, u, ""); err != nil {
		return reply{}, err
	}
	return u.done(a.writeLocal(ctx, u, a.sql.setBalance, was.balance+1))
}

// updateSplitVersion writes only where the row has still the version that was read.
// Where it has not, it reads again and writes again: what was charged does not depend
// on what was read.
func (a *App) updateSplitVersion(ctx context.Context) (reply, error) {
	u := a.newUpdate()
	was, err := a.readLocalAccount(ctx, u)
	if err != nil {
		return reply{}, err
	}
	if err := a.charge(ctx, u, ""); err != nil {
		return reply{}, err
	}
	for {
		err := a.writeLocal(ctx, u, a.sql.setBalanceOfVersion, was.balance+1, was.version)
		if !a.again(u, err) {
			return u.done(err)
		}
		if was, err = a.readLocalAccount(ctx, u); err != nil {
			return reply{}, err
		}
	}
}

// updateSplitVersionCallAgain is for a call that depends on what was read: where the
// row has changed, all is done again, the call as well.
func (a *App) updateSplitVersionCallAgain(ctx context.Context) (reply, error) {
	u := a.newUpdate()
	for {
		was, err := a.readLocalAccount(ctx, u)
		if err != nil {
			return reply{}, err
		}
		if err := a.charge(ctx, u, ""); err != nil {
			return reply{}, err
		}
		err = a.writeLocal(ctx, u, a.sql.setBalanceOfVersion, was.balance+1, was.version)
		if !a.again(u, err) {
			return u.done(err)
		}
	}
}

// updateSplitAtomic lets the database add: it does not matter who wrote in between.
func (a *App) updateSplitAtomic(ctx context.Context) (reply, error) {
	u := a.newUpdate()
	if _, err := a.readLocalAccount(ctx, u); err != nil {
		return reply{}, err
	}
	if err := a.charge(ctx, u, ""); err != nil {
		return reply{}, err
	}
	return u.done(a.writeLocal(ctx, u, a.sql.addToBalance, 1))
}

// updateSplitLease takes the row for itself, in a column that the others respect,
// until it has written or its time is over. It holds neither a lock nor a connection
// meanwhile.
func (a *App) updateSplitLease(ctx context.Context) (reply, error) {
	u := a.newUpdate()
	var balance int
	for {
		err := a.takeLease(ctx, u, &balance)
		if err == nil {
			break
		}
		if !a.again(u, err) {
			return reply{}, err
		}
		if err := a.sleep(ctx, a.settings.Slow/2); err != nil {
			return reply{}, err
		}
	}
	if err := a.charge(ctx, u, ""); err != nil {
		return reply{}, err
	}
	return u.done(a.writeLocal(ctx, u, a.sql.setBalanceOfLease, balance+1, u.op))
}

// takeLease takes the account's lease, or says errChanged where somebody else has it.
func (a *App) takeLease(ctx context.Context, u update, balance *int) error {
	return session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		err := s.QueryRow(ctx, a.sql.takeLease, u.account, u.op, a.settings.ClientTimeout).Scan(balance)
		if errors.Is(err, pgx.ErrNoRows) {
			return errChanged
		}
		return err
	})
}

// errChanged says that a row is not as it was read any more, or is somebody else's.
var errChanged = errors.New("the account was changed meanwhile")

// again reports whether an update should be tried once more: its row had changed,
// and its client may still be there.
func (a *App) again(u update, err error) bool {
	if !errors.Is(err, errChanged) || time.Since(u.began) > a.settings.ClientTimeout {
		return false
	}
	a.retries.Add(1)
	return true
}

func (u update) done(err error) (reply, error) {
	return reply{value: map[string]string{"op": u.op}}, err
}

func (a *App) readAccount(ctx context.Context, s *session.Session, sql string, u update) (was account, err error) {
	return was, s.QueryRow(ctx, sql, u.account).Scan(&was.balance, &was.version)
}

func (a *App) readLocalAccount(ctx context.Context, u update) (was account, err error) {
	err = session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		was, err = a.readAccount(ctx, s, a.sql.selectAccount, u)
		return err
	})
	return was, err
}

// write writes the balance, by a statement that may find nothing to change, and that
// the update was made.
func (a *App) write(ctx context.Context, s *session.Session, u update, sql string, args ...any) error {
	tag, err := s.Exec(ctx, sql, append([]any{u.account}, args...)...)
	if err == nil && tag.RowsAffected() == 0 {
		return errChanged
	}
	if err != nil {
		return err
	}
	_, err = s.Exec(ctx, a.sql.insertPayment, u.op, u.account)
	return err
}

func (a *App) writeLocal(ctx context.Context, u update, sql string, args ...any) error {
	return session.Local(ctx, a.pool, session.Options{}, func(s *session.Session) error {
		return a.write(ctx, s, u, sql, args...)
	})
}
