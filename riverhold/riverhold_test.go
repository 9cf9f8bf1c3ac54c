package riverhold_test

import (
	"context"
	"errors"
	"testing"

	"github.com/riverqueue/river/rivertype"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/riverhold"
)

// work works a job that takes a connection, and returns what was recorded.
func work(t *testing.T, end func() error) (series *pghold.Series, panicked any, err error) {
	t.Helper()
	recorder := pghold.NewRecorder(pghold.Config{})
	func() {
		defer func() { panicked = recover() }()
		err = riverhold.Middleware{}.Work(t.Context(), &rivertype.JobRow{ID: 4711, Kind: "charge"}, func(ctx context.Context) error {
			defer recorder.Pool("main").Checkout(ctx).Release()
			return end()
		})
	}()
	all := recorder.Snapshot().Series
	if len(all) != 1 || all[0].Route != "job charge" || all[0].Held.Count() != 1 {
		t.Fatalf("got %+v, want one hold of job charge", all)
	}
	return all[0], panicked, err
}

func TestMiddleware_NamesTheRouteAndPassesErrorsOn(t *testing.T) {
	for _, want := range []error{nil, errors.New("declined")} {
		if series, panicked, err := work(t, func() error { return want }); err != want || panicked != nil || series.Panics != 0 {
			t.Errorf("got the error %v, the panic %v and %d panics recorded, want %v alone", err, panicked, series.Panics, want)
		}
	}
}

func TestMiddleware_MarksPanics(t *testing.T) {
	if series, panicked, _ := work(t, func() error { panic("job") }); panicked != "job" || series.Panics != 1 {
		t.Errorf("got the panic %v and %d recorded, want it passed on, and one", panicked, series.Panics)
	}
}

// river takes it for what it is.
func TestMiddleware_IsOne(t *testing.T) {
	var m rivertype.Middleware = riverhold.Middleware{}
	if _, ok := m.(rivertype.WorkerMiddleware); !ok || !m.IsMiddleware() {
		t.Errorf("%T is no worker middleware", m)
	}
}
