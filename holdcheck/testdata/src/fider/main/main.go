// Command main wires the site.
package main

import (
	"context"
	"database/sql"
	"log"
	"net/http"

	"fider/dbx"
	"fider/handlers"
	"fider/jobs"
	"fider/middlewares"
	"fider/web"
)

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	dbx.Use(db)
	for _, h := range jobs.All() {
		if err := jobs.Run(context.Background(), h); err != nil {
			log.Fatal(err)
		}
	}
	e := web.New()
	for _, m := range middlewares.All() {
		e.Use(m)
	}
	handlers.Routes(e)
	log.Fatal(http.ListenAndServe(":8080", e))
}
