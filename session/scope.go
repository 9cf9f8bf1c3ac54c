package session

import (
	"context"
	"errors"
	"net/http"

	"github.com/pghold/pghold/httphold"
)

// Local runs fn with a session of its own: it commits when fn returns nil, rolls
// back when fn returns an error or panics, and releases the connection in every
// case. This is the scope to use beside anything slow: what is slow comes after
// it, or before it, not inside.
//
//	err := session.Local(ctx, pool, session.Options{}, func(s *session.Session) error {
//		return s.QueryRow(ctx, "select name from users where id = $1", id).Scan(&name)
//	})
func Local(ctx context.Context, pool Pool, opts Options, fn func(*Session) error) error {
	switch {
	case pool == nil:
		return errors.New("session: Local needs a pool, and got nil")
	case fn == nil:
		return errors.New("session: Local needs a function to run, and got nil")
	}
	s := New(pool, opts)
	defer s.Close() // where fn panics
	if err := fn(s); err != nil {
		if closeErr := s.Close(); closeErr != nil {
			return errors.Join(err, closeErr)
		}
		return err
	}
	return s.Commit(ctx)
}

// Outside commits what the session has done so far, releases its connection, runs
// fn, and lets the session go on afterwards: its next statement checks out and
// begins anew. It is the way to make a slow call in the middle of a session that is
// kept for a whole request.
//
//	err := s.Outside(ctx, func(ctx context.Context) error { return charge(ctx, order) })
//
// What was read before may have changed when the session goes on: it is another
// transaction. Savepoints that are open end with the one that is committed, and what was
// done in them is committed with it: they cannot be rolled back to afterwards. Where the
// commit fails fn is not run. Using the session inside fn is ErrOutside. The error is the
// commit's or fn's.
func (s *Session) Outside(ctx context.Context, fn func(context.Context) error) error {
	if fn == nil {
		return errors.New("session: Outside needs a function to run, and got nil")
	}
	if err := s.Commit(ctx); err != nil {
		return err
	}
	s.setOutside(true)
	defer s.setOutside(false)
	return fn(ctx)
}

func (s *Session) setOutside(outside bool) {
	s.mu.Lock()
	s.outside = outside
	s.mu.Unlock()
}

type contextKey struct{}

// PerRequest gives every request a session for as long as its handler runs, as
// web frameworks do it: the handler finds it with FromContext and commits what
// it wants kept; the rest is rolled back at the end. A connection that its first
// statement took is held until the handler commits, rolls back or returns,
// whatever it does in between. Those around it see the pattern that the request
// matched (http.Request.Pattern) as if it were not there.
func PerRequest(pool Pool, opts Options) func(http.Handler) http.Handler {
	if pool == nil {
		panic("session: PerRequest needs a pool, and got nil")
	}
	return func(next http.Handler) http.Handler {
		if next == nil {
			panic("session: PerRequest needs a handler, and got nil")
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := New(pool, opts)
			defer s.Close()
			inner := r.WithContext(NewContext(r.Context(), s))
			httphold.Follow(next, inner)                 // for those outside, while the handler runs
			defer func() { r.Pattern = inner.Pattern }() // for others around it: a mux writes it into its own request
			next.ServeHTTP(w, inner)
		})
	}
}

// NewContext returns a context that has the session, for FromContext: for scopes
// other than PerRequest's.
func NewContext(ctx context.Context, s *Session) context.Context {
	if s == nil {
		panic("session: NewContext needs a session, and got nil")
	}
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the request's session. It panics where PerRequest does
// not wrap the handler, and no NewContext stands for it.
func FromContext(ctx context.Context) *Session {
	s, ok := ctx.Value(contextKey{}).(*Session)
	if !ok {
		panic("session: FromContext without PerRequest around the handler")
	}
	return s
}
