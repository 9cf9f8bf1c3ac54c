// Package directives has comments that say that a slow call is meant.
package directives

import (
	"database/sql"
	"net/http"
)

const u = "https://example.com/"

func okIgnoredOnLine(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u) //pghold:ignore once a day, at night
	return tx.Commit()
}

func okIgnoredAbove(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	//pghold:ignore the row must go away again when the request fails
	if _, err := http.Get(u); err != nil {
		return err
	}
	return tx.Commit()
}

func withoutReason(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	//pghold:ignore
	http.Get(u) // want "high http"
	return tx.Commit()
}

func twoLinesAbove(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	//pghold:ignore this is about the statement

	tx.Exec("delete from a")
	http.Get(u) // want "high http"
	return tx.Commit()
}

func okIgnoredAtHold(db *sql.DB) error {
	//pghold:ignore a tool for one user, with a pool of its own
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u)
	http.Head(u)
	return tx.Commit()
}

func ping() {
	http.Get(u) //pghold:ignore it answers at once: it is on this machine
}

func okIgnoredAtSlowCall(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	ping()
	return tx.Commit()
}

// okIgnoredFunction has it in its comment.
//
//pghold:ignore a command that one person runs
func okIgnoredFunction(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u)
	return tx.Commit()
}

// likeADirective has a comment that only looks like one.
func likeADirective(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// pghold:ignore with a space is prose
	http.Get(u) // want "high http"
	return tx.Commit()
}

// otherCall ignores the first and not the second.
func otherCall(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u) //pghold:ignore fast enough

	http.Head(u) // want "high http"
	return tx.Commit()
}
