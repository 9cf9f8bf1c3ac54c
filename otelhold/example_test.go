package otelhold_test

import (
	"context"
	"fmt"
	"log"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/otelhold"
)

func Example() {
	recorder := pghold.NewRecorder(pghold.Config{})
	// A service has a periodic reader here, with its exporter.
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(otelhold.Producer(recorder)))
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	defer provider.Shutdown(context.Background())

	// pgxhold does this for the pool it is installed in.
	recorder.Pool("main").Checkout(pghold.WithRoute(context.Background(), "GET /users/{id}")).Release()

	var data metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &data); err != nil {
		log.Fatal(err)
	}
	for _, m := range data.ScopeMetrics[0].Metrics {
		if holds, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "pghold.holds" {
			route, _ := holds.DataPoints[0].Attributes.Value("pghold.route")
			fmt.Println(m.Name, route.AsString(), holds.DataPoints[0].Value)
		}
	}
	// Output: pghold.holds GET /users/{id} 1
}
