package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pghold/pghold/session"
)

// Close beside a goroutine that is reading leaves the rows to it, and the connection: both
// end when its call does.
func TestSession_ClosedWhileAnotherGoroutineReads(t *testing.T) {
	onEveryPool(t, func(t *testing.T, e *env) {
		ctx := t.Context()
		s := session.New(e, session.Options{})
		// A row is longer than what is read at once, so that the next has to be waited for.
		rows, err := s.Query(ctx, "select repeat('x', 100000) from generate_series(1, 3)")
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		ended := make(chan bool)
		e.pause.on.Store(true)
		go func() { ended <- rows.Next() }()
		<-e.pause.begun
		if err := s.Close(); !errors.Is(err, session.ErrInUse) {
			t.Errorf("Close: got %v, want ErrInUse", err)
		}
		if !s.Held() {
			t.Error("Close took the connection away from under a reader")
		}
		close(e.pause.over)
		if <-ended || !errors.Is(rows.Err(), session.ErrClosed) {
			t.Errorf("the reader was given a row, or the error %v; want ErrClosed", rows.Err())
		}
		if s.Held() {
			t.Error("the reader did not release the connection")
		}
		if n := e.count(t); n != 0 { // on the pool's one connection
			t.Errorf("%d rows", n)
		}
	})
}

// Whenever Close comes, the reader ends, nothing panics, and the pool has its connection
// back.
func TestSession_CloseBesideAReader(t *testing.T) {
	type reader = func(context.Context, *session.Session, chan<- struct{}) error
	read := func(rows interface {
		Next() bool
		Scan(...any) error
		RawValues() [][]byte
		Err() error
	}, begun chan<- struct{}) error {
		for i := 0; rows.Next(); i++ {
			if i == 0 {
				close(begun)
			}
			var n int
			rows.RawValues()
			if err := rows.Scan(&n); err != nil {
				return err
			}
		}
		return rows.Err()
	}
	const many = "select * from generate_series(1, 5000)"
	for name, f := range map[string]reader{
		"rows": func(ctx context.Context, s *session.Session, begun chan<- struct{}) error {
			rows, err := s.Query(ctx, many)
			if err != nil {
				return err
			}
			defer rows.Close()
			return read(rows, begun)
		},
		"rows of a batch": func(ctx context.Context, s *session.Session, begun chan<- struct{}) error {
			batch := s.SendBatch(ctx, queue(many, "select 1"))
			defer batch.Close()
			rows, err := batch.Query()
			if err != nil {
				return err
			}
			defer rows.Close()
			return read(rows, begun)
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryPool(t, func(t *testing.T, e *env) {
				for range 20 {
					s := session.New(e, session.Options{})
					begun, done := make(chan struct{}), make(chan error)
					go func() { done <- f(t.Context(), s, begun) }()
					<-begun
					if err := s.Close(); err != nil && !errors.Is(err, session.ErrInUse) {
						t.Errorf("Close: %v", err)
					}
					if err := <-done; err != nil && !errors.Is(err, session.ErrClosed) {
						t.Errorf("the reader: %v", err)
					}
					if s.Held() {
						t.Fatal("nobody has released the connection")
					}
				}
				e.count(t)
			})
		})
	}
}
