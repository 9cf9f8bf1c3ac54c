// Package testfiles has slow calls in a test file.
package testfiles

import (
	"database/sql"
	"net/http"
)

const u = "https://example.com/"

func insideTx(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u) // want "high http"
	return tx.Commit()
}

func okOutside(db *sql.DB) error {
	_, err := http.Get(u)
	if err != nil {
		return err
	}
	return db.Ping()
}
