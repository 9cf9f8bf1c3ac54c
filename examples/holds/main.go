// Command holds is a small service with one handler that holds its connection
// while it calls a slow API, and one that does not. Run it, ask both, and look at
// what it knows of itself:
//
//	DATABASE_URL=postgres://localhost/test go run .
//	curl http://127.0.0.1:8080/bad/1
//	curl http://127.0.0.1:8080/good/1
//	open http://127.0.0.1:8080/debug/holds
//
// While /bad/1 is being answered, which takes two seconds, the page says who has the
// connection and where it is stuck. The pool has two connections, so with four
// requests at once somebody waits, and the log says for whom.
//
// It reads from the Postgres that DATABASE_URL names, and writes nothing. Its test shows
// how a test fails on the bad handler. The folder can be copied: it needs nothing else of
// where it comes from.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
	"github.com/pghold/pghold/pgxhold"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	dsn := os.Getenv("DATABASE_URL")
	if dsn == "" {
		return errors.New("set DATABASE_URL to a Postgres, as in DATABASE_URL=postgres://localhost/test; " +
			"docker run --rm -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres starts one for DATABASE_URL=postgres://postgres@localhost/postgres")
	}

	const addr = "127.0.0.1:8080"
	// What a pool lacks is told in the log, with who has its connections.
	recorder := pghold.NewRecorder(pghold.Config{OnShortage: pghold.LogShortage(nil)}) // *
	handler, closePool, err := service(ctx, recorder, dsn, "http://"+addr+"/slow")
	if err != nil {
		return err
	}
	defer closePool()
	server := &http.Server{Addr: addr, Handler: handler}
	context.AfterFunc(ctx, func() { server.Close() })
	fmt.Printf("Ask http://%s/bad/1 and http://%[1]s/good/1, then look at http://%[1]s/debug/holds\n", addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// service is the whole of it. The lines marked * are pghold's.
func service(ctx context.Context, recorder *pghold.Recorder, dsn, slowAPI string) (http.Handler, func(), error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, nil, err
	}
	cfg.MaxConns = 2
	if err := pgxhold.Install(cfg, recorder, "main"); err != nil { // *
		return nil, nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	client := &http.Client{Transport: httphold.Transport(nil, "GET /slow")} // * with the path that may be shown

	mux := http.NewServeMux()
	mux.Handle("GET /debug/holds", httphold.Handler(recorder)) // * behind your own authentication
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(2 * time.Second):
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /bad/{id}", func(w http.ResponseWriter, r *http.Request) {
		tx, err := pool.Begin(r.Context())
		if err != nil {
			http.Error(w, "no connection", http.StatusServiceUnavailable)
			return
		}
		defer tx.Rollback(r.Context())
		name, err := readName(r.Context(), tx, r.PathValue("id"))
		if err == nil {
			err = ask(r.Context(), client, slowAPI) // the connection and its transaction wait with us
		}
		answer(w, name, err)
	})
	mux.HandleFunc("GET /good/{id}", func(w http.ResponseWriter, r *http.Request) {
		name, err := readName(r.Context(), pool, r.PathValue("id"))
		if err == nil {
			err = ask(r.Context(), client, slowAPI) // nothing is held
		}
		answer(w, name, err)
	})
	return httphold.Middleware(mux), pool.Close, nil // *
}
