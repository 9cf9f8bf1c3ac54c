package experiment

import (
	"fmt"
	"time"

	"github.com/pghold/pghold/cmd/pghold/internal/words"
)

// Timeouts are how long a request may wait for a connection, and its client for the
// answer. What lab and plan say of them is said here, so that they advise the same.
type Timeouts struct {
	// Pool is one of Pools; "" where it is not known.
	Pool string
	// PoolTimeout is the longest wait for a connection. Only QueuePool ends a wait of
	// itself: with the other pools, the context of the request has to.
	PoolTimeout   time.Duration
	ClientTimeout time.Duration
	// Rest is what a request takes from when it has its first connection to its answer.
	Rest time.Duration
}

// TimeoutsOf are those of settings, where a request takes so long once it has its
// connection.
func TimeoutsOf(s Settings, rest time.Duration) Timeouts {
	return Timeouts{s.Pool, s.PoolTimeout, s.ClientTimeout, rest}
}

// Most is the longest wait for a connection that is sound, to the millisecond: the
// client's timeout, less Rest, less a margin of a twentieth of Rest and at least 1 ms.
// It is not above zero where no answer can be in time.
func (t Timeouts) Most() time.Duration {
	return (t.ClientTimeout - t.Rest - max(t.Rest/20, time.Millisecond)).Truncate(time.Millisecond)
}

// Sound reports whether a request that has waited for its connection as long as it may
// can still be answered in time.
func (t Timeouts) Sound() bool { return t.PoolTimeout <= t.Most() }

// Sentence says whether they are sound, and why not.
func (t Timeouts) Sentence() string {
	switch {
	case t.Most() <= 0:
		return fmt.Sprintf("No answer can be in time: once it has a connection a request takes %s, and its client leaves after %s.", inWords(t.Rest), inWords(t.ClientTimeout))
	case t.Sound():
		limit := "the longest that it may"
		if t.own() {
			limit = "the pool timeout"
		}
		return fmt.Sprintf("The timeouts are sound: a request that has waited %s, %s, needs %s more, and its client waits for %s.",
			inWords(t.PoolTimeout), limit, inWords(t.Rest), inWords(t.ClientTimeout))
	}
	what := "The wait for a connection may last too long"
	if t.own() {
		what = "The pool timeout is too long"
	}
	text := fmt.Sprintf("%s: a request that has waited %s needs %s more, but its client leaves after %s.",
		what, inWords(t.PoolTimeout), inWords(t.Rest), inWords(t.ClientTimeout))
	switch t.Pool {
	case QueuePool:
	case "":
		text += " (How long a wait may last, and in which pool, is not known of the service: --pool-timeout and --pool tell.)"
	default:
		text += fmt.Sprintf(" %s has no pool timeout: the request's context has to end the wait.", poolName(t.Pool))
	}
	return text
}

// Advice says what would be sound, where they are not but could be.
func (t Timeouts) Advice() string {
	if t.own() {
		return fmt.Sprintf("A pool timeout of %s or less is sound.", inWords(t.Most()))
	}
	return fmt.Sprintf("A wait of at most %s is sound.", inWords(t.Most()))
}

// NoRepair says that no limit of the wait helps; of a handler that runs in one of
// Settings.Threads, why.
func (t Timeouts) NoRepair(sync bool) string {
	what := "no shorter wait repairs that"
	if t.own() {
		what = "no pool timeout repairs that"
	}
	if sync {
		what += ": requests wait for a thread as well, and for that there is no timeout"
	}
	return what
}

// Limit names what ends a wait for a connection, for a duration to follow.
func (t Timeouts) Limit() string {
	if t.own() {
		return "a pool timeout of "
	}
	return "a wait of at most "
}

func (t Timeouts) own() bool { return t.Pool == QueuePool }

func poolName(pool string) string {
	if pool == SQLPool {
		return "database/sql"
	}
	return pool
}

// inWords shows a duration to the millisecond, and one below to the microsecond.
func inWords(d time.Duration) string {
	if d < time.Second {
		return words.Plain(d.Round(time.Microsecond))
	}
	return words.Plain(d.Round(time.Millisecond))
}
