package sqlhold_test

import (
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/sqlhold"
)

// What is missing is said at once: by a panic with the name of the function, or by its
// error.
func TestNil_IsSaidAtOnce(t *testing.T) {
	r := pghold.NewRecorder(pghold.Config{})
	var some struct{ driver.Connector }
	for want, f := range map[string]func(){
		"sqlhold: Connector needs a connector, and got nil":                            func() { sqlhold.Connector(nil, r.Pool("main")) },
		"sqlhold: Connector needs a pool, and got nil: get one with a Recorder's Pool": func() { sqlhold.Connector(some, nil) },
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
	if _, err := sqlhold.OpenDB(nil, r, "main"); err == nil || !strings.HasPrefix(err.Error(), "sqlhold: no connector") {
		t.Errorf("OpenDB of no connector: got the error %v", err)
	}
	if _, err := sqlhold.OpenDB(some, nil, "main"); err == nil || !strings.HasPrefix(err.Error(), "sqlhold: no recorder") {
		t.Errorf("OpenDB without a recorder: got the error %v", err)
	}
	if got := sqlhold.Unwrap(nil); got != nil {
		t.Errorf("Unwrap of nil: got %v", got)
	}
}
