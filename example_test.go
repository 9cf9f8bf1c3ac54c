package pghold_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/pghold/pghold"
)

// What adapters do, by hand: pgxhold and sqlhold tell of the connection and its
// statements, httphold of the route and the slow call.
func Example() {
	recorder := pghold.NewRecorder(pghold.Config{OnShortage: pghold.LogShortage(slog.Default())})
	pool := recorder.Pool("main")

	pghold.Do(context.Background(), "POST /checkout", func(ctx context.Context) {
		hold := pool.Wait(ctx).Checkout()
		defer hold.Release()
		hold.BeginStatement()
		hold.EndStatement(true) // a transaction is open now

		call := pghold.StartSlowCall(ctx, "POST pay.example.com/v1/charges")
		defer call.End()
	})

	for _, s := range recorder.Snapshot().Series {
		fmt.Printf("%s: %d hold, %d statement\n", s.Route, s.Held.Count(), s.Statements)
		fmt.Println("inside it:", s.SlowCalls[0].What)
	}
	// Output:
	// POST /checkout: 1 hold, 1 statement
	// inside it: POST pay.example.com/v1/charges
}

// Snapshots of several processes add up.
func ExampleSnapshot_Merge() {
	var all *pghold.Snapshot
	for range 3 { // processes
		recorder := pghold.NewRecorder(pghold.Config{})
		recorder.Pool("main").Checkout(pghold.WithRoute(context.Background(), "GET /")).Release()
		text, err := json.Marshal(recorder.Snapshot())
		if err != nil {
			fmt.Println(err)
			return
		}
		one, err := pghold.ReadSnapshot(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		if all == nil {
			all = one
			continue
		}
		all.Merge(one)
	}
	fmt.Println(all.Series[0].Route, all.Series[0].Held.Count())
	// Output: GET / 3
}
