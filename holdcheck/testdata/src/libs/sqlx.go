// Package libs has the ways of other libraries to take a connection.
package libs

import (
	"context"
	"net/http"

	"github.com/jmoiron/sqlx"
)

const u = "https://example.com/"

func beginx(db *sqlx.DB) error {
	tx, err := db.Beginx()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	http.Get(u) // want "high http"
	return tx.Commit()
}

func okBeginx(db *sqlx.DB) error {
	tx, err := db.Beginx()
	if err != nil {
		return err
	}
	if _, err := tx.NamedExec("insert", nil); err != nil {
		tx.Rollback()
		http.Get(u)
		return err
	}
	return tx.Commit()
}

func mustBegin(db *sqlx.DB) {
	tx := db.MustBegin()
	http.Get(u) // want "high http"
	tx.Commit()
}

func okMustBeginTx(ctx context.Context, db *sqlx.DB) {
	tx := db.MustBeginTx(ctx, nil)
	tx.NamedExec("insert", nil)
	tx.Commit()
	http.Get(u)
}

func promotedBegin(db *sqlx.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return tx.Commit()
}

func queryx(db *sqlx.DB) error {
	rows, err := db.Queryx("select a from b")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		rows.StructScan(nil)
		http.Get(u) // want "high http"
	}
	return nil
}

func okNamedQuery(db *sqlx.DB) error {
	rows, err := db.NamedQuery("select a from b", nil)
	if err != nil {
		return err
	}
	for rows.Next() {
		rows.StructScan(nil)
	}
	http.Get(u)
	return nil
}

func okSelect(db *sqlx.DB) error {
	var all []string
	if err := db.Select(&all, "select a from b"); err != nil {
		return err
	}
	http.Get(u)
	return nil
}

func connx(ctx context.Context, db *sqlx.DB) error {
	c, err := db.Connx(ctx)
	if err != nil {
		return err
	}
	http.Get(u) // want "high http"
	return c.Close()
}
