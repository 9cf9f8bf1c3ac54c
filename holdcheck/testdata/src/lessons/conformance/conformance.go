// Package conformance is for the tests of those who implement something.
package conformance

import (
	"database/sql"
	"net/http"
	"testing"
)

func okConformance(t *testing.T, db *sql.DB) {
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	http.Get("http://example.com")
}

func Run(t *testing.T, db *sql.DB) { okConformance(t, db) }
