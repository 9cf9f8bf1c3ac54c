package httphold

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/pghold/pghold/internal/naming"
)

// request is a web request, whatever copies are made of it, and tells the pattern that
// it matches. A ServeMux writes that into the request which it is given, without a lock,
// so only the goroutine that the mux runs in may read it there; and a middleware that
// calls WithContext or Clone gives the mux a copy, of which those outside see nothing.
type request struct {
	known  atomic.Pointer[string]       // the pattern, as far as any goroutine may know
	latest atomic.Pointer[http.Request] // whose pattern the goroutine of serve may read, nil where known is enough

	named  func(*http.Request) string // in the place of the pattern, or nil
	served *http.Request              // what it is asked of
}

type requestKey struct{}

// newRequest returns a copy of r in whose context, made of ctx, further copies are found
// by Follow.
func newRequest(ctx context.Context, r *http.Request) (*request, *http.Request) {
	var q request
	return &q, r.WithContext(context.WithValue(ctx, requestKey{}, &q))
}

// serve calls next with the request that newRequest returned. Its frame on the stack
// marks the request's own goroutine.
//
//go:noinline
func (q *request) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	q.served = r
	q.see(next, r, true)
	next.ServeHTTP(w, r)
}

// Follow tells the Middleware outside that next is about to be called with r, a copy of
// its request: the pattern that counts is written into that. Call it in a middleware of
// your own that calls WithContext or Clone, as session.PerRequest does; without a
// Middleware outside it does nothing.
func Follow(next http.Handler, r *http.Request) {
	switch {
	case next == nil:
		panic("httphold: Follow needs a handler, and got nil")
	case r == nil:
		panic("httphold: Follow needs a request, and got nil")
	}
	if q, ok := r.Context().Value(requestKey{}).(*request); ok {
		q.see(next, r, false)
	}
}

// see notes the pattern that r has or will have. own says that this is the request's own
// goroutine.
func (q *request) see(next http.Handler, r *http.Request, own bool) {
	if q.named != nil {
		return
	}
	pattern := matched(next, r)
	if pattern != "" {
		q.known.Store(&pattern)
		naming.Told(r.Context(), pattern)
	}
	switch {
	case pattern != "" && !strings.HasSuffix(pattern, "/") && !strings.HasSuffix(pattern, "...}"):
		q.latest.Store(nil)
	case own || inServe(): // some mux may be further inside
		q.latest.Store(r)
	}
}

// matched is the pattern that r has and, where next is a mux, the one that it will
// write into r.
func matched(next http.Handler, r *http.Request) string {
	pattern := r.Pattern
	for {
		mux, ok := next.(*http.ServeMux)
		if !ok {
			return pattern
		}
		next, pattern = mux.Handler(r)
	}
}

// pattern returns the pattern that the request has by now, "" where it has none or only
// the request's own goroutine can know.
func (q *request) pattern() string {
	if q.named != nil {
		return q.name()
	}
	known := q.known.Load()
	if r := q.latest.Load(); r != nil && inServe() && r.Pattern != "" && (known == nil || *known != r.Pattern) {
		pattern := r.Pattern
		known = &pattern
		q.known.Store(known)
	}
	if known == nil {
		return ""
	}
	return *known
}

// name is pattern where somebody else names the route.
func (q *request) name() string {
	if inServe() {
		if name := q.named(q.served); name != "" {
			q.known.Store(&name)
		}
	}
	if known := q.known.Load(); known != nil {
		return *known
	}
	return ""
}

// inServe reports whether serve has called, maybe through others.
func inServe() bool {
	var pcs [64]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		if n == 0 {
			return false
		}
		frames := runtime.CallersFrames(pcs[:n])
		for more := true; more; {
			var f runtime.Frame
			if f, more = frames.Next(); f.Function == "github.com/pghold/pghold/httphold.(*request).serve" {
				return true
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}
