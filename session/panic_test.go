package session_test

import (
	"testing"

	"github.com/pghold/pghold/session"
)

// A pool that panics leaves the session as one that has no connection.
func TestSession_APoolThatPanics(t *testing.T) {
	s := session.New(none{}, session.Options{})
	for range 2 {
		func() {
			defer func() {
				if recover() != "asked for a connection" {
					t.Error("the pool was not asked")
				}
			}()
			s.Exec(t.Context(), "select 1")
		}()
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
