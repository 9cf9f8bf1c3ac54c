// Command main wires the bank.
package main

import (
	"context"
	"log"

	"github.com/jackc/pgx/v5/pgxpool"

	"bank/db"
	"bank/gapi"
	"bank/worker"
)

func main() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	store := db.NewStore(pool)
	s := gapi.New(store, worker.NewDistributor("redis:6379"))
	if err := s.CreateUser(ctx, "a"); err != nil {
		log.Fatal(err)
	}
	if err := s.Run(ctx); err != nil {
		log.Fatal(err)
	}
	p := &worker.Processor{Store: store}
	if err := p.Process(ctx, "a"); err != nil {
		log.Fatal(err)
	}
}
