package holdtest_test

import (
	"testing"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/holdtest"
)

// What is missing is said at once, by the name of the function that misses it.
func TestNil_IsSaidAtOnce(t *testing.T) {
	for want, f := range map[string]func(){
		"holdtest: Fail needs a test, and got nil":     func() { holdtest.Fail(nil, pghold.NewRecorder(pghold.Config{}), holdtest.Rules{}) },
		"holdtest: Find needs a snapshot, and got nil": func() { holdtest.Find(nil, holdtest.Rules{}) },
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
