package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrClosed is returned by a session that is used after Close.
	ErrClosed = errors.New("session: used after Close")

	// ErrOutside is returned by a session that is used inside of its own Outside,
	// where it would take the connection back that was released for the slow call.
	ErrOutside = errors.New("session: used inside of Outside, while its connection is released for a slow call")

	// ErrInUse is returned by a session that is used by two goroutines at once,
	// or while the rows of its last query are still open.
	ErrInUse = errors.New("session: in use by another goroutine, or the rows of its last query are still open")

	// ErrFailed is returned by a statement of a session whose transaction an earlier
	// one has ended by failing, or kept from beginning. errors.Is finds that one's error
	// too. Rollback, or a Commit, which is an error then, lets the session begin anew.
	// A panic in a statement, from what pgx calls during it, is a failure, too, and closes
	// the connection, which is not given to anybody else.
	ErrFailed = errors.New("session: an earlier statement failed, and the transaction with it: roll back first")

	errPanicked = errors.New("session: a statement panicked, and its connection was closed")
)

// rollbackTimeout bounds the rollback of a session that ends, whose own context
// may have ended before.
const rollbackTimeout = 5 * time.Second

// Options say how a session runs its statements.
type Options struct {
	// Tx is how its transactions begin: isolation level, read only, deferrable.
	// Default: as the server has it, READ COMMITTED and read write.
	Tx pgx.TxOptions

	// Autocommit does without transactions: no BEGIN is sent and every statement
	// commits by itself. The connection is held from the first statement to the
	// end of the session all the same. It goes with no Tx. Default false.
	Autocommit bool
}

// Session is what a handler talks SQL through. The zero value is not usable;
// make one with New, Local or PerRequest. A session serves one goroutine at a
// time and says so (ErrInUse) when it is asked for more.
type Session struct {
	pool Pool
	opts Options

	mu      sync.Mutex // guards what follows; not held while a statement runs
	conn    Conn       // nil until the first statement, and after Commit, Rollback and Close
	running bool       // a statement runs, or its result is open
	result  *result    // the open result, if that is the reason for running
	failed  error      // of the statement that has ended the transaction, or kept it from beginning
	txs     []*tx      // the transaction as a pgx.Tx, and its open savepoints, the innermost last
	outside bool       // Outside runs
	closed  bool
}

// New makes a session. Nothing is checked out before its first statement. The
// caller must Close it.
func New(pool Pool, opts Options) *Session {
	if pool == nil {
		panic("session: New needs a pool, and got nil")
	}
	return &Session{pool: pool, opts: opts}
}

// Held reports whether the session holds a connection.
func (s *Session) Held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn != nil
}

// run runs a statement of the session, or of t where that is not nil: it marks the
// session as running, checks a connection out where there is none yet, and leaves when
// the statement has returned or panicked, or with the end of the result that it leaves
// open.
func (s *Session) run(ctx context.Context, t *tx, statement func(*pgx.Conn) (*result, error)) error {
	if err := s.lock(t); err != nil {
		return err
	}
	var open *result
	failed := errPanicked // unless it returns
	defer func() {
		if open == nil {
			s.leave(failed)
		}
	}()
	c, err := s.connection(ctx)
	if err != nil {
		failed = nil
		return err
	}
	if open, failed = statement(c); open != nil {
		s.guarded(func() { s.result = open })
	}
	return failed
}

// lock marks the session as running, for itself or for t.
func (s *Session) lock(t *tx) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case t != nil && t.ended != nil:
		return t.ended
	case t != nil && s.closed:
		return errTxOfClosed
	case s.closed:
		return ErrClosed
	case s.outside:
		return ErrOutside
	case s.running:
		return ErrInUse
	}
	s.running = true
	return nil
}

// connection checks one out where there is none yet.
func (s *Session) connection(ctx context.Context) (*pgx.Conn, error) {
	if err := s.failed; err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFailed, err)
	}
	if s.conn != nil {
		return s.conn.Conn(), nil
	}
	if s.opts.Autocommit && s.opts.Tx != (pgx.TxOptions{}) {
		return nil, errors.New("session: Options has both Autocommit and Tx: without a transaction there is nothing that Tx could apply to")
	}
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	s.guarded(func() { s.conn = c })
	return c.Conn(), nil
}

// guarded makes a few assignments to what mu guards, while a connection is held.
func (s *Session) guarded(assign func()) {
	//pghold:ignore mu is held for a few assignments, never while something waits
	s.mu.Lock()
	defer s.mu.Unlock()
	assign()
}

// leave ends a statement, with its error. Where the session was closed meanwhile, by
// another goroutine, what that had to leave undone is done now, and the rollback's error
// returned.
func (s *Session) leave(failed error) error {
	if failed == errPanicked && s.conn != nil {
		discard(s.conn.Conn()) // nobody knows in what state pgx was left
	}
	s.mu.Lock()
	s.running, s.result = false, nil
	closed, conn := s.closed, s.conn
	switch {
	case closed:
		s.conn = nil
	case failed != nil && conn != nil && !s.opts.Autocommit && !inTransaction(conn.Conn()):
		s.failed = failed // the next would begin anew, as if this had never been
		s.endTxs(1, fmt.Errorf("%w: %w: %w", ErrFailed, failed, pgx.ErrTxClosed))
	}
	s.mu.Unlock()
	if !closed || conn == nil {
		return nil
	}
	defer conn.Release()
	return rollback(context.Background(), conn.Conn())
}

func inTransaction(c *pgx.Conn) bool { return !c.IsClosed() && c.PgConn().TxStatus() != 'I' }

func (s *Session) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// begins reports whether the next statement has to begin a transaction.
func (s *Session) begins(c *pgx.Conn) bool {
	return !s.opts.Autocommit && c.PgConn().TxStatus() == 'I'
}

// Commit commits the transaction, if one is open, with what was done in its savepoints,
// and releases the connection, whether or not that worked. The session can be used again:
// its next statement begins anew. A transaction in which a statement has failed cannot be
// committed: the error is pgx.ErrTxCommitRollback, also where that statement was the
// first, and no transaction was begun for it.
func (s *Session) Commit(ctx context.Context) error { return s.commit(ctx, nil) }

func (s *Session) commit(ctx context.Context, t *tx) error {
	return s.end(t, func(c *pgx.Conn, failed error) error {
		if failed != nil {
			return fmt.Errorf("%w, because a statement failed: %w", pgx.ErrTxCommitRollback, failed)
		}
		if c.IsClosed() {
			return errors.New("session: the connection was lost, and the transaction with it")
		}
		query := s.opts.Tx.CommitQuery
		if query == "" {
			query = "commit"
		}
		tag, err := c.Exec(ctx, query)
		if err == nil && tag.String() == "ROLLBACK" {
			return pgx.ErrTxCommitRollback
		}
		if err != nil {
			rollback(ctx, c)
		}
		return err
	})
}

// Rollback rolls the transaction back, if one is open, and releases the
// connection. The session can be used again. It works although ctx has ended.
func (s *Session) Rollback(ctx context.Context) error { return s.rollback(ctx, nil) }

func (s *Session) rollback(ctx context.Context, t *tx) error {
	return s.end(t, func(c *pgx.Conn, _ error) error { return rollback(ctx, c) })
}

// end runs finish where a transaction is open, or has failed, and releases the
// connection. It is the session that asks for it, or t where that is not nil.
func (s *Session) end(t *tx, finish func(c *pgx.Conn, failed error) error) error {
	if err := s.lock(t); err != nil {
		return err
	}
	defer s.leave(nil)
	s.mu.Lock()
	conn, failed := s.conn, s.failed
	s.conn, s.failed = nil, nil
	s.endTxs(0, errTxEnded)
	if t != nil {
		t.ended = pgx.ErrTxClosed
	}
	s.mu.Unlock()
	if conn == nil {
		return nil
	}
	defer conn.Release()
	if c := conn.Conn(); failed != nil || c.PgConn().TxStatus() != 'I' {
		return finish(c, failed)
	}
	return nil
}

// Close rolls back what is open, releases the connection and ends the session.
// Closing again does nothing. While another goroutine runs a statement, or is in a call
// that reads its rows, Close returns ErrInUse, and that goroutine releases when the
// statement or the call is done. Rows that are still open then end with ErrClosed.
func (s *Session) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true // from now on, whoever leaves releases
	running, open, conn := s.running, s.result, s.conn
	if !running {
		s.conn = nil
	}
	s.mu.Unlock()
	switch {
	case open != nil:
		return open.abandon()
	case running:
		return ErrInUse
	case conn == nil:
		return nil
	}
	defer conn.Release()
	return rollback(context.Background(), conn.Conn())
}

// rollback ends a transaction that is open.
func rollback(ctx context.Context, c *pgx.Conn) error {
	if c.IsClosed() || c.PgConn().TxStatus() == 'I' {
		return nil
	}
	return undo(ctx, c, "rollback")
}

// undo runs what rolls back, although ctx may have ended. A connection on which that
// fails is closed, and whatever is left with it.
func undo(ctx context.Context, c *pgx.Conn, sql string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, err := c.Exec(ctx, sql)
	if err != nil {
		c.Close(ctx)
	}
	return err
}

// discard closes a connection, so that its pool drops it.
func discard(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	c.Close(ctx)
}

// Exec runs a statement and returns what the server says of it, as pgx does. Without
// arguments the text may be several statements, also where it is the session's first;
// what it returns is the last one's.
func (s *Session) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return s.exec(ctx, nil, sql, args)
}

func (s *Session) exec(ctx context.Context, t *tx, sql string, args []any) (tag pgconn.CommandTag, err error) {
	err = s.run(ctx, t, func(c *pgx.Conn) (_ *result, err error) {
		tag, err = s.execOn(ctx, c, sql, args)
		return nil, err
	})
	return tag, err
}

func (s *Session) execOn(ctx context.Context, c *pgx.Conn, sql string, args []any) (pgconn.CommandTag, error) {
	switch {
	case !s.begins(c):
		return c.Exec(ctx, sql, args...)
	case len(args) == 0 && strings.Contains(strings.TrimRight(sql, "; \t\r\n"), ";"):
		// Perhaps several statements, which only a simple query may have.
		return c.Exec(ctx, s.beginning().QueuedQueries[0].SQL+";\n"+sql)
	}
	br, err := s.begin(ctx, c, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	if br == nil {
		return c.Exec(ctx, sql, args...)
	}
	tag, err := br.Exec()
	if closeErr := br.Close(); err == nil {
		err = closeErr
	}
	return tag, err
}

// Query runs a statement that returns rows, as pgx does. The session can run
// nothing else until they are read to the end or closed. Where it fails, the rows
// are not nil but carry the same error, so that pgx.CollectRows can be given them
// unseen.
func (s *Session) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return s.query(ctx, nil, sql, args)
}

func (s *Session) query(ctx context.Context, t *tx, sql string, args []any) (pgx.Rows, error) {
	var r *rows
	err := s.run(ctx, t, func(c *pgx.Conn) (_ *result, err error) {
		var br pgx.BatchResults
		if s.begins(c) {
			if br, err = s.begin(ctx, c, sql, args); err != nil {
				return nil, err
			}
		}
		var of pgx.Rows
		if br != nil {
			of, err = br.Query()
		} else {
			of, err = c.Query(ctx, sql, args...)
		}
		r = newRows(s, of, br)
		if err != nil {
			r.finish()
			return nil, err
		}
		return r.result, nil
	})
	if err != nil {
		return failedRows{err}, err
	}
	return r, nil
}

// QueryRow runs a statement that returns one row, as pgx does: its error comes
// with Scan, which must be called. pgx.ErrNoRows means that there was none.
func (s *Session) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return s.queryRow(ctx, nil, sql, args)
}

func (s *Session) queryRow(ctx context.Context, t *tx, sql string, args []any) pgx.Row {
	r := &row{result: result{session: s}}
	r.finish = func() error { return r.scan(nil) }
	err := s.run(ctx, t, func(c *pgx.Conn) (_ *result, err error) {
		if s.begins(c) {
			if r.batch, err = s.begin(ctx, c, sql, args); err != nil {
				return nil, err
			}
		}
		if r.batch != nil {
			r.row = r.batch.QueryRow()
		} else {
			r.row = c.QueryRow(ctx, sql, args...)
		}
		return &r.result, nil
	})
	if err != nil {
		return failedRow{err}
	}
	return r
}

// begin begins a transaction together with its first statement, in one round
// trip; the results are the statement's. It returns none where the statement
// has options that a batch cannot carry, or no statement is given: then only
// the transaction was begun, and the statement is still to be run.
func (s *Session) begin(ctx context.Context, c *pgx.Conn, sql string, args []any) (pgx.BatchResults, error) {
	batch := s.beginning()
	alone := sql == "" || len(args) > 0 && isQueryOption(args[0])
	if !alone {
		batch.Queue(sql, args...)
	}
	br := c.SendBatch(ctx, batch)
	if _, err := br.Exec(); err != nil {
		br.Close()
		return nil, err
	}
	if alone {
		return nil, br.Close()
	}
	return br, nil
}

// beginning is a batch that begins a transaction, in pgx's words. Since 5.12 pgx has
// Batch.BeginTx for it; a service on an older one keeps that.
func (s *Session) beginning() *pgx.Batch {
	batch := &pgx.Batch{}
	batch.Queue(beginSQL(s.opts.Tx))
	return batch
}

func beginSQL(tx pgx.TxOptions) string {
	if tx.BeginQuery != "" {
		return tx.BeginQuery
	}
	sql := "begin"
	if tx.IsoLevel != "" {
		sql += " isolation level " + string(tx.IsoLevel)
	}
	if tx.AccessMode != "" {
		sql += " " + string(tx.AccessMode)
	}
	if tx.DeferrableMode != "" {
		sql += " " + string(tx.DeferrableMode)
	}
	return sql
}

// isQueryOption reports whether the first argument of a statement is one of
// pgx's options rather than a value.
func isQueryOption(arg any) bool {
	switch arg.(type) {
	case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
		return true
	}
	return false
}
