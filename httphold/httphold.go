// Package httphold connects a pghold.Recorder with net/http: [Middleware] names the
// route of the holds that a handler has, [Transport] tells of the requests that it
// makes meanwhile, and [Handler] serves what the recorder knows.
//
//	mux.Handle("GET /debug/holds", onlyForOperators(httphold.Handler(recorder)))
//	client := &http.Client{Transport: httphold.Transport(nil)}
//	http.ListenAndServe(addr, httphold.Middleware(mux))
//
// Of the requests that come in it keeps the pattern only, and of those that go out
// the method, the host, and what of the path is known in public or named by a pattern
// that Transport was given. It keeps no query, no header and no body, and reads none,
// but for Handler, which asks its own request for format and Accept.
package httphold

import (
	"context"
	"net/http"

	"github.com/pghold/pghold"
)

// NoPattern is the route of requests that no pattern matched, and of connections
// that are taken before the request has been routed.
const NoPattern = "(no pattern)"

// Middleware names the route of the connections that are taken in a request's
// context: the pattern that the request matched (http.Request.Pattern), which has
// no values of its parameters. Its place is next to a ServeMux or within one, around
// handlers: then it knows the pattern before next runs, and so do all goroutines that
// next starts.
//
// With other middlewares between it and the mux, it knows the pattern only when the mux
// has written it into the request. The request's own goroutine then sees it. Others,
// such as those of an errgroup in a handler, could read it while the mux writes it, so
// they are told the last one that the request's own goroutine has seen at a checkout,
// and NoPattern where there was none. The same is true of a mux within a mux that is
// behind another middleware. A middleware between the two that calls WithContext or
// Clone gives the mux a copy, whose pattern is not seen from outside, and one that runs
// the rest in another goroutine has to, as http.TimeoutHandler does. In all these cases
// put Middleware inside of it, next to the mux, or, where it takes connections of its
// own, in both places:
//
//	httphold.Middleware(authenticate(httphold.Middleware(mux)))
//
// Within another, and before the request has a pattern, Middleware says no more than
// that its request is the one whose pattern counts: there is one route, and slow
// calls are those of all holds of the request. The same place is right where
// http.StripPrefix stands in front of a mux within a mux. session.PerRequest needs no
// such help, nor does a middleware of your own that calls [Follow]. What a handler sends
// through the same handlers are requests with routes of their own.
//
// The goroutine has the pprof label "pghold" while next runs, so that
// pghold.Recorder.OpenHolds finds its stack. Where next panics, its last hold is
// marked; the panic goes on. http.ErrAbortHandler goes on too and is no panic.
func Middleware(next http.Handler) http.Handler { return Options{}.Middleware(next) }

// Options are how a Middleware names routes. The zero value is that of Middleware.
type Options struct {
	// Route returns the route of a request, "" where it is not known yet, for routers
	// that write no pattern into it. It is called at checkouts, in the goroutine that
	// serves the request alone; others are told what it returned last. Where the
	// router knows the route only after the request has come to it, and not by the
	// request that Middleware is given, call [pghold.SetRoute] there instead. Default:
	// http.Request.Pattern.
	Route func(*http.Request) string
}

// Middleware is [Middleware] with these options.
func (o Options) Middleware(next http.Handler) http.Handler {
	if next == nil {
		panic("httphold: Middleware needs a handler, and got nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isCopy(r) {
			Follow(next, r)
			next.ServeHTTP(w, r)
			return
		}
		var own *request
		route := func() string {
			if pattern := own.pattern(); pattern != "" {
				return pattern
			}
			return NoPattern
		}
		aborted := false
		pghold.DoFunc(r.Context(), route, func(ctx context.Context) {
			defer func() {
				switch v := recover(); v {
				case nil:
				case http.ErrAbortHandler:
					aborted = true
				default:
					panic(v)
				}
			}()
			var inner *http.Request
			own, inner = newRequest(context.WithValue(ctx, outerKey{}, r), r)
			own.named = o.Route
			defer func() { r.Pattern = inner.Pattern }() // for those outside
			own.serve(next, w, inner)
		})
		if aborted {
			panic(http.ErrAbortHandler)
		}
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
