// Package httphold connects a pghold.Recorder with net/http: [Middleware] names the
// route of the holds that a handler has, [Transport] tells of the requests that it
// makes meanwhile, and [Handler] serves what the recorder knows.
//
//	mux.Handle("GET /debug/holds", onlyForOperators(httphold.Handler(recorder)))
//	client := &http.Client{Transport: httphold.Transport(nil)}
//	http.ListenAndServe(addr, httphold.Middleware(mux))
//
// Of the requests that come in it keeps the pattern only, and of those that go out
// the method, the host, and what of the path is plain words. It keeps no query, no
// header and no body, and reads none, but for Handler, which asks its own request
// for format and Accept.
package httphold

import (
	"context"
	"net/http"

	"github.com/pghold/pghold"
	"github.com/pghold/pghold/internal/routed"
)

// NoPattern is the route of requests that no pattern matched, and of connections
// that are taken before the request has been routed.
const NoPattern = "(no pattern)"

// Middleware names the route of the connections that are taken in a request's
// context: the pattern that the request matched (http.Request.Pattern), which has
// no values of its parameters. It may be around a ServeMux or within: the pattern
// that counts is the one known when the connection is taken.
//
// A ServeMux writes the pattern into the request that it is given. A middleware
// between the two that calls WithContext or Clone gives it another, whose pattern
// is not seen from outside. Put Middleware inside of it, next to the mux, or, where
// it takes connections of its own, in both places:
//
//	httphold.Middleware(authenticate(httphold.Middleware(mux)))
//
// Within another, and before the request has a pattern, Middleware says no more than
// that its request is the one whose pattern counts: there is one route, and slow
// calls are those of all holds of the request. The same place is right where
// http.StripPrefix stands in front of a mux within a mux. session.PerRequest needs no
// such help. What a handler sends through the same handlers are requests with routes
// of their own.
//
// The goroutine has the pprof label "pghold" while next runs, so that
// pghold.Recorder.OpenHolds finds its stack. Where next panics, its last hold is
// marked; the panic goes on.
func Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isCopy(r) && routed.Follow(r) {
			next.ServeHTTP(w, r)
			return
		}
		var request *routed.Request
		route := func() string {
			if pattern := request.Pattern(); pattern != "" {
				return pattern
			}
			return NoPattern
		}
		pghold.DoFunc(r.Context(), route, func(ctx context.Context) {
			var inner *http.Request
			request, inner = routed.New(context.WithValue(ctx, outerKey{}, r), r)
			defer func() { r.Pattern = inner.Pattern }() // for those outside
			next.ServeHTTP(w, inner)
		})
	})
}

// outerKey is where the request is found that the Middleware outside was given.
type outerKey struct{}

// isCopy reports whether r is a copy of that request, which has no pattern yet: then
// the client's target is the same. What a handler sends through the same handlers,
// maybe several at the same time, has another, or is made of a request that has its
// pattern.
func isCopy(r *http.Request) bool {
	outer, ok := r.Context().Value(outerKey{}).(*http.Request)
	return ok && r.Pattern == "" && r.RequestURI == outer.RequestURI
}
