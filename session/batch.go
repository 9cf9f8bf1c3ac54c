package session

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SendBatch sends several statements in one round trip, as pgx does, BEGIN with
// them. The session can run nothing else until the results are closed. The
// batch must not begin a transaction itself.
func (s *Session) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return s.sendBatch(ctx, nil, b)
}

func (s *Session) sendBatch(ctx context.Context, t *tx, b *pgx.Batch) pgx.BatchResults {
	if b == nil {
		return failedBatch{errors.New("session: SendBatch needs a batch, and got nil")}
	}
	var r *batchResults
	err := s.run(ctx, t, func(c *pgx.Conn) (*result, error) {
		var br pgx.BatchResults
		if s.begins(c) {
			with := s.beginning()
			with.QueuedQueries = append(with.QueuedQueries, b.QueuedQueries...)
			br = c.SendBatch(ctx, with)
			if _, err := br.Exec(); err != nil {
				br.Close()
				return nil, err
			}
		} else {
			br = c.SendBatch(ctx, b)
		}
		r = &batchResults{result: result{session: s, finish: br.Close}, of: br}
		return &r.result, nil
	})
	if err != nil {
		return failedBatch{err}
	}
	return r
}

// failedBatch is of a batch that was not sent. pgx.FailedBatchResults is new in 5.12.
type failedBatch struct{ err error }

func (f failedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, f.err }
func (f failedBatch) Query() (pgx.Rows, error)         { return failedRows(f), f.err }
func (f failedBatch) QueryRow() pgx.Row                { return failedRow(f) }
func (f failedBatch) Close() error                     { return f.err }
func (f failedBatch) Tx() pgx.Tx                       { return nil }

// batchResults end their statement when they are closed.
type batchResults struct {
	result
	of pgx.BatchResults
}

func (r *batchResults) Exec() (tag pgconn.CommandTag, err error) {
	if ended := r.use(func() { tag, err = r.of.Exec() }); ended != nil {
		return tag, ended
	}
	return tag, err
}

func (r *batchResults) Query() (of pgx.Rows, err error) {
	if ended := r.use(func() { of, err = r.of.Query() }); ended != nil {
		return failedRows{ended}, ended
	}
	if err != nil {
		return failedRows{err}, err
	}
	return &rows{Rows: of, result: &r.result, ofBatch: true}, nil
}

func (r *batchResults) QueryRow() (of pgx.Row) {
	if ended := r.use(func() { of = r.of.QueryRow() }); ended != nil {
		return failedRow{ended}
	}
	return batchRow{of, &r.result}
}

func (r *batchResults) Close() error { return r.close() }

// Tx returns nil: the transaction is the session's.
func (r *batchResults) Tx() pgx.Tx { return nil }

// batchRow is one of a batch's, which its Scan does not end.
type batchRow struct {
	of    pgx.Row
	batch *result
}

func (r batchRow) Scan(dest ...any) (err error) {
	if ended := r.batch.use(func() { err = r.of.Scan(dest...) }); ended != nil {
		return ended
	}
	return err
}

// CopyFrom copies rows into a table, as pgx does. Where it is the first
// statement, BEGIN is a round trip of its own: COPY cannot share one. A source
// that panics ends the process: pgx asks it in a goroutine of its own.
func (s *Session) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	return s.copyFrom(ctx, nil, table, columns, src)
}

func (s *Session) copyFrom(ctx context.Context, t *tx, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (n int64, err error) {
	if src == nil {
		return 0, errors.New("session: CopyFrom needs a source of rows, and got nil")
	}
	err = s.run(ctx, t, func(c *pgx.Conn) (_ *result, err error) {
		if s.begins(c) {
			_, err = s.begin(ctx, c, "", nil)
		}
		if err == nil {
			n, err = c.CopyFrom(ctx, table, columns, src)
		}
		return nil, err
	})
	return n, err
}
