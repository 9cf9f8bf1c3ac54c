package holdtest_test

import (
	"context"
	"fmt"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
)

// What a test has: a service with its recorder, and requests to it.
func charge(recorder *pghold.Recorder) {
	ctx := pghold.WithRoute(context.Background(), "POST /checkout")    // httphold does this,
	hold := recorder.Pool("main").Checkout(ctx)                        // pgxhold or sqlhold this,
	pghold.StartSlowCall(ctx, "POST pay.example.com/v1/charges").End() // and httphold's Transport this.
	hold.Release()
}

// In a test it is holdtest.Fail(t, recorder, rules).
func ExampleFind() {
	recorder := pghold.NewRecorder(pghold.Config{})
	charge(recorder)
	for _, rules := range []holdtest.Rules{
		{},
		{Accepted: []holdtest.Place{{Func: "holdtest_test.charge", Call: "POST pay.example.com/*", Reason: "the row has to stay locked"}}},
	} {
		found := holdtest.Find(recorder.Snapshot(), rules)
		for _, f := range found {
			fmt.Println(f.Route, "calls", f.Call)
		}
		fmt.Println(len(found), "found")
	}
	// Output:
	// POST /checkout calls POST pay.example.com/v1/charges
	// 1 found
	// 0 found
}
