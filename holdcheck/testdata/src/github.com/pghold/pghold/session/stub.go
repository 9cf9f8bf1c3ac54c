// Package session is a stub of this project's package.
package session

import (
	"context"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

type Conn interface {
	Conn() *pgx.Conn
	Release()
}

type Pool interface {
	Acquire(ctx context.Context) (Conn, error)
}

type Options struct {
	Tx         pgx.TxOptions
	Autocommit bool
}

type Session struct{ pool Pool }

type key struct{}

func New(pool Pool, o Options) *Session               { return &Session{pool} }
func FromContext(ctx context.Context) *Session        { return ctx.Value(key{}).(*Session) }
func (s *Session) Close() error                       { return nil }
func (s *Session) Commit(ctx context.Context) error   { return nil }
func (s *Session) Rollback(ctx context.Context) error { return nil }
func (s *Session) Held() bool                         { return false }
func (s *Session) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return pgconn.CommandTag{}, nil
}
func (s *Session) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return nil, nil
}
func (s *Session) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row { return nil }
func (s *Session) Outside(ctx context.Context, fn func(context.Context) error) error {
	if err := s.Commit(ctx); err != nil {
		return err
	}
	return fn(ctx)
}

func Local(ctx context.Context, pool Pool, o Options, fn func(*Session) error) error {
	s := New(pool, o)
	defer s.Close()
	if err := fn(s); err != nil {
		return err
	}
	return s.Commit(ctx)
}

func PerRequest(pool Pool, o Options) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := New(pool, o)
			defer s.Close()
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, s)))
		})
	}
}
