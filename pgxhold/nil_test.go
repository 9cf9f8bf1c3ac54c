package pgxhold_test

import (
	"testing"

	"github.com/pghold/pghold/pgxhold"
)

// What is missing is said at once, by the name of the function that misses it.
func TestNil_IsSaidAtOnce(t *testing.T) {
	for want, f := range map[string]func(){
		"pgxhold: NewTracer needs a pool, and got nil: get one with a Recorder's Pool": func() { pgxhold.NewTracer(nil) },
		"pgxhold: Of needs a connection, and got nil":                                  func() { pgxhold.Of(nil) },
		"pgxhold: Released needs a connection, and got nil":                            func() { pgxhold.Released(nil) },
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
