package session

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// rows are the rows of a query, which end the statement they belong to when
// they are closed or read to the end.
type rows struct {
	pgx.Rows
	session *Session
	batch   pgx.BatchResults // the batch that began the transaction, if this is its first statement
	ended   bool
	err     error // of closing the batch
}

var _ pgx.Rows = (*rows)(nil)

func (r *rows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *rows) Close() {
	if r.ended {
		return
	}
	r.ended = true
	r.Rows.Close()
	if r.batch != nil {
		r.err = r.batch.Close()
	}
	r.session.leave()
}

func (r *rows) abandon() { r.Close() }

func (r *rows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

// row is the row of a QueryRow, which ends its statement when it is scanned.
type row struct {
	session *Session
	row     pgx.Row
	batch   pgx.BatchResults
}

func (r *row) Scan(dest ...any) error {
	if r.session == nil {
		return pgx.ErrNoRows // scanned before
	}
	err := r.row.Scan(dest...)
	if r.batch != nil {
		if closeErr := r.batch.Close(); err == nil {
			err = closeErr
		}
	}
	r.session.leave()
	r.session = nil
	return err
}

func (r *row) abandon() { r.Scan() }

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
