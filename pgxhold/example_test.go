package pgxhold_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/pgxhold"
)

func Example() {
	cfg, err := pgxpool.ParseConfig("postgres://localhost/app")
	if err != nil {
		log.Fatal(err)
	}
	recorder := pghold.NewRecorder(pghold.Config{})
	if err := pgxhold.Install(cfg, recorder, "main"); err != nil {
		log.Fatal(err)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	// From here on it is any pgxpool.Pool.
	ctx := pghold.WithRoute(context.Background(), "GET /users/{id}")
	var name string
	if err := pool.QueryRow(ctx, "select name from users where id = $1", 1).Scan(&name); err != nil {
		log.Print(err)
	}
	for _, s := range recorder.Snapshot().Series {
		fmt.Println(s.Route, s.Held.Count(), s.Held.Mean(), s.BusyRatio())
	}
}
