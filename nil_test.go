package pghold_test

import (
	"context"
	"testing"

	"github.com/pghold/pghold"
)

// What would be missed only later is missed at once, and it is said where.
func TestNil_IsSaidAtOnce(t *testing.T) {
	for want, f := range map[string]func(){
		"pghold: WithRouteFunc needs a function that names the route, and got nil":   func() { pghold.WithRouteFunc(t.Context(), nil) },
		"pghold: DoFunc needs a function that names the route, and got nil":          func() { pghold.DoFunc(t.Context(), nil, func(context.Context) {}) },
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
