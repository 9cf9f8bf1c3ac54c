// Package queuepool is SQLAlchemy's QueuePool for pgx connections: a pool that
// keeps Size connections, opens up to MaxOverflow more while all are in use,
// and lets a caller wait Timeout for one. It exists so that the behaviour of a
// Python service on its default pool can be reproduced, measured and explained
// in Go; it is also a pool like any other.
//
// # What it mirrors
//
// The semantics are those of SQLAlchemy 2.0 (lib/sqlalchemy/pool/impl.py and
// base.py; https://docs.sqlalchemy.org/en/20/core/pooling.html):
//
//   - Connections are opened when they are needed, never ahead of it.
//   - A connection that comes back goes to the caller who has waited longest;
//     where nobody waits it is kept, if fewer than Size are kept already, and
//     closed otherwise. So the overflow is reused under load and goes with it.
//   - Idle connections are handed out in turn, the one that has been idle
//     longest first; UseLIFO reverses that. Either way it orders connections,
//     not the callers who wait.
//   - Timeout bounds the wait for a connection, not the time to open one. It
//     ends in a [TimeoutError], which says what SQLAlchemy's says.
//   - A connection that comes back inside a transaction is rolled back.
//   - Recycle and PrePing act when a connection is checked out, not in the
//     background.
//   - When one connection turns out to have been lost (the server ended it, or
//     the network did), every other connection that was opened before that moment
//     is replaced at its next checkout. A connection closed by its own user, or
//     by a cancelled context, says nothing about the others.
//
// # Where it differs
//
//   - Waiters are served strictly in order of arrival. In SQLAlchemy a running
//     thread can overtake one that is just waking up (sqlalchemy#7679).
//   - A waiter is woken when a connection attempt failed or a connection was
//     lost, and opens one in its place. In SQLAlchemy it sleeps on.
//   - Closing an overflow connection waits, within limits, until the server has
//     let go of it, so that the server never has more than Size + MaxOverflow.
//   - A cancelled context ends the wait.
//   - An attempt to connect ends after 10 s for each host where the configuration
//     sets no limit, PrePing after 2 s, and Close breaks off attempts. SQLAlchemy
//     leaves these limits to the driver.
//
// # In production
//
// On a network that dies without a word, attempts to connect and statements keep
// their places in the pool until something ends them. Set connect_timeout (2 s in
// the example of [Config]), a deadline for each statement, keepalives and
// TCP_USER_TIMEOUT. docs/guide.md says more, and how long an outage was with and
// without connect_timeout.
//
// # Go's other pools
//
//   - pgxpool has one limit and no overflow, waits as long as the context
//     allows, and closes a connection that comes back inside a transaction
//     instead of rolling it back. Its waiters are served in order of arrival.
//   - database/sql picks the next waiter at random, keeps two idle connections
//     unless told otherwise, and waits as long as the context allows.
//
// Not built on puddle: puddle (v2.2) hands out idle resources newest first, with
// no other order to be had, and does not tell who waits; both decide here.
package queuepool
