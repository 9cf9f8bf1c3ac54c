package pghold_test

import (
	"context"
	"testing"

	"github.com/pghold/pghold"
)

// What is missing is said at once, by the name of the function that misses it.
func TestNil_IsSaidAtOnce(t *testing.T) {
	for want, f := range map[string]func(){
		"pghold: WithRouteFunc needs a function that names the route, and got nil":   func() { pghold.WithRouteFunc(t.Context(), nil) },
		"pghold: DoFunc needs a function that names the route, and got nil":          func() { pghold.DoFunc(t.Context(), nil, func(context.Context) {}) },
		"pghold: DoFunc needs a function to run, and got nil":                        func() { pghold.DoFunc(t.Context(), func() string { return "x" }, nil) },
		"pghold: Do needs a function to run, and got nil":                            func() { pghold.Do(t.Context(), "x", nil) },
		"pghold: Snapshot.Merge needs a snapshot, and got nil":                       func() { new(pghold.Snapshot).Merge(nil) },
		"pghold: Series.Merge needs a series, and got nil":                           func() { new(pghold.Series).Merge(nil) },
		"pghold: Sketch.Merge needs a sketch, and got nil":                           func() { new(pghold.Sketch).Merge(nil) },
		"pghold: NewMetricReader needs a function that takes snapshots, and got nil": func() { pghold.NewMetricReader(nil) },
		"pghold: SetStat needs a function that asks the pool, and got nil":           func() { pghold.NewRecorder(pghold.Config{}).Pool("main").SetStat(nil) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("got the panic %v, want %q", got, want)
				}
			}()
			f()
		}()
	}
}
