package httphold_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/pghold/pghold/httphold"
)

// What is missing is said at once, by the name of the function that misses it.
func TestNil_IsSaidAtOnce(t *testing.T) {
	for want, f := range map[string]func(){
		"httphold: Middleware needs a handler, and got nil": func() { httphold.Middleware(nil) },
		"httphold: Handler needs a recorder, and got nil":   func() { httphold.Handler(nil) },
		"httphold: Follow needs a handler, and got nil":     func() { httphold.Follow(nil, httptest.NewRequest("GET", "/", nil)) },
		"httphold: Follow needs a request, and got nil":     func() { httphold.Follow(http.NotFoundHandler(), nil) },
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
