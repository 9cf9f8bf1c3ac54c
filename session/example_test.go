package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold/session"
)

// slowAPI stands for a language model or a payment provider.
func slowAPI(_ context.Context, name string) (string, error) { return "Hello " + name, nil }

// The read is done and its connection released before the slow call begins.
func ExampleLocal() {
	ctx := context.Background()
	pgx, err := pgxpool.New(ctx, "postgres://127.0.0.1/app")
	if err != nil {
		log.Fatal(err)
	}
	defer pgx.Close()
	pool := session.From(pgx)

	greet := func(ctx context.Context, id int) (string, error) {
		var name string
		err := session.Local(ctx, pool, session.Options{}, func(s *session.Session) error {
			return s.QueryRow(ctx, "select name from users where id = $1", id).Scan(&name)
		})
		if err != nil {
			return "", err
		}
		return slowAPI(ctx, name) // no connection is held here
	}
	fmt.Println(greet(ctx, 1))
}

// One session for each request, as web frameworks have it. The connection is
// held until the handler commits or returns.
func ExamplePerRequest() {
	var pool session.Pool // From or FromDB
	mux := http.NewServeMux()
	mux.HandleFunc("POST /users/{id}/seen", func(w http.ResponseWriter, r *http.Request) {
		s := session.FromContext(r.Context())
		if _, err := s.Exec(r.Context(), "update users set seen = now() where id = $1", r.PathValue("id")); err != nil {
			http.Error(w, "not updated", http.StatusInternalServerError)
			return
		}
		if err := s.Commit(r.Context()); err != nil { // and release
			http.Error(w, "not updated", http.StatusInternalServerError)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", session.PerRequest(pool, session.Options{})(mux)))
}

// Queries is as sqlc generates it for pgx.
type Queries struct{ db DBTX }

type DBTX interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
}

func New(db DBTX) *Queries { return &Queries{db} }

func (q *Queries) WithTx(tx pgx.Tx) *Queries { return &Queries{tx} }

func (q *Queries) AddUser(ctx context.Context, name string) error {
	_, err := q.db.Exec(ctx, "insert into users (name) values ($1)", name)
	return err
}

// Code that takes a pgx.Tx works inside of a session. A name that is taken fails its
// insert; the savepoint around that keeps the others.
func ExampleSession_Tx() {
	var pool session.Pool // From or FromDB
	var queries *Queries  // as made elsewhere, on a pool
	ctx := context.Background()
	err := session.Local(ctx, pool, session.Options{}, func(s *session.Session) error {
		for _, name := range []string{"Ada", "Grace"} {
			err := pgx.BeginFunc(ctx, s.Tx(), func(tx pgx.Tx) error {
				return queries.WithTx(tx).AddUser(ctx, name)
			})
			var taken *pgconn.PgError
			if errors.As(err, &taken) && taken.Code == "23505" {
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil // and Local commits
	})
	fmt.Println(err)
}

// Work that only reads can do without BEGIN and COMMIT: one round trip each.
func ExampleOptions_autocommit() {
	var pool session.Pool
	ctx := context.Background()
	var n int
	err := session.Local(ctx, pool, session.Options{Autocommit: true}, func(s *session.Session) error {
		return s.QueryRow(ctx, "select count(*) from users").Scan(&n)
	})
	fmt.Println(n, err)
}

// A transaction that the server keeps from writing.
func ExampleOptions_readOnly() {
	opts := session.Options{Tx: pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead}}
	fmt.Println(opts.Tx.AccessMode)
	// Output: read only
}
