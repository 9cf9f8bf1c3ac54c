package flow

import (
	"database/sql"
	"net/http"
)

// deferredBeforeRollback runs its request first: what is deferred last.
func deferredBeforeRollback(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	defer http.Get(u) // want "high http"
	_, err = tx.Exec("delete from a")
	return err
}

func okDeferredAfterRollback(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer http.Get(u)
	defer tx.Rollback()
	_, err = tx.Exec("delete from a")
	return err
}

func deferredClosure(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { http.Get(u); tx.Rollback() }() // want "high http"
	_, err = tx.Exec("delete from a")
	return err
}

func okDeferredClosure(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		tx.Rollback()
		http.Get(u)
	}()
	_, err = tx.Exec("delete from a")
	return err
}

// okDeferredBeforeBegin defers before there is a transaction, and every path
// commits.
func okDeferredBeforeBegin(db *sql.DB) error {
	defer http.Get(u)
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	if _, err := tx.Exec("delete from a"); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

// deferredOnError commits on one path only before the deferred request runs.
func deferredOnError(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	defer func() { http.Get(u) }() // want "high http"
	if _, err := tx.Exec("delete from a"); err != nil {
		return err
	}
	return tx.Commit()
}

func deferredCommit(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Commit()
	http.Get(u) // want "high http"
	return nil
}

func okCallerOfDeferredCommit(db *sql.DB) error {
	if err := plainDeferredCommit(db); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

func plainDeferredCommit(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Commit()
	_, err = tx.Exec("delete from a")
	return err
}

func argumentOfDefer(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	defer done(reachable(u)) // want "high http"
	return nil
}

func done(bool) {}

// okArgumentOfDefer evaluates its argument before begin.
func okArgumentOfDefer(db *sql.DB) error {
	defer done(reachable(u))
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return nil
}

func rollbackHelper(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer rollback(tx)
	http.Get(u) // want "high http"
	return tx.Commit()
}

func okRollbackHelper(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	_, err = tx.Exec("delete from a")
	rollback(tx)
	http.Get(u)
	return err
}

func rollback(tx *sql.Tx) {
	if err := tx.Rollback(); err != nil && err != sql.ErrTxDone {
		println(err.Error())
	}
}
