// Package sqldb has database/sql's ways to take a connection, and to give it back.
package sqldb

import (
	"context"
	"database/sql"
	"net/http"
)

const u = "https://example.com/"

func begin(db *sql.DB) error {
	tx, err := db.Begin() // hold
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u) // want "high http .*http\\.Get"
	return tx.Commit()
}

func okBeforeBegin(db *sql.DB) error {
	http.Get(u)
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return tx.Commit()
}

func beginTx(ctx context.Context, db *sql.DB, c *http.Client, r *http.Request) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "update a set b = 1"); err != nil {
		tx.Rollback()
		return err
	}
	if _, err := c.Do(r); err != nil { // want "high http .*Do"
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

func okAfterCommit(ctx context.Context, db *sql.DB, c *http.Client, r *http.Request) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "update a set b = 1"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	_, err = c.Do(r)
	return err
}

func okBeginFailed(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		http.Post(u, "text/plain", nil)
		return err
	}
	return tx.Commit()
}

func okBeginFailedInIf(db *sql.DB) error {
	if tx, err := db.Begin(); err != nil {
		http.Post(u, "text/plain", nil)
		return err
	} else {
		return tx.Commit()
	}
}

func conn(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	http.Get(u) // want "high http"
	_, err = c.ExecContext(ctx, "select 1")
	return err
}

func okConnClosed(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, "select 1")
	c.Close()
	if err != nil {
		http.Get(u)
	}
	return err
}

func txOfConn(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return nil
}

func okTxOfConn(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		c.Close()
		return err
	}
	tx.Commit()
	c.Close()
	http.Get(u)
	return nil
}

func raw(ctx context.Context, c *sql.Conn) error {
	return c.Raw(func(driverConn any) error {
		http.Get(u) // want "high http"
		return nil
	})
}

func okRaw(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	var n int
	err = c.Raw(func(driverConn any) error { n++; return nil })
	c.Close()
	http.Get(u)
	return err
}

func rowsOpen(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "select a from b") // hold
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a string
		if err := rows.Scan(&a); err != nil {
			return err
		}
		http.Get(a) // want "high http"
	}
	return rows.Err()
}

func okRowsReadFirst(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var a string
		if err := rows.Scan(&a); err != nil {
			return err
		}
		all = append(all, a)
	}
	for _, a := range all {
		http.Get(a)
	}
	return rows.Err()
}

func rowsLeftEarly(db *sql.DB) error {
	rows, err := db.Query("select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	var a string
	for rows.Next() {
		rows.Scan(&a)
		if a != "" {
			break
		}
	}
	http.Get(a) // want "high http"
	return rows.Err()
}

func okRowsLeftEarlyAndClosed(db *sql.DB) error {
	rows, err := db.Query("select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	var a string
	for rows.Next() {
		rows.Scan(&a)
		if a != "" {
			break
		}
	}
	rows.Close()
	http.Get(a)
	return rows.Err()
}

func oneRowOfRows(db *sql.DB) error {
	rows, err := db.Query("select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	if !rows.Next() {
		http.Head(u)
		return rows.Err()
	}
	http.Get(u) // want "high http"
	return nil
}

func okNoRow(db *sql.DB) error {
	rows, err := db.Query("select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		return nil
	}
	http.Get(u)
	return rows.Err()
}

func statement(st *sql.Stmt) error {
	rows, err := st.Query(1)
	if err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return rows.Close()
}

func okStatement(st *sql.Stmt) error {
	if _, err := st.Exec(1); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

func rowUnscanned(db *sql.DB) (a string, err error) {
	row := db.QueryRow("select a from b")
	if row.Err() != nil {
		return "", row.Err()
	}
	http.Get(u) // want "high http"
	err = row.Scan(&a)
	return a, err
}

func okRowScanned(db *sql.DB) (a string, err error) {
	if err = db.QueryRow("select a from b").Scan(&a); err != nil {
		return "", err
	}
	http.Get(a)
	return a, nil
}

func okExec(db *sql.DB) error {
	if _, err := db.Exec("delete from b"); err != nil {
		return err
	}
	_, err := http.Get(u)
	return err
}

func okPrepared(db *sql.DB) error {
	st, err := db.Prepare("select 1")
	if err != nil {
		return err
	}
	defer st.Close()
	http.Get(u)
	return db.Ping()
}

func rowOfStatement(st *sql.Stmt) (a string, err error) {
	row := st.QueryRow(1)
	http.Get(u) // want "high http"
	err = row.Scan(&a)
	return a, err
}

func rowsOfConn(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	rows, err := c.QueryContext(ctx, "select a from b")
	if err != nil {
		return err
	}
	if err := rows.Close(); err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return nil
}

func resultSets(db *sql.DB) error {
	rows, err := db.Query("select a from b; select c from d")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.NextResultSet() {
		http.Get(u) // want "high http"
	}
	return rows.Err()
}
