// Package ours has the sessions and the pool of this project.
package ours

import (
	"context"
	"net/http"

	"github.com/pghold/pghold/queuepool"
	"github.com/pghold/pghold/session"
)

const u = "https://example.com/"

func acquire(ctx context.Context, p *queuepool.Pool) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	http.Get(u) // want "high http"
	return nil
}

func okAcquire(ctx context.Context, p *queuepool.Pool) error {
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	c.Conn().Exec(ctx, "select 1")
	c.Release()
	http.Get(u)
	return nil
}

func perRequest(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	var name string
	if err := s.QueryRow(r.Context(), "select name from users").Scan(&name); err != nil {
		return
	}
	http.Get(u) // want "high http"
	s.Commit(r.Context())
}

// okFirstStatementLater takes its connection after the slow call.
func okFirstStatementLater(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	http.Get(u)
	s.Exec(r.Context(), "insert into a values (1)")
	s.Commit(r.Context())
}

func okCommitted(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	s.Exec(r.Context(), "insert into a values (1)")
	s.Commit(r.Context())
	http.Get(u)
}

func againAfterCommit(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	s.Exec(r.Context(), "insert into a values (1)")
	s.Commit(r.Context())
	s.Exec(r.Context(), "insert into a values (2)")
	http.Get(u) // want "high http"
	s.Commit(r.Context())
}

func local(ctx context.Context, p session.Pool) error {
	return session.Local(ctx, p, session.Options{}, func(s *session.Session) error {
		if _, err := s.Exec(ctx, "delete from a"); err != nil {
			return err
		}
		_, err := http.Get(u) // want "high http"
		return err
	})
}

func okLocal(ctx context.Context, p session.Pool) error {
	var name string
	if err := session.Local(ctx, p, session.Options{}, func(s *session.Session) error {
		return s.QueryRow(ctx, "select name from users").Scan(&name)
	}); err != nil {
		return err
	}
	_, err := http.Get(name)
	return err
}

func okOutside(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	s.Exec(r.Context(), "insert into a values (1)")
	s.Outside(r.Context(), func(ctx context.Context) error {
		_, err := http.Get(u)
		return err
	})
	s.Exec(r.Context(), "insert into a values (2)")
	s.Commit(r.Context())
}

func newSession(ctx context.Context, p session.Pool) error {
	s := session.New(p, session.Options{Autocommit: true})
	defer s.Close()
	s.Exec(ctx, "select 1")
	http.Get(u) // want "high http"
	return nil
}

func okNewSession(ctx context.Context, p session.Pool) error {
	s := session.New(p, session.Options{})
	s.Exec(ctx, "select 1")
	s.Close()
	http.Get(u)
	return nil
}

func rowsOfSession(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	rows, err := s.Query(r.Context(), "select a from b")
	if err != nil {
		return
	}
	for rows.Next() {
		http.Get(u) // want "high http"
	}
	s.Commit(r.Context())
}

func insideAndOutside(w http.ResponseWriter, r *http.Request) {
	s := session.FromContext(r.Context())
	s.Exec(r.Context(), "insert into a values (1)")
	http.Get(u) // want "high http"
	s.Outside(r.Context(), func(ctx context.Context) error {
		_, err := http.Head(u)
		return err
	})
}
