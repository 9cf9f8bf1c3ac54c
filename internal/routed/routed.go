// Package routed finds the copy of a web request that has its pattern. A ServeMux
// writes the pattern into the request that it is given, and a middleware that calls
// WithContext or Clone gives it a copy, of which those outside see nothing.
package routed

import (
	"context"
	"net/http"
	"sync/atomic"
)

// Request is a web request, whatever copies are made of it.
type Request struct{ latest atomic.Pointer[http.Request] }

type contextKey struct{}

// New returns a copy of r in whose context, made of ctx, further copies are found by
// Follow.
func New(ctx context.Context, r *http.Request) (*Request, *http.Request) {
	var q Request
	r = r.WithContext(context.WithValue(ctx, contextKey{}, &q))
	q.latest.Store(r)
	return &q, r
}

// Follow makes r the copy whose pattern counts, where it is one of a Request's, and
// reports whether it is.
func Follow(r *http.Request) bool {
	q, ok := r.Context().Value(contextKey{}).(*Request)
	if ok {
		q.latest.Store(r)
	}
	return ok
}

// Pattern returns the pattern that the request has by now, "" where it has none.
func (q *Request) Pattern() string { return q.latest.Load().Pattern }
