// Package httphold connects a pghold.Recorder with net/http: [Middleware] names the
// route of the holds that a handler has, [Transport] tells of the requests that it
// makes meanwhile, and [Handler] serves what the recorder knows.
//
//	mux.Handle("GET /debug/holds", onlyForOperators(httphold.Handler(recorder)))
//	client := &http.Client{Transport: httphold.Transport(nil)}
//	http.ListenAndServe(addr, httphold.Middleware(mux))
//
// It looks at no header and no body, and keeps no path and no query.
package httphold

import (
	"context"
	"net/http"

	"github.com/pghold/pghold"
)

// NoPattern is the route of requests that no pattern matched.
const NoPattern = "(no pattern)"

// Middleware names the route of the connections that are taken in a request's
// context: the pattern that the request matched (http.Request.Pattern), which has
// no values of its parameters. It may be around a ServeMux or within: the pattern
// that counts is the one known when the connection is taken.
//
// The goroutine has the pprof label "pghold" while next runs, so that
// pghold.Recorder.OpenHolds finds its stack. Where next panics, its last hold is
// marked; the panic goes on.
func Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var routed *http.Request // the mux writes the pattern into the request that it is given
		route := func() string {
			if routed.Pattern == "" {
				return NoPattern
			}
			return routed.Pattern
		}
		pghold.DoFunc(r.Context(), route, func(ctx context.Context) {
			routed = r.WithContext(ctx)
			next.ServeHTTP(w, routed)
		})
	})
}
