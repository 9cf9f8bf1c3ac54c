package queuepool_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pghold/pghold/queuepool"
)

func Example() {
	cc, err := pgx.ParseConfig("postgres://127.0.0.1/app")
	if err != nil {
		log.Fatal(err)
	}
	cfg := queuepool.NewConfig(cc) // 5 connections, 10 overflow, 30 s
	cfg.Timeout = 5 * time.Second
	pool, err := queuepool.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	ctx := context.Background()
	conn, err := pool.Acquire(ctx)
	var full *queuepool.TimeoutError
	if errors.As(err, &full) {
		log.Fatalf("all %d connections are in use", full.Size+full.MaxOverflow)
	} else if err != nil {
		log.Fatal(err)
	}
	defer conn.Release() // rolls back what is open
	var now time.Time
	fmt.Println(conn.Conn().QueryRow(ctx, "select now()").Scan(&now))
}
