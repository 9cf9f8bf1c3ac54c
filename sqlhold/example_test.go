package sqlhold_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/sqlhold"
)

func Example() {
	recorder := pghold.NewRecorder(pghold.Config{})
	db, err := sqlhold.Open("pgx", "postgres://localhost/app", recorder, "main")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	// From here on it is any *sql.DB: for GORM, bun, sqlx, ent, or as it is.
	ctx := pghold.WithRoute(context.Background(), "GET /users/{id}")
	row := db.QueryRowContext(ctx, "select name from users where id = $1", 1)
	var name string
	if err := row.Scan(&name); err != nil {
		log.Print(err)
	}

	for _, series := range recorder.Snapshot().Series {
		fmt.Println(series.Route, series.Held.Count(), series.Held.Mean(), series.BusyRatio())
	}
}
