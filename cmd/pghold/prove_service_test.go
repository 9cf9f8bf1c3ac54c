package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// serviceAt is set for a child of these tests: this same program as somebody's service,
// which listens there.
const serviceAt = "PGHOLD_TEST_SERVICE"

// toldAt is where such a service tells of all that happens to it, where it is set: it waits
// until that was heard.
const toldAt = "PGHOLD_TEST_TOLD"

// gapOfService is how long its /hold is idle in transaction, at least.
const gapOfService = 20 * time.Millisecond

func serveTest(address string) error {
	tell := func() {
		if at := os.Getenv(toldAt); at != "" {
			if res, err := http.Get(at); err == nil {
				res.Body.Close()
			}
		}
	}
	tell()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	mux := http.NewServeMux()
	handle := func(pattern string, f func(context.Context, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			tell()
			if err := f(r.Context(), r); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	handle("GET /hold/{n}", func(ctx context.Context, r *http.Request) error {
		tx, err := pool.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx)
		_, err = tx.Exec(ctx, "select 'secret' /*route='%2Fhold'*/")
		time.Sleep(gapOfService)
		return errors.Join(err, tx.Commit(ctx))
	})
	handle("POST /note", func(ctx context.Context, r *http.Request) error {
		_, err := pool.Exec(ctx, "insert into notes values ($1)", r.ContentLength)
		return err
	})
	handle("GET /header", func(_ context.Context, r *http.Request) error {
		if r.Header.Get("X-Key") != "kanarie" {
			return errors.New("who are you?")
		}
		return nil
	})
	handle("GET /none", func(context.Context, *http.Request) error { return nil })
	var asked atomic.Int64
	handle("GET /once", func(ctx context.Context, r *http.Request) error {
		if asked.Add(1) > 1 {
			fmt.Println("I have had enough of this.")
			return errors.New("not again")
		}
		return pool.Ping(ctx)
	})
	handle("GET /exit", func(_ context.Context, r *http.Request) error {
		fmt.Println("I have had enough.")
		os.Exit(7)
		return nil
	})
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("It listens.")
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	<-ctx.Done()
	tell()
	return server.Close()
}
