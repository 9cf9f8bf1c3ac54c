package session_test

import (
	"testing"

	"github.com/pghold/pghold/session"
)

// What would be missed only by the first statement is missed at once.
func TestNil_IsSaidAtOnce(t *testing.T) {
	for want, f := range map[string]func(){
		"session: New needs a pool, and got nil":        func() { session.New(nil, session.Options{}) },
		"session: PerRequest needs a pool, and got nil": func() { session.PerRequest(nil, session.Options{}) },
		"session: FromDB needs a *sql.DB, and got nil":  func() { session.FromDB(nil) },
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
