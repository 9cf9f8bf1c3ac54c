// A service whose middleware begins a transaction for each request, as Harbor's does
// (goharbor/harbor#23879), on a pool of 4 connections, pgxpool's default.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	cfg, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	cfg.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /before", transactional(pool, func(ctx context.Context, tx pgx.Tx) error {
		return createProject(ctx, tx, pool)
	}))
	mux.Handle("POST /after", transactional(pool, func(ctx context.Context, tx pgx.Tx) error {
		return createProject(ctx, tx, tx)
	}))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux))
}

// transactional runs a handler in a transaction, which takes a connection until its end.
func transactional(pool *pgxpool.Pool, handle func(context.Context, pgx.Tx) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := pgx.BeginFunc(r.Context(), pool, func(tx pgx.Tx) error { return handle(r.Context(), tx) })
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

// names is where the audit log looks up who did it: the request's transaction, or the pool,
// which has to give a second connection then.
type names interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}

func createProject(ctx context.Context, tx pgx.Tx, from names) error {
	// A statement of 100 ms, so that several requests are in their transactions at once.
	if _, err := tx.Exec(ctx, "INSERT INTO projects SELECT FROM pg_sleep(0.1)"); err != nil {
		return err
	}
	var name string
	if err := from.QueryRow(ctx, "SELECT name FROM users WHERE id = 1").Scan(&name); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO audit_log VALUES ($1)", name+" has created a project")
	return err
}
