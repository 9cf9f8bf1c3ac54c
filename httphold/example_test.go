package httphold_test

import (
	"log"
	"net/http"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/httphold"
)

func Example() {
	recorder := pghold.NewRecorder(pghold.Config{})
	// Give the recorder to pgxhold.Install or sqlhold.Open here.

	client := &http.Client{Transport: httphold.Transport(nil)} // for what handlers call
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), "GET", "https://api.example.com/", nil)
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		if res, err := client.Do(req); err == nil {
			res.Body.Close()
		}
	})
	operators := func(h http.Handler) http.Handler { return h } // your own authentication
	mux.Handle("GET /debug/holds", operators(httphold.Handler(recorder)))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", httphold.Middleware(mux)))
}
