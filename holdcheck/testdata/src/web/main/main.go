// Command main is a service with a transaction per request.
package main

import (
	"database/sql"
	"log"
	"net/http"

	"web/middleware"
)

type rates struct{ base string }

func (h *rates) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp, err := http.Get(h.base)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	middleware.From(r.Context()).ExecContext(r.Context(), "insert into rates", resp.Status)
}

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/rates", middleware.Tx(db)(&rates{"https://example.com/"}))
	mux.Handle("/plain", middleware.Audit(db, &rates{"https://example.com/"}))
	log.Fatal(http.ListenAndServe(":8080", mux))
}
