// Package session is SQLAlchemy's Session for pgx: what a handler talks SQL
// through. It takes a connection at its first statement, not before, begins a
// transaction with it, and holds both until Commit, Rollback or Close.
//
// That is convenient, and it is the trap that pghold is about: whatever else
// the handler does between its first statement and the end of its session, the
// connection and the transaction wait with it. The package has the same scopes
// that a SQLAlchemy service has, so that they can be compared and chosen:
//
//   - [Local] keeps a session for a few statements and always releases.
//   - [PerRequest] keeps one for a whole request, as web frameworks do.
//   - [Session.Outside] gives the connection back in the middle, for a slow call.
//   - [New] leaves it to the caller.
//
// [Options] make a session read-only, choose its isolation level, or do without
// BEGIN for work that reads ([Options.Autocommit]).
//
// # What it mirrors
//
// The semantics are those of SQLAlchemy 2.0's Session
// (https://docs.sqlalchemy.org/en/20/orm/session_transaction.html) as far as
// they concern connections and transactions: autobegin; Commit and Rollback
// release the connection, and the next statement begins anew; Close rolls back;
// with autocommit no transaction is begun, but the connection is held all the
// same. There is no object-relational mapping here and so nothing that expires
// at a commit.
//
// It differs in three things. BEGIN travels with the first statement in one round
// trip, where SQLAlchemy's drivers spend one of their own. A session that
// was closed stays closed: using it is an error ([ErrClosed]), where SQLAlchemy
// would silently check out again. And a statement that fails before its transaction has
// begun, or takes the connection with it, fails the session ([ErrFailed]) until Rollback,
// as one does that fails in the server: there, a later statement would begin anew and
// Commit would succeed without what failed. What does not fail the session: a pool that
// has no connection, and with autocommit any statement.
//
// # Savepoints, and code that takes a pgx.Tx
//
// [Session.BeginNested] makes a savepoint, as SQLAlchemy's begin_nested does: a statement
// that fails in it is undone by rolling back to it, and the session goes on. [Session.Tx]
// is the session's transaction as a [pgx.Tx], for WithTx of sqlc's code, pgx.BeginFunc and
// helpers. Savepoints are [pgx.Tx], too. Their errors are pgx's, also after the end. Two
// things differ from pgx: Commit of a savepoint in which a statement has failed undoes
// it (pgx.ErrTxCommitRollback) where pgx leaves the transaction failed; and a savepoint
// that was rolled back is released at once, where pgx's and SQLAlchemy's stay to the
// end of the transaction, each later one nested in them.
//
// # Pools
//
// A session works on anything that hands out pgx connections: [From] takes a
// queuepool.Pool or a pgxpool.Pool, [FromDB] a *sql.DB over pgx's driver. Where a
// pghold.Recorder is told of their holds, a time-out says who has the connections
// ([TimeoutError]). The methods Exec, Query, QueryRow, SendBatch and CopyFrom have pgx's signatures,
// so code that sqlc generated for pgx takes a Session as it is.
package session
