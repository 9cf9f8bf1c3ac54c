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

// service is the program's own, though its package has something for tests too.
type service struct{ db *sql.DB }

func (s service) charge() error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get("http://example.com") // want "high http"
	return tx.Commit()
}

type suite struct {
	*testing.T
	db *sql.DB
}

func (s *suite) okCharge() {
	tx, err := s.db.Begin()
	if err != nil {
		s.Fatal(err)
	}
	defer tx.Rollback()
	http.Get("http://example.com")
}

// started is what the program finds out before main: whoever makes its value has no
// name of its own.
var started = func() error {
	db, err := sql.Open("pgx", "")
	if err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get("http://example.com") // want "high http"
	return tx.Commit()
}()
