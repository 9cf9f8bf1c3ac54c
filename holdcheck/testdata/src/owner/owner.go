// Package owner has transactions that are opened in one function and closed in
// another.
package owner

import (
	"context"
	"database/sql"
	"net/http"
)

const u = "https://example.com/"

func begin(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "set local lock_timeout = '1s'"); err != nil {
		tx.Rollback()
		return nil, err
	}
	return tx, nil
}

func finish(tx *sql.Tx, err error) error {
	if err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func returned(ctx context.Context, db *sql.DB) error {
	tx, err := begin(ctx, db)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u) // want "high http"
	return tx.Commit()
}

func okReturned(ctx context.Context, db *sql.DB) error {
	tx, err := begin(ctx, db)
	if err != nil {
		http.Get(u)
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

func beforeFinish(ctx context.Context, db *sql.DB) error {
	tx, err := begin(ctx, db)
	if err != nil {
		return err
	}
	_, err = http.Get(u) // want "high http"
	return finish(tx, err)
}

func okAfterFinish(ctx context.Context, db *sql.DB) error {
	tx, err := begin(ctx, db)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "delete from a")
	if err := finish(tx, err); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

// insert makes a request with its caller's transaction open: each caller that has
// one is told.
func insert(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "insert"); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

func handsOver(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := insert(ctx, tx); err != nil { // want "high http"
		return err
	}
	return tx.Commit()
}

func okHandsOver(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := remove(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

func remove(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "delete")
	return err
}

// commitAndTell commits its caller's transaction before it makes a request.
func commitAndTell(tx *sql.Tx) error {
	if err := tx.Commit(); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

func okCalleeCommitsFirst(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return commitAndTell(tx)
}

// tellAndCommit does it the other way round.
func tellAndCommit(tx *sql.Tx) error {
	if _, err := http.Get(u); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func calleeCommitsLater(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return tellAndCommit(tx) // want "high http"
}

// opened returns how to close, too.
func opened(ctx context.Context, db *sql.DB) (tx *sql.Tx, done func() error, err error) {
	tx, err = db.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	return tx, func() error { return tx.Commit() }, nil
}

func beforeDone(ctx context.Context, db *sql.DB) error {
	_, done, err := opened(ctx, db)
	if err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return done()
}

func okAfterDone(ctx context.Context, db *sql.DB) error {
	tx, done, err := opened(ctx, db)
	if err != nil {
		return err
	}
	tx.ExecContext(ctx, "delete from a")
	if err := done(); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

// conditional begins where its caller has not begun.
func conditional(ctx context.Context, db *sql.DB, tx *sql.Tx) error {
	if tx == nil {
		var err error
		if tx, err = db.BeginTx(ctx, nil); err != nil {
			return err
		}
		defer tx.Rollback()
	}
	if _, err := tx.ExecContext(ctx, "insert"); err != nil {
		return err
	}
	_, err := http.Get(u) // want "high http"
	return err
}

// okConditional commits what it began, and its caller has nothing open.
func okConditional(ctx context.Context, db *sql.DB, tx *sql.Tx) error {
	own := false
	if tx == nil {
		var err error
		if tx, err = db.BeginTx(ctx, nil); err != nil {
			return err
		}
		own = true
	}
	_, err := tx.ExecContext(ctx, "insert")
	if own {
		if err != nil {
			tx.Rollback()
			return err
		}
		if err = tx.Commit(); err != nil {
			return err
		}
	}
	return err
}

func okConditionalThenRequest(ctx context.Context, db *sql.DB) error {
	if err := okConditional(ctx, db, nil); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

func conditionalFromCaller(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := okConditional(ctx, db, tx); err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return tx.Commit()
}

// unit is a unit of work with its transaction in a field.
type unit struct {
	db *sql.DB
	tx *sql.Tx
}

func (w *unit) begin(ctx context.Context) (err error) {
	w.tx, err = w.db.BeginTx(ctx, nil)
	return err
}
func (w *unit) commit() error { return w.tx.Commit() }
func (w *unit) close() {
	if w.tx != nil {
		w.tx.Rollback()
	}
}
func (w *unit) exec(ctx context.Context, query string) error {
	_, err := w.tx.ExecContext(ctx, query)
	return err
}

func field(ctx context.Context, w *unit) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	defer w.close()
	if err := w.exec(ctx, "insert"); err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return w.commit()
}

func okField(ctx context.Context, w *unit) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	defer w.close()
	if err := w.exec(ctx, "insert"); err != nil {
		return err
	}
	if err := w.commit(); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

// newUnit begins in the constructor.
func newUnit(ctx context.Context, db *sql.DB) (*unit, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &unit{db: db, tx: tx}, nil
}

func constructed(ctx context.Context, db *sql.DB) error {
	w, err := newUnit(ctx, db)
	if err != nil {
		return err
	}
	defer w.close()
	http.Get(u) // want "high http"
	return w.commit()
}

func okConstructed(ctx context.Context, db *sql.DB) error {
	w, err := newUnit(ctx, db)
	if err != nil {
		return err
	}
	if err := w.exec(ctx, "insert"); err != nil {
		w.close()
		return err
	}
	if err := w.commit(); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

// session embeds its transaction.
type session struct{ *sql.Tx }

func embedded(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	s := &session{tx}
	defer s.Rollback()
	http.Get(u) // want "high http"
	return s.Commit()
}

func okEmbedded(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	s := &session{tx}
	if err := s.Commit(); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

type key struct{}

// withTx puts a transaction into a context, as middleware does.
func withTx(ctx context.Context, db *sql.DB) (context.Context, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, key{}, tx), nil
}

func commit(ctx context.Context) error { return ctx.Value(key{}).(*sql.Tx).Commit() }

func inContext(ctx context.Context, db *sql.DB) error {
	ctx, err := withTx(ctx, db)
	if err != nil {
		return err
	}
	if err := one(ctx); err != nil { // want "high http"
		return err
	}
	return commit(ctx)
}

func okInContext(ctx context.Context, db *sql.DB) error {
	ctx, err := withTx(ctx, db)
	if err != nil {
		return err
	}
	if err := commit(ctx); err != nil {
		return err
	}
	return one(ctx)
}

func one(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, "GET", u, nil)
	if err != nil {
		return err
	}
	_, err = http.DefaultClient.Do(req)
	return err
}

// dbtx and queries look like what sqlc generates: WithTx opens nothing.
type dbtx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

type queries struct{ db dbtx }

func newQueries(db dbtx) *queries             { return &queries{db} }
func (q *queries) WithTx(tx *sql.Tx) *queries { return &queries{tx} }
func (q *queries) Insert(ctx context.Context) error {
	_, err := q.db.ExecContext(ctx, "insert")
	return err
}

func boundQueries(ctx context.Context, db *sql.DB, q *queries) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	q = q.WithTx(tx)
	if err := q.Insert(ctx); err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return tx.Commit()
}

func okBoundQueries(ctx context.Context, tx *sql.Tx, q *queries) *queries {
	return q.WithTx(tx)
}

func okUnboundQueries(ctx context.Context, db *sql.DB) error {
	q := newQueries(db)
	if err := q.Insert(ctx); err != nil {
		return err
	}
	http.Get(u)
	return q.Insert(ctx)
}

// rowsReturned hands open rows to its caller.
func rowsReturned(db *sql.DB) (*sql.Rows, error) { return db.Query("select a from b") }

func openRows(db *sql.DB) error {
	rows, err := rowsReturned(db)
	if err != nil {
		return err
	}
	defer rows.Close()
	http.Get(u) // want "high http"
	return nil
}

func okClosedRows(db *sql.DB) error {
	rows, err := rowsReturned(db)
	if err != nil {
		return err
	}
	drain(rows)
	http.Get(u)
	return nil
}

func drain(rows *sql.Rows) {
	defer rows.Close()
	for rows.Next() {
	}
}
