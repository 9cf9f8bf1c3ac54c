package session

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	errAutocommit = errors.New("session: with Autocommit there is no transaction, and so neither a savepoint nor a pgx.Tx")
	errTxEnded    = fmt.Errorf("session: this transaction or savepoint was ended by the session, or with an outer savepoint: %w", pgx.ErrTxClosed)
	errTxOfClosed = fmt.Errorf("%w: %w", ErrClosed, pgx.ErrTxClosed)
)

// BeginNested makes a savepoint, and begins the transaction, in the same round trip,
// where none is open. It is SQLAlchemy's begin_nested:
//
//	sp, err := s.BeginNested(ctx)
//	if err != nil {
//		return err
//	}
//	defer sp.Rollback(ctx) // does nothing after Commit
//	if _, err := s.Exec(ctx, "insert into users (name) values ($1)", name); err != nil {
//		return err // and the session goes on as if this had never been
//	}
//	return sp.Commit(ctx)
//
// pgx.BeginFunc(ctx, s.Tx(), …) does the same around a function.
//
// The statements of the session, and of any [pgx.Tx] of it, belong to the innermost
// savepoint. Commit of a savepoint releases it: what was done since belongs to what is
// around it, and nothing is committed before the session is. Rollback undoes what was
// done since, also where a statement has failed: the session then goes on. It works
// although its ctx has ended, and has 5 s. Where Commit fails, what was done since is
// undone, too; where a statement had failed, its error is pgx.ErrTxCommitRollback.
//
// Savepoints may be nested; the end of one ends those inside of it. Commit, Rollback,
// Close and Outside of the session end them all; Commit and Outside keep what was done in
// them. The methods of a savepoint that has ended return an error that is pgx.ErrTxClosed
// (and ErrClosed after Close), and say if it was ended from elsewhere. Where the
// connection is lost, that error is ErrFailed, too, and only a Rollback of the session
// helps.
//
// With Autocommit it is an error. While rows are open all of this is ErrInUse, which
// ends nothing.
func (s *Session) BeginNested(ctx context.Context) (pgx.Tx, error) { return s.beginNested(ctx, nil) }

// Tx returns the session's transaction, or the one that its next statement will begin,
// as a pgx.Tx, for what takes one: WithTx of sqlc's code, pgx.BeginFunc, helpers. It
// takes no connection. Its statements are the session's.
//
//   - Commit and Rollback are the session's, and release the connection. After either, or
//     when the session has ended the transaction itself, all methods return an error that
//     is pgx.ErrTxClosed, so that Rollback can be deferred; another call of Tx returns the
//     session's next transaction. An error that says that the session is in use (ErrInUse)
//     ends nothing.
//   - Begin makes a savepoint, as [Session.BeginNested] does, in the innermost one.
//   - Conn is nil before the first statement and after the end. What is done on it the
//     session does not see. It must not be kept.
//   - Prepare, where it comes first, takes a connection and begins the transaction, in a
//     round trip of its own. The statement stays on the connection, as with pgx's pools:
//     the session's next transaction may have another, and another session this one.
//   - LargeObjects panics: pgx makes its LargeObjects for its own transactions alone. There
//     are functions to call in SQL: lo_from_bytea, lo_get, lo_put, lo_unlink.
//
// With Autocommit all methods return an error, and Conn nil.
func (s *Session) Tx() pgx.Tx {
	if s.opts.Autocommit {
		return &tx{session: s, ended: errAutocommit}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transaction()
}

// tx is a session's transaction, or a savepoint of it.
type tx struct {
	session *Session
	depth   int // of a savepoint, from 1; 0 is the whole transaction
	ended   error
}

var _ pgx.Tx = (*tx)(nil)

// transaction is the whole one. s.mu is held.
func (s *Session) transaction() *tx {
	if len(s.txs) == 0 {
		s.txs = append(s.txs, &tx{session: s})
	}
	return s.txs[0]
}

// endTxs ends those of a depth and all that is nested in them. s.mu is held.
func (s *Session) endTxs(depth int, why error) {
	for len(s.txs) > depth {
		last := len(s.txs) - 1
		s.txs[last].ended = why
		s.txs = s.txs[:last]
	}
}

func (s *Session) beginNested(ctx context.Context, t *tx) (pgx.Tx, error) {
	if s.opts.Autocommit {
		return nil, errAutocommit
	}
	var sp *tx
	err := s.run(ctx, t, func(c *pgx.Conn) (*result, error) {
		s.guarded(func() {
			s.transaction()
			sp = &tx{session: s, depth: len(s.txs)}
		})
		sql := "savepoint " + sp.name()
		if s.begins(c) {
			sql = beginSQL(s.opts.Tx) + ";\n" + sql
		}
		if _, err := c.Exec(ctx, sql); err != nil {
			return nil, err
		}
		s.guarded(func() { s.txs = append(s.txs, sp) })
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	return sp, nil
}

// name is the savepoint's. One of the same depth, which may have it later, is made when
// this one is gone.
func (t *tx) name() string { return "session_" + strconv.Itoa(t.depth) }

// undo undoes what was done since the savepoint, which PostgreSQL would keep.
func (t *tx) undo(ctx context.Context, c *pgx.Conn) error {
	return undo(ctx, c, "rollback to savepoint "+t.name()+"; release savepoint "+t.name())
}

// end ends a savepoint, whether or not finish works.
func (t *tx) end(ctx context.Context, finish func(*pgx.Conn) error) error {
	s := t.session
	return s.run(ctx, t, func(c *pgx.Conn) (*result, error) {
		s.guarded(func() {
			s.endTxs(t.depth, errTxEnded)
			t.ended = pgx.ErrTxClosed
		})
		return nil, finish(c)
	})
}

func (t *tx) Commit(ctx context.Context) error {
	if t.depth == 0 {
		return t.session.commit(ctx, t)
	}
	return t.end(ctx, func(c *pgx.Conn) error {
		err := pgx.ErrTxCommitRollback
		if c.PgConn().TxStatus() != 'E' {
			_, err = c.Exec(ctx, "release savepoint "+t.name())
		}
		if err != nil {
			t.undo(ctx, c)
		}
		return err
	})
}

func (t *tx) Rollback(ctx context.Context) error {
	if t.depth == 0 {
		return t.session.rollback(ctx, t)
	}
	return t.end(ctx, func(c *pgx.Conn) error { return t.undo(ctx, c) })
}

func (t *tx) Begin(ctx context.Context) (pgx.Tx, error) { return t.session.beginNested(ctx, t) }

func (t *tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return t.session.exec(ctx, t, sql, args)
}

func (t *tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return t.session.query(ctx, t, sql, args)
}

func (t *tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.session.queryRow(ctx, t, sql, args)
}

func (t *tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return t.session.sendBatch(ctx, t, b)
}

func (t *tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return t.session.copyFrom(ctx, t, table, columns, src)
}

func (t *tx) Prepare(ctx context.Context, name, sql string) (sd *pgconn.StatementDescription, err error) {
	s := t.session
	err = s.run(ctx, t, func(c *pgx.Conn) (_ *result, err error) {
		if s.begins(c) {
			_, err = s.begin(ctx, c, "", nil)
		}
		if err == nil {
			sd, err = c.Prepare(ctx, name, sql)
		}
		return nil, err
	})
	return sd, err
}

func (t *tx) Conn() *pgx.Conn {
	s := t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.ended != nil || s.conn == nil {
		return nil
	}
	return s.conn.Conn()
}

func (t *tx) LargeObjects() pgx.LargeObjects {
	panic("session: LargeObjects: pgx makes them for its own transactions alone: call lo_from_bytea, lo_get, lo_put or lo_unlink in SQL")
}
