package queuepool_test

import (
	"testing"

	"github.com/pghold/pghold/queuepool"
)

// What is missing is said at once, by the name of the function that misses it.
func TestNil_IsSaidAtOnce(t *testing.T) {
	for want, f := range map[string]func(){
		"queuepool: NewConfig needs pgx's configuration, and got nil: make it with pgx.ParseConfig": func() { queuepool.NewConfig(nil) },
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
