package promhold_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/promhold"
)

func Example() {
	recorder := pghold.NewRecorder(pghold.Config{})
	registry := prometheus.NewRegistry()
	if err := registry.Register(promhold.Collector(recorder)); err != nil {
		log.Fatal(err)
	}
	metrics := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})

	// pgxhold does this for the pool it is installed in.
	pool := recorder.Pool("main")
	pool.Checkout(pghold.WithRoute(context.Background(), "GET /users/{id}")).Release()
	pool.Checkout(pghold.WithRoute(context.Background(), "POST /checkout")) // and holds it

	page := httptest.NewRecorder()
	metrics.ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		if strings.HasPrefix(line, "pghold_holds_total") || strings.HasPrefix(line, "pghold_open_holds") || strings.HasPrefix(line, "db_client_connection_count") {
			fmt.Print(line)
		}
	}
	// Output:
	// db_client_connection_count{db_client_connection_pool_name="main",db_client_connection_state="used"} 1
	// pghold_holds_total{db_client_connection_pool_name="main",pghold_route="GET /users/{id}"} 1
	// pghold_open_holds{db_client_connection_pool_name="main",pghold_route="POST /checkout"} 1
}
