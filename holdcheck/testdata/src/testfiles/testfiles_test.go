package testfiles

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"testing"
)

// open is where a driver would be.
func open(t *testing.T) *sql.DB {
	db, err := sql.Open("postgres", "")
	if err != nil {
		t.Skip(err)
	}
	return db
}

// TestHandler has what it needs in a transaction that it rolls back, and asks a
// server of its own meanwhile.
func TestHandler(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	tx, err := open(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	http.Get(s.URL) // wanttests "high http"
}

func okTestRolledBack(t *testing.T) {
	tx, err := open(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	tx.Rollback()
	http.Get(u)
}
