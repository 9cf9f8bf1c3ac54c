package session

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// SendBatch sends several statements in one round trip, as pgx does, BEGIN with
// them. The session can run nothing else until the results are closed. The
// batch must not begin a transaction itself.
func (s *Session) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	c, err := s.enter(ctx)
	if err != nil {
		return pgx.FailedBatchResults(b, err)
	}
	if !s.begins(c) {
		r := &batchResults{BatchResults: c.SendBatch(ctx, b), session: s}
		s.open(r)
		return r
	}
	with := &pgx.Batch{}
	with.BeginTx(s.opts.Tx)
	with.QueuedQueries = append(with.QueuedQueries, b.QueuedQueries...)
	br := c.SendBatch(ctx, with)
	if _, err := br.Exec(); err != nil {
		br.Close()
		s.leave()
		return pgx.FailedBatchResults(b, err)
	}
	r := &batchResults{BatchResults: br, session: s}
	s.open(r)
	return r
}

// batchResults end their statement when they are closed.
type batchResults struct {
	pgx.BatchResults
	session *Session
}

func (r *batchResults) Close() error {
	err := r.BatchResults.Close()
	if r.session != nil {
		r.session.leave()
		r.session = nil
	}
	return err
}

func (r *batchResults) abandon() { r.Close() }

// Tx returns nil: the transaction is the session's.
func (r *batchResults) Tx() pgx.Tx { return nil }

// CopyFrom copies rows into a table, as pgx does. Where it is the first
// statement, BEGIN is a round trip of its own: COPY cannot share one.
func (s *Session) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (int64, error) {
	c, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer s.leave()
	if s.begins(c) {
		if _, err := s.begin(ctx, c, "", nil); err != nil {
			return 0, err
		}
	}
	return c.CopyFrom(ctx, table, columns, src)
}
