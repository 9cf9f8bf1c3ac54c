// Command main wires the service.
package main

import (
	"context"
	"database/sql"
	"log"
	"net/http"

	"ops/provisioning"
	"ops/redfish"
	"ops/repo"
	"ops/transaction"
)

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	transaction.Use(transaction.NewPool(db))
	s := provisioning.New(repo.Servers{}, &redfish.Client{HTTP: http.DefaultClient})
	if err := s.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
