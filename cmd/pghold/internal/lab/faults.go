package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pghold/pghold/cmd/pghold/internal/attack"
	"github.com/pghold/pghold/cmd/pghold/internal/experiment"
	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// faults counts failures that the experiment did not ask for, by their reasons. A route
// that has one does not measure what it is there to measure.
type faults struct {
	mu      sync.Mutex
	count   int
	reasons map[string]int
}

func (f *faults) add(reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reasons == nil {
		f.reasons = map[string]int{}
	}
	f.count++
	f.reasons[reason]++
}

// merge adds those of another.
func (f *faults) merge(other *faults) {
	other.mu.Lock()
	defer other.mu.Unlock()
	for reason, n := range other.reasons {
		f.addAll(reason, n)
	}
}

func (f *faults) addAll(reason string, n int) {
	for range n {
		f.add(reason)
	}
}

// most is how many there were and the commonest reason; of several that are equally
// common, the first in alphabetical order.
func (f *faults) most() (count int, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r, n := range f.reasons {
		if best := f.reasons[reason]; n > best || n == best && r < reason {
			reason = r
		}
	}
	if len(f.reasons) > 1 {
		reason += ", and others"
	}
	return f.count, reason
}

// notValid says in a sentence why the figures of a route do not count, or nothing.
func notValid(app *App, a *attack.Attack, b *Bouncer) string {
	var requests faults
	requests.merge(&app.failures)
	for reason, n := range a.Unanswered() {
		requests.addAll("the app gave no answer: "+reason, n)
	}
	if n, why := requests.most(); n > 0 {
		return fmt.Sprintf("%d of %d requests failed for a reason that is not the experiment's own: %s.", n, len(a.Requests()), why)
	}
	if n, why := app.workerFailures.most(); n > 0 {
		return fmt.Sprintf("The outbox's workers failed %s for a reason that is not the experiment's own: %s.", words.Times(n), why)
	}
	if n, why := app.ended.most(); n > 0 {
		return fmt.Sprintf("The database ended %d of the app's connections for a reason that is not the experiment's own: %s.", n, why)
	}
	if b != nil {
		if n, why := b.Refused(); n > 0 {
			return fmt.Sprintf("The database refused PgBouncer a connection %s for a reason that is not the experiment's own: %s.", words.Times(n), why)
		}
	}
	return ""
}

// The server's codes that say why it ends a session or refuses what it was told.
const (
	lockNotAvailable     = "55P03"
	deadlockDetected     = "40P01"
	serializationFailure = "40001"
	idleInTransaction    = "25P03"
	transactionTimeout   = "25P04" // PostgreSQL 17 and later
)

// fault is the reason of an error where the experiment did not ask for it. What it asks
// for is what its settings say (time-outs of clients, pools and server), and what
// requests do to one another because of them: they wait for rows, and find them changed.
func (a *App) fault(ctx context.Context, err error) (reason string, ok bool) {
	var call *callError
	var pgErr *pgconn.PgError
	var connectErr *pgconn.ConnectError
	switch s := a.settings; {
	case err == nil, ctx.Err() != nil: // its client has gone, or the app is being stopped
		return "", false
	case isPoolTimeout(err), errors.Is(err, errChanged):
		return "", false
	case errors.As(err, &call):
		if call.status == http.StatusGatewayTimeout || call.retryAfter > 0 {
			return "", false
		}
	case errors.As(err, &pgErr):
		switch pgErr.Code {
		case lockNotAvailable, deadlockDetected, serializationFailure:
			return "", false
		}
		if asksFor(s, pgErr) || s.PgBouncer > 0 && pgErr.Message == "query_wait_timeout" {
			return "", false
		}
	case errors.As(err, &connectErr):
	case s.IdleInTransactionTimeout > 0 || s.TransactionTimeout > 0:
		// The server has been told to end sessions, and its last word may be lost.
		return "", false
	}
	return reasonOf(err), true
}

// ends takes note of what the server says where it ends a session that the experiment
// has not told it to end. A handler whose session it was may not notice.
func (a *App) ends(e *pgconn.PgError) {
	switch e.Code {
	case "57P01", "57P02", "57P04", "57P05": // shut down or told to, crashed, database dropped, idle for too long
	case idleInTransaction, transactionTimeout:
		if asksFor(a.settings, e) {
			return
		}
	default:
		return
	}
	a.ended.add(reasonOf(e))
}

// asksFor reports whether the settings tell the server to end sessions like that.
func asksFor(s experiment.Settings, e *pgconn.PgError) bool {
	return e.Code == idleInTransaction && s.IdleInTransactionTimeout > 0 || e.Code == transactionTimeout && s.TransactionTimeout > 0
}

// reasonOf is an error in one line, without what makes the same error of two
// connections look different.
func reasonOf(err error) string {
	var pgErr *pgconn.PgError
	var opErr *net.OpError
	switch {
	case errors.As(err, &pgErr):
		return pgErr.Error()
	case errors.As(err, &opErr):
		return opErr.Op + ": " + opErr.Err.Error()
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

// workerFault is fault for a worker of the outbox: it may find nothing to do, or find
// that another has done it.
func (a *App) workerFault(ctx context.Context, err error) {
	const uniqueViolation = "23505"
	var pgErr *pgconn.PgError
	if errors.Is(err, pgx.ErrNoRows) || errors.As(err, &pgErr) && pgErr.Code == uniqueViolation {
		return
	}
	if reason, ok := a.fault(ctx, err); ok {
		a.workerFailures.add(reason)
	}
}
