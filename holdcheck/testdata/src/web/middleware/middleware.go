// Package middleware wraps net/http's handlers.
package middleware

import (
	"context"
	"database/sql"
	"net/http"
)

type key struct{}

// Tx opens a transaction for each request.
func Tx(db *sql.DB) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			tx, err := db.BeginTx(r.Context(), nil)
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			defer tx.Rollback()
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, tx))) // wantcheck "medium http"
			tx.Commit()
		})
	}
}

func From(ctx context.Context) *sql.Tx { return ctx.Value(key{}).(*sql.Tx) }

// okAudit has its transaction before the handler.
func okAudit(db *sql.DB, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tx, err := db.BeginTx(r.Context(), nil)
		if err != nil {
			return
		}
		tx.ExecContext(r.Context(), "insert into audit", r.URL.Path)
		tx.Commit()
		next.ServeHTTP(w, r)
	})
}

// okAuditAfter has it after.
func okAuditAfter(db *sql.DB, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		tx, err := db.BeginTx(r.Context(), nil)
		if err != nil {
			return
		}
		defer tx.Rollback()
		tx.ExecContext(r.Context(), "insert into audit", r.URL.Path)
		tx.Commit()
	})
}

func Audit(db *sql.DB, next http.Handler) http.Handler { return okAudit(db, okAuditAfter(db, next)) }
