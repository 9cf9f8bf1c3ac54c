// Command main wires the server with one storage or the other.
package main

import (
	"context"
	"database/sql"
	"log"
	"os"

	"golang.org/x/oauth2"

	"dex/connector"
	"dex/server"
	"dex/storage"
	"dex/storage/entstore"
	"dex/storage/sqlstore"
)

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	var st storage.Storage = sqlstore.Open(db)
	if len(os.Args) > 1 {
		st = entstore.New(db)
	}
	s := server.New(st, map[string]connector.Connector{"oidc": &connector.OIDC{Config: &oauth2.Config{}}})
	if err := s.Refresh(context.Background(), "1"); err != nil {
		log.Fatal(err)
	}
	if err := s.Approve(context.Background(), "1"); err != nil {
		log.Fatal(err)
	}
}
