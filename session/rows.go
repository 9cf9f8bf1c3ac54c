package session

import (
	"bytes"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// result is what a statement left open with its caller: rows to be read, a row to be
// scanned, a batch to be closed. Its connection is used by one call at a time, of the
// caller's or of Session.Close.
type result struct {
	session *Session
	finish  func() error // reads what is left, and returns the statement's error

	mu    sync.Mutex // held while a call uses the connection; guards what follows
	ended bool
	cut   bool  // ended by Session.Close
	err   error // finish's
}

// use runs a call that uses the connection. It returns ErrClosed instead where the
// session was closed. Where that happens meanwhile, in another goroutine, the result ends
// with the call.
func (r *result) use(call func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endIfClosed()
	if r.cut {
		return ErrClosed
	}
	defer r.endIfClosed()
	call() // after the end, it is pgx that knows what to answer
	return nil
}

func (r *result) endIfClosed() {
	if !r.ended && r.session.isClosed() {
		r.cut = true
		r.end()
	}
}

// end ends the statement. r.mu is held.
func (r *result) end() (err error) {
	if r.ended {
		return nil
	}
	r.ended = true
	r.err = errPanicked // unless finish returns
	defer func() { err = r.session.leave(r.err) }()
	r.err = r.finish()
	return nil
}

func (r *result) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
	return r.err
}

// abandon ends the statement for Session.Close.
func (r *result) abandon() error {
	if !r.mu.TryLock() {
		return ErrInUse // the call ends it
	}
	defer r.mu.Unlock()
	r.cut = !r.ended
	return r.end()
}

// rows are the rows of a query. If they are not a batch's, they end their statement when
// they are closed or read to the end.
type rows struct {
	pgx.Rows
	*result
	ofBatch bool
}

var _ pgx.Rows = (*rows)(nil)

// newRows returns the rows of a statement, which shared a batch with BEGIN if there is
// one.
func newRows(s *Session, of pgx.Rows, batch pgx.BatchResults) *rows {
	return &rows{Rows: of, result: &result{session: s, finish: func() error {
		of.Close()
		err := of.Err()
		if batch != nil {
			if closeErr := batch.Close(); err == nil {
				err = closeErr
			}
		}
		return err
	}}}
}

func (r *rows) Next() bool {
	more := false
	err := r.use(func() {
		if more = r.Rows.Next(); !more && !r.ofBatch {
			r.end()
		}
	})
	return more && err == nil && !r.isCut()
}

func (r *rows) isCut() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cut
}

func (r *rows) Scan(dest ...any) (err error) {
	if ended := r.use(func() { err = r.Rows.Scan(dest...) }); ended != nil {
		return ended
	}
	return err
}

func (r *rows) Values() (values []any, err error) {
	if ended := r.use(func() { values, err = r.Rows.Values() }); ended != nil {
		return nil, ended
	}
	return values, err
}

// RawValues returns copies: pgx's are the connection's memory, which another session may
// have by the time they are looked at.
func (r *rows) RawValues() (values [][]byte) {
	r.use(func() {
		for _, v := range r.Rows.RawValues() {
			values = append(values, bytes.Clone(v))
		}
	})
	return values
}

func (r *rows) FieldDescriptions() (fields []pgconn.FieldDescription) {
	r.use(func() { fields = r.Rows.FieldDescriptions() })
	return fields
}

func (r *rows) CommandTag() (tag pgconn.CommandTag) {
	r.use(func() { tag = r.Rows.CommandTag() })
	return tag
}

func (r *rows) Close() {
	if r.ofBatch {
		r.use(r.Rows.Close)
		return
	}
	r.close()
}

func (r *rows) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		return ErrClosed
	}
	if err := r.Rows.Err(); err != nil || r.ofBatch {
		return err
	}
	return r.err
}

// row is the row of a QueryRow, which ends its statement when it is scanned.
type row struct {
	result
	row   pgx.Row
	batch pgx.BatchResults // the batch that began the transaction, if this is its first statement
}

func (r *row) Scan(dest ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.cut:
		return ErrClosed
	case r.ended:
		return pgx.ErrNoRows // scanned before
	}
	r.finish = func() error { return r.scan(dest) }
	r.end()
	return r.err
}

func (r *row) scan(dest []any) error {
	err := r.row.Scan(dest...)
	if r.batch != nil {
		if closeErr := r.batch.Close(); err == nil {
			err = closeErr
		}
	}
	return err
}

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }

// failedRows are what Query returns beside an error: none, and the error.
type failedRows struct{ err error }

func (failedRows) Close()                                       {}
func (r failedRows) Err() error                                 { return r.err }
func (failedRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (failedRows) Next() bool                                   { return false }
func (r failedRows) Scan(...any) error                          { return r.err }
func (r failedRows) Values() ([]any, error)                     { return nil, r.err }
func (failedRows) RawValues() [][]byte                          { return nil }
func (failedRows) Conn() *pgx.Conn                              { return nil }
func (failedRows) TypeMap() *pgtype.Map                         { return nil }
